"""Incidents for people and for other systems, and the times in which nobody is told of them."""

from collections.abc import Iterator
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.conditions.table import CONDITIONS
from alerts.incidents import services
from alerts.incidents.models import Incident
from alerts.incidents.queries import visible_incidents, visible_maintenance
from alerts.incidents.serializers import (
    AcknowledgeRequest,
    IncidentReply,
    MaintenanceReply,
    MaintenanceRequest,
    SnoozeRequest,
)
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Staff, StaffWrites
from ozone.webapi.paging import following, link_to
from ozone.webapi.parameters import BIGGEST, Choice, Flag, Instant, QueryString, Text, Whole, given
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.jsonio import packed
from telemetry.visible import find

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
ACKNOWLEDGEMENT, SNOOZE, WINDOW = Resource(AcknowledgeRequest), Resource(SnoozeRequest), Resource(MaintenanceRequest)
SHOWN = 500
"""In a reply, unless `limit` says otherwise."""
AT_ONCE = 500
"""Read and written."""


class IncidentsQuery(QueryString):
    open = Flag(default=None, says="Those that last, or those that have ended")
    outlet_id = Whole(1, BIGGEST)
    machine_id = Whole(1, BIGGEST)
    device_id = Text("Any name of a device")
    kind = Choice(list(CONDITIONS))
    start = Instant("Opened since")
    end = Instant("Opened until", is_end=True)
    held = Flag(says="Also those that nobody was told: held back by maintenance, or by the incident of their outlet")
    limit = Whole(1, 5000, default=SHOWN)
    before = Whole(1, BIGGEST, says="The `id` of the last one of an earlier reply")


class Incidents(ApiView):
    """Incidents, the newest first; the next page is in the Link header."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="incidents_list",
        parameters=IncidentsQuery.parameters,
        responses={200: IncidentReply(many=True), **PROBLEMS},
        tags=["alerts"],
    )
    def get(self, request: Request) -> Response:
        """Of what the caller may see; of the server itself and of stations for staff."""
        asked = IncidentsQuery.read(request.query_params)
        devices = visible_devices(request.user, archived=True)
        wanted = {
            "ended_at__isnull": asked.open,
            "outlet": asked.outlet_id,
            "machine": asked.machine_id,
            "device": find_device(devices, asked.device_id) if asked.device_id else None,
            "kind": asked.kind,
            "opened_at__gte": asked.start,
            "opened_at__lte": asked.end,
            "told_at__isnull": None if asked.held else False,
            "id__lt": asked.before,
        }
        rows = visible_incidents(request.user).filter(**given(wanted))
        numbers = list(rows.order_by("-id").values_list("id", flat=True)[: asked.limit + 1])
        headers = {}
        if len(numbers) > asked.limit:
            headers = link_to(following(request, before=numbers[asked.limit - 1]))
        return Response(packed(_told(numbers[: asked.limit])), headers=headers)


def _told(numbers: list[int]) -> Iterator[dict[str, Any]]:
    """Incidents as they are shown, some at a time: thousands at once would keep the collector of garbage."""
    for start in range(0, len(numbers), AT_ONCE):
        rows = Incident.objects.filter(pk__in=numbers[start : start + AT_ONCE]).order_by("-id")
        for incident in rows.select_related("device", "station", "acknowledged_by"):
            yield IncidentReply.of(incident)


class OneIncident(ApiView):
    """One incident."""

    @extend_schema(operation_id="incident_read", responses={200: IncidentReply, **PROBLEMS}, tags=["alerts"])
    def get(self, request: Request, number: str) -> Response:
        return Response(IncidentReply.of(_incident(request, number)))


class Acknowledge(ApiView):
    """Somebody has it in hand."""

    @extend_schema(
        operation_id="incident_acknowledge",
        request=AcknowledgeRequest,
        responses={200: IncidentReply, 409: Problem, **PROBLEMS},
        tags=["alerts"],
    )
    def post(self, request: Request, number: str) -> Response:
        """It is not told to the next people. What has no end of its own ends with it."""
        incident = _incident(request, number)
        note = ACKNOWLEDGEMENT.wanted(request.data, partial=False)["note"]
        done = services.acknowledge(incident=incident, note=note, actor=request.user, now=timezone.now())
        return Response(IncidentReply.of(done))


class Snooze(ApiView):
    """Not now."""

    @extend_schema(
        operation_id="incident_snooze",
        request=SnoozeRequest,
        responses={200: IncidentReply, 409: Problem, **PROBLEMS},
        tags=["alerts"],
    )
    def post(self, request: Request, number: str) -> Response:
        """Nobody is told of it until then; of one that is still open then people are reminded."""
        incident = _incident(request, number)
        until = SNOOZE.wanted(request.data, partial=False)["until"]
        return Response(IncidentReply.of(services.snooze(incident=incident, until=until, now=timezone.now())))


class Windows(ApiView):
    """Maintenance: incidents are kept meanwhile, and told when it is over if they still last."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="maintenance_list", responses={200: MaintenanceReply(many=True), **PROBLEMS}, tags=["alerts"]
    )
    def get(self, request: Request) -> Response:
        """What is in force or to come, of what the caller may see."""
        windows = visible_maintenance(request.user, timezone.now())
        return Response([MaintenanceReply.of(window) for window in windows])

    @extend_schema(
        operation_id="maintenance_create",
        request=MaintenanceRequest,
        responses={201: MaintenanceReply, 403: Problem, **PROBLEMS},
        tags=["alerts"],
    )
    def post(self, request: Request) -> Response:
        """Of an outlet, of a machine, or of all; once, or in hours of each week."""
        wanted = WINDOW.wanted(request.data, partial=False)
        window = services.plan_maintenance(**wanted, actor=request.user)
        return Response(MaintenanceReply.of(window), status=201)


class OneWindow(ApiView):
    """One time of maintenance."""

    permission_classes = (Staff,)

    @extend_schema(operation_id="maintenance_delete", responses={204: None, 403: Problem, **PROBLEMS}, tags=["alerts"])
    def delete(self, request: Request, number: str) -> Response:
        """It is over, or will not be."""
        find(visible_maintenance(request.user), int(number), code="unknown_maintenance").delete()
        return Response(status=204)


def _incident(request: Request, number: str) -> Incident:
    rows = visible_incidents(request.user).select_related("device", "station", "acknowledged_by")
    return find(rows, int(number), code="unknown_incident")
