"""What machines have sent, for operators: the list of events, one of them, figures of them."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from ozone.webapi.parameters import PageCursor, Query, Span, choice, flag, given, page_cursor, span, whole
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from telemetry.events.payloads import STATUS
from telemetry.events.replies import AnalyticsReply, EventReply
from telemetry.figures.analytics import figures
from telemetry.models import TelemetryEvent, Treatment
from telemetry.visible import find, visible_events

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
DEFAULT_DAYS = 7
DEFAULT_LIMIT = 1000
MAX_LIMIT = 10_000
BIGGEST = 2**63 - 1
EVENT_FILTERS = [
    OpenApiParameter("device_id", str, description="Any name of the device, or its integer id"),
    OpenApiParameter("days", int, description="By arrival; 7 unless start or end is given"),
    OpenApiParameter("start", str, description="ISO 8601, inclusive, by occurred_at; a date is its whole day"),
    OpenApiParameter("end", str, description="ISO 8601, inclusive, by occurred_at; a date is its whole day"),
]
NARROWING_FILTERS = [
    OpenApiParameter("exclude_status", bool, description="Leaves status messages out; false unless told"),
    OpenApiParameter("treatment", str, enum=list(Treatment.values)),
    OpenApiParameter("machine_id", int),
    OpenApiParameter("outlet_id", int),
]


class Events(ApiView):
    """Events, the last to arrive first; the next page is in the Link header."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="events_list",
        parameters=[
            *EVENT_FILTERS,
            *NARROWING_FILTERS,
            OpenApiParameter("limit", int, description="1 to 10,000; 1,000 unless told"),
            OpenApiParameter("before", str, description="From the Link header: what arrived before that place"),
        ],
        responses={200: EventReply(many=True), **PROBLEMS},
        tags=["events"],
    )
    def get(self, request: Request) -> Response:
        query = request.query_params
        within = span(query, DEFAULT_DAYS)
        events = narrowed(_chosen(request.user, device_named(request), within), query)
        before = page_cursor(query, "before")
        if before is not None:
            events = events.filter(received_at__lte=before.moment)
            events = events.exclude(received_at=before.moment, pk__gte=before.number)
        limit = whole(query, "limit", DEFAULT_LIMIT, 1, MAX_LIMIT)
        found = list(events.select_related("device").order_by("-received_at", "-pk")[: limit + 1])
        headers = {}
        if len(found) > limit:
            last = found[limit - 1]
            link = {**query.dict(), "before": str(PageCursor(last.received_at, last.pk))}
            headers["Link"] = f'<{request.build_absolute_uri(request.path)}?{urlencode(link)}>; rel="next"'
        return Response([EventReply.of(event) for event in found[:limit]], headers=headers)


def device_named(request: Request) -> Device | None:
    """The one that the parameter `device_id` names; an archived one, too: what it sent stays."""
    name = request.query_params.get("device_id")
    return find_device(visible_devices(request.user, archived=True), name) if name else None


def _chosen(actor: Any, device: Device | None, within: Span) -> "QuerySet[TelemetryEvent]":
    """The events the actor may see: of the device, and of that time."""
    wanted = {
        "device": device,
        "received_at__gte": within.arrived_since,
        "occurred_at__gte": within.start,
        "occurred_at__lte": within.end,
    }
    return visible_events(actor).filter(**given(wanted))


def places_named(query: Query) -> dict[str, int]:
    """The machine and outlet that the parameters ask for, as conditions."""
    return given({name: whole(query, name, None, 1, BIGGEST) for name in ("machine_id", "outlet_id")})


def narrowed(events: "QuerySet[TelemetryEvent]", query: Query) -> "QuerySet[TelemetryEvent]":
    """Those of the events that the parameters of NARROWING_FILTERS leave."""
    treatment = given({"treatment": choice(query, "treatment", Treatment.values)})
    events = events.filter(**treatment, **places_named(query))
    return events.exclude(event_type=STATUS) if flag(query, "exclude_status") else events


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
        parameters=EVENT_FILTERS,
        responses={200: AnalyticsReply, **PROBLEMS},
        tags=["events"],
    )
    def get(self, request: Request) -> Response:
        device = device_named(request)
        found = figures(_chosen(request.user, device, span(request.query_params, DEFAULT_DAYS)))
        return Response({"device_id": device.device_id if device else None, **found})
