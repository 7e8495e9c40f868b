"""A machine's log, as its page reads it again and again."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.webapi.parameters import Cursor, PageCursor, QueryString
from ozone.webapi.replies import RowReply
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from telemetry.events.replies import CountsReply, EventReply
from telemetry.machines.logs import Log, counts_after, machine_log
from telemetry.models import Command
from telemetry.visible import find, visible_machines

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}


class TreatmentLog(EventReply):
    given = ("counters",)

    counters = CountsReply(help_text="Of its device, at that moment")


class ResetLog(RowReply):
    """A reset of the counters that a device has carried out."""

    given = ("counters",)

    id = serializers.UUIDField(source="command_id")
    command_id = serializers.UUIDField()
    device_id = serializers.CharField(source="device__device_id")
    status = serializers.ChoiceField(choices=Command.Status.choices, help_text="Always executed.")
    description = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    executed_at = serializers.DateTimeField()
    response_data = serializers.JSONField(allow_null=True, help_text="As its device told.")
    counters = CountsReply(help_text="Of its device, after it")


class LogReply(serializers.Serializer[Any]):
    treatment_logs = TreatmentLog(many=True)
    reset_commands = ResetLog(many=True)
    cursor = serializers.CharField(help_text="For `after`")


class LogQuery(QueryString):
    after = Cursor("`cursor` of an earlier reply")


class MachineLogs(ApiView):
    """The newest treatments and counter resets of a machine; with `after` those that are new."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="machine_logs",
        parameters=LogQuery.parameters,
        responses={200: LogReply, **PROBLEMS},
        tags=["machines"],
    )
    def get(self, request: Request, number: str) -> Response:
        machine = find(visible_machines(request.user), int(number), code="unknown_machine")
        after = LogQuery.read(request.query_params).after
        log = machine_log(
            request.user,
            machine,
            after_event=after.number if after else None,
            after_reset=after.moment if after else None,
        )
        return Response(
            {
                "treatment_logs": [TreatmentLog.of(event, counters=counts) for event, counts in log.treatments],
                "reset_commands": [ResetLog.of(reset, counters=counts_after(reset)) for reset in log.resets],
                "cursor": str(_end(log, after or PageCursor())),
            }
        )


def _end(log: Log, start: PageCursor) -> PageCursor:
    """How far a reader has come who has read this log, and was at `start` before."""
    moments = [reset.executed_at for reset in log.resets if reset.executed_at is not None]
    numbers = [event.pk for event, _ in log.treatments]
    return PageCursor(max([start.moment, *moments]), max([start.number, *numbers]))
