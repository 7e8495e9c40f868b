"""Events as CSV."""

from collections.abc import Iterator
from typing import Any

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from ozone.webapi.parameters import given
from ozone.webapi.view import ApiView
from telemetry.events.export import Walk, export
from telemetry.events.parameters import ExportQuery
from telemetry.events.views import PROBLEMS, device_named, narrowed
from telemetry.models import TelemetryEvent


class EventsCsv(ApiView):
    """Events as CSV, streamed. A reply that is cut short, without the end of its last chunk, is not all of them."""

    is_heavy = True

    @extend_schema(
        operation_id="export",
        parameters=ExportQuery.parameters,
        responses={(200, "text/csv"): OpenApiResponse(OpenApiTypes.STR, "Twelve columns under a header"), **PROBLEMS},
        tags=["events"],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        asked = ExportQuery.read(request.query_params)
        pieces = export(_walks(request.user, device_named(request.user, asked), asked))
        return StreamingHttpResponse(
            pieces if request.method == "GET" else (),
            content_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": 'attachment; filename="events.csv"'},
        )


def _walks(actor: Any, device: Device | None, asked: ExportQuery) -> Iterator[Walk]:
    """All events by arrival; or by occurrence those of each device that has any of the wanted, so that nobody looks
    through everything for a few."""
    within = asked.within
    events = TelemetryEvent.objects.all()
    wanted = narrowed(events, asked)
    held = {f"bindings__{name}": number for name, number in asked.places.items()}
    if device is None and actor.is_staff and not held:
        occurred = given({"occurred_at__gte": within.start, "occurred_at__lte": within.end})
        yield Walk(events, wanted.filter(**occurred), "received_at", within.arrived_since)
        return
    devices = visible_devices(actor, archived=True).filter(**given({"pk": device and device.pk}), **held)
    wanted = wanted.filter(**given({"received_at__gte": within.received_since}))
    for number in list(devices.order_by("pk").values_list("pk", flat=True).distinct()):
        of_device = {"device": number}
        yield Walk(events.filter(**of_device), wanted.filter(**of_device), "occurred_at", within.start, within.end)
