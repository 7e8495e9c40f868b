"""The ledger: what counters say beside the presses that are stored, and settling what nobody can explain."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.registry.queries import find_device, visible_devices
from ledger.epochs.queries import Scope, ledger
from ledger.lines.serializers import LedgerReply, LineReply, SettleRequest
from ledger.lines.services import settle
from ledger.statements.months import day_start
from ledger.statements.views import MonthParameter
from ozone.accounts.permissions import Staff
from ozone.webapi.parameters import BIGGEST, Cursor, QueryString, Text, Whole
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from telemetry.visible import find, visible_machines, visible_outlets

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
SETTLEMENT = Resource(SettleRequest)
EPOCHS = 500
"""In a reply, unless `limit` says otherwise."""


class LedgerQuery(QueryString):
    machine_id = Whole(1, BIGGEST)
    outlet_id = Whole(1, BIGGEST, says="Epochs of machines while they stood there, and the lines of that place")
    device_id = Text("Any name of a device")
    month = MonthParameter("YYYY-MM of STATS_TIME_ZONE: epochs that reach into it, and its lines")
    limit = Whole(1, 5000, default=EPOCHS, says="Epochs")
    before = Cursor("`next` of an earlier reply")


class Ledger(ApiView):
    """Epochs of counters, each with what no press explains."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="ledger",
        parameters=LedgerQuery.parameters,
        responses={200: LedgerReply, **PROBLEMS},
        tags=["money"],
    )
    def get(self, request: Request) -> Response:
        """Of all that the caller may see, or of one machine, outlet or device."""
        asked = LedgerQuery.read(request.query_params)
        return Response(LedgerReply.of(ledger(_scope(request.user, asked), before=asked.before, limit=asked.limit)))


def _scope(actor: Any, asked: LedgerQuery) -> Scope:
    machines, outlets = visible_machines(actor, archived=True), visible_outlets(actor, archived=True)
    return Scope(
        actor,
        find(machines, asked.machine_id, code="unknown_machine") if asked.machine_id else None,
        find(outlets, asked.outlet_id, code="unknown_outlet") if asked.outlet_id else None,
        find_device(visible_devices(actor, archived=True), asked.device_id) if asked.device_id else None,
        day_start(asked.month.first) if asked.month else None,
        day_start(asked.month.next.first) if asked.month else None,
    )


class SettleLine(ApiView):
    """Says what became of a line's presses."""

    permission_classes = (Staff,)
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="ledger_line_settle",
        request=SettleRequest,
        responses={201: LineReply, 403: Problem, **PROBLEMS},
        tags=["money"],
    )
    def post(self, request: Request, number: str) -> Response:
        """An entry of its own: what was said before stays, and the newest stands."""
        wanted = SETTLEMENT.wanted(request.data, partial=False)
        line = settle(line=min(int(number), BIGGEST), **wanted, actor=request.user, now=timezone.now())
        return Response(LineReply.of(line), status=201)
