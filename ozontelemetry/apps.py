from django.apps import AppConfig
from django.contrib import admin
from django.utils.functional import lazystr

from ozone.wire.times import people_zone


class _Header:
    def __str__(self) -> str:
        return f"Ozone Telemetry · times by the clock of {people_zone().key}"


class OzonTelemetryConfig(AppConfig):
    name = "ozontelemetry"

    def ready(self) -> None:
        from ozontelemetry import checks  # noqa: F401

        admin.site.site_header = lazystr(_Header())
