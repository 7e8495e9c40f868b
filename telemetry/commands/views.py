"""The operators' side of commands: create, in bulk too, look, retry, cancel. All of it is staff's."""

from typing import Any, Final

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.registry.queries import find_device, find_devices, visible_devices
from ozone.accounts.callers import is_person
from ozone.accounts.permissions import Staff
from ozone.webapi.fields import Flag, FreeObject, Items, Number, Text
from ozone.webapi.replies import RowReply
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from ozone.wire.errors import ApiError, NotFound
from ozone.wire.times import iso
from telemetry.commands import services
from telemetry.commands.lifecycle import state_at
from telemetry.commands.types import FIRMWARE_TYPES, command_types
from telemetry.models import Command

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}
NO_DEVICE: Final = NotFound("There is no such device.", code="unknown_device")
RECENT: Final = 10
MAX_HOURS: Final = 8760


class CommandRequest(serializers.Serializer[Any]):
    command_type = Text(max_length=64, help_text=f"{', '.join(FIRMWARE_TYPES)}, and those of COMMAND_TYPES.")
    priority = serializers.ChoiceField(choices=Command.Priority.choices, default="normal")
    payload = FreeObject(required=False, default=dict)
    description = Text(required=False, allow_blank=True, default="", max_length=500)
    expires_in_hours = Number(required=False, default=24, max_value=MAX_HOURS)
    force = Flag(
        required=False, default=False, help_text="Also where UNSAFE_COMMANDS names it for the device's firmware."
    )

    def validate_command_type(self, value: str) -> str:
        names = [kind.name for kind in command_types()]
        if value not in names:
            raise serializers.ValidationError(f"Must be one of {', '.join(names)}.")
        return value

    def validate_expires_in_hours(self, value: float) -> float:
        if value <= 0:
            raise serializers.ValidationError("Must be more than 0.")
        return value


class BulkRequest(CommandRequest):
    device_ids = Items(child=Text(max_length=63), allow_empty=False, max_length=services.MAX_BULK)


class CreatedReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["created"])
    command_id = serializers.UUIDField()
    command_type = serializers.CharField()
    device_id = serializers.CharField()
    expires_at = serializers.DateTimeField()


class BulkCreated(serializers.Serializer[Any]):
    command_id = serializers.UUIDField()
    device_id = serializers.CharField()


class BulkFailed(serializers.Serializer[Any]):
    device_id = serializers.CharField()
    error = serializers.CharField(help_text="A sentence a person can act on.")
    code = serializers.CharField(help_text="A stable word.")


class BulkReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["bulk_created"])
    created_count = serializers.IntegerField()
    failed_count = serializers.IntegerField()
    created_commands = BulkCreated(many=True)
    failed_devices = BulkFailed(many=True)


class CommandReply(RowReply):
    """A command as operators see it, in the state that it is in now."""

    given = ("status",)

    id = serializers.UUIDField(source="command_id")
    command_id = serializers.UUIDField()
    command_type = serializers.CharField()
    priority = serializers.ChoiceField(choices=Command.Priority.choices)
    status = serializers.ChoiceField(choices=Command.Status.choices)
    payload = serializers.DictField()
    description = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField(allow_null=True)
    executed_at = serializers.DateTimeField(allow_null=True)
    response_data = serializers.JSONField(allow_null=True)
    message = serializers.CharField(allow_blank=True)
    error_message = serializers.CharField(allow_blank=True)
    retry_count = serializers.IntegerField()


class StatisticsReply(serializers.Serializer[Any]):
    total = serializers.IntegerField()
    pending = serializers.IntegerField()
    sent = serializers.IntegerField()
    executed = serializers.IntegerField()
    failed = serializers.IntegerField()
    timeout = serializers.IntegerField()


class StatusReply(serializers.Serializer[Any]):
    device_id = serializers.CharField()
    stats = StatisticsReply()
    recent_commands = CommandReply(many=True)


class RetriedReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["retried"])
    command_id = serializers.UUIDField()
    retry_count = serializers.IntegerField()
    expires_at = serializers.DateTimeField()


class CancelledReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["cancelled"])
    command_id = serializers.UUIDField()


def _author(request: Request) -> Any:
    return request.user if is_person(request.user) else None


class Create(ApiView):
    """A command for one device."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="command_create",
        request=CommandRequest,
        responses={201: CreatedReply, **PROBLEMS, 409: Problem},
        tags=["commands"],
    )
    def post(self, request: Request, device_id: str) -> Response:
        device = find_device(visible_devices(request.user), device_id)
        wanted = CommandRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        command = services.create(
            device=device, fields=wanted.validated_data, author=_author(request), now=timezone.now()
        )
        reply = {
            "status": "created",
            "command_id": str(command.command_id),
            "command_type": command.command_type,
            "device_id": device.device_id,
            "expires_at": iso(command.expires_at),
        }
        return Response(reply, status=201)


class Bulk(ApiView):
    """The same command for up to 1,000 devices; those that do not get it are named."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="command_bulk", request=BulkRequest, responses={201: BulkReply, **PROBLEMS}, tags=["commands"]
    )
    def post(self, request: Request) -> Response:
        wanted = BulkRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        fields = dict(wanted.validated_data)
        names = list(dict.fromkeys(fields.pop("device_ids")))
        known = find_devices(visible_devices(request.user), names)
        devices = list({device.pk: device for name in names if (device := known.get(name))}.values())
        _, (made, refused) = services.create_bulk(
            devices=devices, fields=fields, author=_author(request), now=timezone.now()
        )
        failed: list[tuple[str, ApiError]] = [(name, NO_DEVICE) for name in names if name not in known]
        failed += [(device.device_id or "", error) for device, error in refused]
        reply = {
            "status": "bulk_created",
            "created_count": len(made),
            "failed_count": len(failed),
            "created_commands": [
                {"command_id": str(command.command_id), "device_id": command.device.device_id} for command in made
            ],
            "failed_devices": [
                {"device_id": name, "error": error.detail, "code": error.code} for name, error in failed
            ],
        }
        return Response(reply, status=201)


class CommandStatus(ApiView):
    """How a device's commands stand, and the last ten."""

    permission_classes = (Staff,)

    @extend_schema(operation_id="command_status", responses={200: StatusReply, **PROBLEMS}, tags=["commands"])
    def get(self, request: Request, device_id: str) -> Response:
        device = find_device(visible_devices(request.user), device_id)
        now = timezone.now()
        recent = [
            CommandReply.of(command, status=state_at(command, now))
            for command in device.commands.order_by("-created_at", "-id")[:RECENT]
        ]
        states = services.statistics(device.commands.all(), now)
        stats = {"total": sum(states.values()), **states}
        del stats["cancelled"]
        return Response({"device_id": device.device_id, "stats": stats, "recent_commands": recent})


class Retry(ApiView):
    """A failed or timed-out command once more, three times at most."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="command_retry",
        request=None,
        responses={200: RetriedReply, **PROBLEMS, 409: Problem},
        tags=["commands"],
    )
    def post(self, request: Request, command_id: str) -> Response:
        command = services.retry(devices=visible_devices(request.user), command_id=command_id, now=timezone.now())
        return Response(
            {
                "status": "retried",
                "command_id": str(command.command_id),
                "retry_count": command.retry_count,
                "expires_at": iso(command.expires_at),
            }
        )


class Cancel(ApiView):
    """A pending command is not delivered any more."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="command_cancel",
        request=None,
        responses={200: CancelledReply, **PROBLEMS, 409: Problem},
        tags=["commands"],
    )
    def post(self, request: Request, command_id: str) -> Response:
        command = services.cancel(devices=visible_devices(request.user), command_id=command_id, now=timezone.now())
        return Response({"status": "cancelled", "command_id": str(command.command_id)})
