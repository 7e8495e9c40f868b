"""A machine's log, as its page reads it again and again."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from ozone.webapi.parameters import PageCursor, page_cursor
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView, PlainJsonRenderer
from ozone.wire.times import iso, iso_or_none
from telemetry.events.replies import CountsReply, EventReply, event_json
from telemetry.machines.logs import Log, counts_after, machine_log
from telemetry.models import Command
from telemetry.visible import find, visible_machines

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}


class TreatmentLog(EventReply):
    counters = CountsReply(help_text="Of its device, at that moment")


class ResetLog(serializers.Serializer[Any]):
    command_id = serializers.UUIDField()
    device_id = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    message = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    executed_at = serializers.DateTimeField()
    counters = CountsReply(help_text="Of its device, after it")


class LogReply(serializers.Serializer[Any]):
    treatment_logs = TreatmentLog(many=True)
    reset_commands = ResetLog(many=True)
    cursor = serializers.CharField(help_text="For `after`")


def _reset_json(reset: Command) -> dict[str, Any]:
    return {
        "command_id": str(reset.command_id),
        "device_id": reset.device.device_id,
        "description": reset.description,
        "message": reset.message,
        "created_at": iso(reset.created_at),
        "executed_at": iso_or_none(reset.executed_at),
        "counters": counts_after(reset),
    }


class MachineLogs(ApiView):
    """The newest treatments and counter resets of a machine; with `after` those that are new."""

    is_heavy = True
    renderer_classes = (PlainJsonRenderer,)

    @extend_schema(
        operation_id="machine_logs",
        parameters=[OpenApiParameter("after", str, description="`cursor` of an earlier reply")],
        responses={200: LogReply, **PROBLEMS},
        tags=["machines"],
    )
    def get(self, request: Request, number: str) -> Response:
        machine = find(visible_machines(request.user), int(number), code="unknown_machine")
        after = page_cursor(request.query_params, "after")
        log = machine_log(
            request.user,
            machine,
            after_event=after.number if after else None,
            after_reset=after.moment if after else None,
        )
        return Response(
            {
                "treatment_logs": [{**event_json(event), "counters": counts} for event, counts in log.treatments],
                "reset_commands": [_reset_json(reset) for reset in log.resets],
                "cursor": str(_end(log, after or PageCursor())),
            }
        )


def _end(log: Log, start: PageCursor) -> PageCursor:
    """How far a reader has come who has read this log, and was at `start` before."""
    moments = [reset.executed_at for reset in log.resets if reset.executed_at is not None]
    numbers = [event.pk for event, _ in log.treatments]
    return PageCursor(max([start.moment, *moments]), max([start.number, *numbers]))
