from django.apps import AppConfig


class OzonTelemetryConfig(AppConfig):
    name = "ozontelemetry"

    def ready(self) -> None:
        from ozontelemetry import checks  # noqa: F401
