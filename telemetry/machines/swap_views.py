"""Which board a machine holds."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Staff
from ozone.webapi.fields import Flag, Text
from ozone.webapi.resources import NAMED, Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from telemetry.machines.serializers import MachineReply
from telemetry.machines.swapping import ALL_BUT_COMMANDS, Keep, swap_board, undo_swap
from telemetry.machines.views import IF_MATCH, MACHINE, PROBLEMS, machine_json, machine_of


class KeepRequest(serializers.Serializer[Any]):
    owner = Flag(required=False, default=True, help_text="The old board's owner is the new one's")
    settings = Flag(required=False, default=True, help_text="So are its name, location and notes")
    pending_commands = Flag(
        required=False, default=False, help_text="Of its pending commands those that may be repeated follow"
    )

    def to_internal_value(self, data: Any) -> Keep:
        wanted = super().to_internal_value(data)
        if unknown := sorted(map(str, data.keys() - wanted.keys()))[:NAMED]:
            raise serializers.ValidationError(dict.fromkeys(unknown, "There is no such field."))
        return Keep(**wanted)


class SwapRequest(serializers.Serializer[Any]):
    device_id = Text(max_length=63, allow_null=True, help_text="Any name of a device; null: the machine has none")
    move = Flag(required=False, default=False, help_text="Also where another machine holds it")
    keep = KeepRequest(required=False)


SWAP = Resource(SwapRequest)


class MachineBoard(ApiView):
    """Gives a machine another board, or takes it away."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="machine_swap",
        parameters=[IF_MATCH],
        request=SwapRequest,
        responses={200: MachineReply, **PROBLEMS, 409: Problem, 412: Problem},
        tags=["machines"],
    )
    def post(self, request: Request, number: str) -> Response:
        """The old board is put away, its pending commands are cancelled; the new one becomes assigned."""
        machine = machine_of(request, int(number))
        MACHINE.check(request, machine_json(machine))
        wanted = SWAP.wanted(request.data, partial=False)
        name = wanted["device_id"]
        device = None if name is None else find_device(visible_devices(request.user), name)
        keep = wanted.get("keep", ALL_BUT_COMMANDS)
        swap_board(machine=machine, device=device, move=wanted["move"], keep=keep, ordered_by=request.user)
        return MACHINE.reply(machine_json(machine))


class UndoSwap(ApiView):
    """Takes the last swap of a machine's board back, for 24 hours."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="machine_swap_undo",
        request=None,
        responses={200: MachineReply, **PROBLEMS, 409: Problem},
        tags=["machines"],
    )
    def post(self, request: Request, number: str) -> Response:
        """The old board is back, the new one where it was before, with its own owner and settings."""
        return MACHINE.reply(machine_json(undo_swap(machine=machine_of(request, int(number)), ordered_by=request.user)))
