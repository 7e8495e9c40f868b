"""What machines have sent, for operators: the list of events, one of them, figures and CSV of them;
deleting all of it."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Superuser
from ozone.webapi.paging import fitting, following, link_to
from ozone.webapi.parameters import PageCursor, given
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from telemetry.events.export import Walk, export
from telemetry.events.flushing import flush
from telemetry.events.parameters import EventPageQuery, EventsQuery, ExportQuery, NarrowedQuery
from telemetry.events.payloads import STATUS
from telemetry.events.replies import AnalyticsReply, EventReply
from telemetry.figures.analytics import figures
from telemetry.models import TelemetryEvent
from telemetry.visible import find, visible_events

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}


class Events(ApiView):
    """Events, the last to arrive first; the next page is in the Link header."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="events_list",
        parameters=EventPageQuery.parameters,
        responses={200: EventReply(many=True), **PROBLEMS},
        tags=["events"],
    )
    def get(self, request: Request) -> Response:
        asked = EventPageQuery.read(request.query_params)
        events = narrowed(_chosen(request.user, device_named(request.user, asked), asked), asked)
        before, limit = asked.before, asked.limit
        if before is not None:
            events = events.filter(received_at__lte=before.moment)
            events = events.exclude(received_at=before.moment, pk__gte=before.number)
        events = events.order_by("-received_at", "-pk")
        fit = fitting(events, "payload", limit)
        found = list(EventReply.rows(events[: fit.number], timezone.now()))
        headers = {}
        if fit.has_more and found:
            last = PageCursor(datetime.fromisoformat(found[-1]["received_at"]), found[-1]["id"])
            headers = link_to(following(request, before=last))
        return Response(found, headers=headers)


def device_named(actor: Any, asked: EventsQuery) -> Device | None:
    """The one that `device_id` names; an archived one, too: what it sent stays."""
    return find_device(visible_devices(actor, archived=True), asked.device_id) if asked.device_id else None


def _chosen(actor: Any, device: Device | None, asked: EventsQuery) -> "QuerySet[TelemetryEvent]":
    """The events the actor may see: of the device, and of that time."""
    within = asked.within
    wanted = {
        "device": device,
        "received_at__gte": within.arrived_since,
        "occurred_at__gte": within.start,
        "occurred_at__lte": within.end,
    }
    return visible_events(actor).filter(**given(wanted))


def narrowed(events: "QuerySet[TelemetryEvent]", asked: NarrowedQuery) -> "QuerySet[TelemetryEvent]":
    """Those of the events that the treatment, the places and `exclude_status` leave."""
    events = events.filter(**given({"treatment": asked.treatment}), **asked.places)
    return events.exclude(event_type=STATUS) if asked.exclude_status else events


class EventDetail(ApiView):
    """One event."""

    @extend_schema(operation_id="event_read", responses={200: EventReply, **PROBLEMS}, tags=["events"])
    def get(self, request: Request, number: str) -> Response:
        events = visible_events(request.user).select_related("device")
        return Response(EventReply.of(find(events, int(number), code="unknown_event")))


class Analytics(ApiView):
    """How often which treatment was chosen, and when."""

    is_heavy = True

    @extend_schema(
        operation_id="events_analytics",
        parameters=EventsQuery.parameters,
        responses={200: AnalyticsReply, **PROBLEMS},
        tags=["events"],
    )
    def get(self, request: Request) -> Response:
        asked = EventsQuery.read(request.query_params)
        device = device_named(request.user, asked)
        found = figures(_chosen(request.user, device, asked))
        return Response({"device_id": device.device_id if device else None, **found})


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
        pieces = export(_walks(request.user, device_named(request.user, asked), asked), bom=asked.bom)
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


class FlushReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["flushed"])
    deleted = serializers.DictField(child=serializers.IntegerField(), help_text="Rows by table")
    backup = serializers.CharField(allow_null=True, help_text="A file beside the database, on SQLite")


class Flush(ApiView):
    """Deletes events, readings, statuses and statistics; keeps devices, outlets, machines, users. Not atomic."""

    permission_classes = (Superuser,)
    session_only = True
    is_heavy = True  # it waits for another's end

    @extend_schema(
        operation_id="flush",
        request=None,
        auth=[{"session": []}],  # type: ignore[list-item]
        responses={200: FlushReply, 401: Problem, 403: Problem, 429: Problem, 503: Problem},
        tags=["events"],
    )
    def post(self, request: Request) -> Response:
        flushed = flush(actor=request.user, now=timezone.now())
        return Response({"status": "flushed", **flushed._asdict()})
