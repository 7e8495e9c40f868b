"""What operators do about events that were refused, or are dated wrongly."""

from typing import Any, Final

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.models import Device
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Staff, StaffWrites
from ozone.intake import call_and_wait
from ozone.webapi.fields import Text
from ozone.webapi.replies import RowReply
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from ozone.wire.errors import Invalid
from ozone.wire.times import parse_iso
from telemetry.events import services
from telemetry.events.quarantine import UNDECIDED_FIRST
from telemetry.models import QuarantinedEvent

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 409: Problem, 429: Problem, 503: Problem}

MOST_SHOWN: Final = 1_000


class QuarantinedReply(RowReply):
    """A refused event as operators see it."""

    id = serializers.IntegerField()
    event_id = serializers.CharField(allow_blank=True)
    reason = serializers.CharField()
    code = serializers.CharField()
    body = serializers.CharField()
    retries = serializers.IntegerField()
    first_at = serializers.DateTimeField()
    last_at = serializers.DateTimeField()
    state = serializers.ChoiceField(choices=QuarantinedEvent.State.choices)


class QuarantineReply(serializers.Serializer[Any]):
    quarantined = QuarantinedReply(many=True)


class CorrectionRequest(serializers.Serializer[Any]):
    event = serializers.DictField(
        help_text="Members that take the place of the refused event's own; a null leaves one out."
    )


class LetGoReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["discarded", "accepted"])
    event_id = serializers.CharField(allow_null=True)


class RedateRequest(serializers.Serializer[Any]):
    until = Text(required=False, allow_null=True, help_text="ISO 8601: events that arrived later keep their dates.")


class RedateReply(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=["redated"])
    count = serializers.IntegerField()


def _device(request: Request, name: str) -> Device:
    return find_device(visible_devices(request.user), name)


class Quarantine(ApiView):
    """A device's refused events, the one sent last first. Of more than MOST_SHOWN, for conflicts are never evicted,
    those that wait for a decision go before the others."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="device_quarantine", responses={200: QuarantineReply, **PROBLEMS}, tags=["devices"])
    def get(self, request: Request, name: str) -> Response:
        of_device = QuarantinedEvent.objects.filter(device=_device(request, name))
        rows = list(of_device.order_by(UNDECIDED_FIRST, "-last_at", "-id")[:MOST_SHOWN])
        rows.sort(key=lambda row: (row.last_at, row.pk), reverse=True)
        return Response({"quarantined": [QuarantinedReply.of(row) for row in rows]})


class Discard(ApiView):
    """The device's next retry is acknowledged and dropped."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="quarantine_discard", request=None, responses={200: LetGoReply, **PROBLEMS}, tags=["devices"]
    )
    def post(self, request: Request, name: str, number: str) -> Response:
        services.discard_refused(device=_device(request, name), number=int(number))
        return Response({"status": "discarded", "event_id": None})


class Accept(ApiView):
    """The event is stored with the corrections given; the device's next retry is acknowledged."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="quarantine_accept",
        request=CorrectionRequest,
        responses={200: LetGoReply, **PROBLEMS},
        tags=["devices"],
    )
    def post(self, request: Request, name: str, number: str) -> Response:
        wanted = CorrectionRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        event_id = call_and_wait(
            services.accept_refused,
            device=_device(request, name),
            number=int(number),
            correction=wanted.validated_data["event"],
        )
        return Response({"status": "accepted", "event_id": event_id})


class Redate(ApiView):
    """Gives the device's suspect events their arrival time; statistics follow."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="device_redate", request=RedateRequest, responses={200: RedateReply, **PROBLEMS}, tags=["devices"]
    )
    def post(self, request: Request, name: str) -> Response:
        wanted = RedateRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        words = wanted.validated_data.get("until")
        until = parse_iso(words) if words else None
        if words and until is None:
            raise Invalid("until is not an ISO 8601 time.", errors={"until": ["Not an ISO 8601 time."]})
        count = services.redate(device=_device(request, name).pk, until=until)
        return Response({"status": "redated", "count": count})
