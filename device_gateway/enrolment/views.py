"""The operators' side of the handshake: rotate a device's token, let it enrol again, see who tried."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.enrolment import services
from device_gateway.models import Enrolment
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Staff, StaffWrites
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from ozone.wire.times import iso, iso_or_none

PROBLEMS = {401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}


class WindowReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["open", "rotated"])
    open_until = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(
        allow_null=True, help_text="Of the token in force: a device that still uses it needs no other."
    )


class AttemptReply(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    address = serializers.CharField()
    firmware = serializers.CharField()
    permitted = serializers.BooleanField()


class HandshakesReply(serializers.Serializer[Any]):
    open_until = serializers.DateTimeField(allow_null=True, help_text="Null: no window is open.")
    refused = serializers.IntegerField(help_text="How many in all.")
    attempts = AttemptReply(many=True)


class AllowHandshake(ApiView):
    """*Allow re-enrolment*: the device's next handshake gets a token."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="device_allow_handshake", request=None, responses={200: WindowReply, **PROBLEMS}, tags=["devices"]
    )
    def post(self, request: Request, name: str) -> Response:
        device = find_device(visible_devices(request.user), name)
        key = device.credentials.filter(revoked_at=None).first()
        window = services.allow_handshake(device=device, now=timezone.now())
        return Response(
            {
                "status": "open",
                "open_until": iso_or_none(window.open_until),
                "last_used_at": iso_or_none(key.last_used_at) if key else None,
            }
        )


class Rotate(ApiView):
    """Revokes the device's credential; its next handshake gets a new one."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="device_rotate", request=None, responses={200: WindowReply, **PROBLEMS}, tags=["devices"]
    )
    def post(self, request: Request, name: str) -> Response:
        device = find_device(visible_devices(request.user), name)
        window = services.rotate(device=device, now=timezone.now())
        return Response({"status": "rotated", "open_until": iso_or_none(window.open_until), "last_used_at": None})


class Handshakes(ApiView):
    """Who shook hands with an assigned device's MAC: the last 20, and how many were refused in all."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="device_handshakes", responses={200: HandshakesReply, **PROBLEMS}, tags=["devices"])
    def get(self, request: Request, name: str) -> Response:
        device = find_device(visible_devices(request.user), name)
        window = Enrolment.objects.filter(device=device).first()
        key = device.credentials.filter(revoked_at=None).first()
        open_now = services.is_open(window, key, timezone.now())
        return Response(
            {
                "open_until": iso_or_none(window.open_until) if window and open_now else None,
                "refused": window.refused if window else 0,
                "attempts": [
                    {
                        "at": iso(attempt.at),
                        "address": attempt.address,
                        "firmware": attempt.firmware,
                        "permitted": attempt.permitted,
                    }
                    for attempt in device.handshake_attempts.all()
                ],
            }
        )
