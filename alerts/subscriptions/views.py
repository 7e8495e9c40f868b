"""A person's own channels. Nobody else's are there, not for staff either."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from alerts.channels.models import Channel
from alerts.deliveries.serializers import DeliveryReply
from alerts.subscriptions import services
from alerts.subscriptions.kinds import offered
from alerts.subscriptions.serializers import (
    ChannelChange,
    ChannelList,
    ChannelMade,
    ChannelReply,
    ChannelRequest,
    CodeRequest,
)
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from ozone.wire.errors import Invalid, NotFound
from telemetry.machines.views import IF_MATCH

READ_PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
PROBLEMS = {**READ_PROBLEMS, 403: Problem, 409: Problem}
_FIXED = "It stays what it is: add another channel."
NEW = Resource(ChannelRequest)
CHANGE = Resource(ChannelChange, kind=_FIXED, target=_FIXED)
CODE = Resource(CodeRequest)


def own_channel(request: Request, number: str) -> Channel:
    """Raises NotFound."""
    own = Channel.objects.filter(person_id=request.user.pk).select_related("person")
    found = own.filter(pk=int(number)).first() if len(number) < 19 else None
    if found is None:
        raise NotFound("There is no such channel of yours.", code="unknown_channel")
    return found


def _json(channel: Channel) -> dict[str, Any]:
    return next(ChannelReply.rows(Channel.objects.filter(pk=channel.pk), timezone.now()))


class Channels(ApiView):
    """Where a person is told of incidents."""

    @extend_schema(operation_id="channels_list", responses={200: ChannelList, **READ_PROBLEMS}, tags=["alerts"])
    def get(self, request: Request) -> Response:
        """One's own, and what kinds there may be."""
        own = Channel.objects.filter(person_id=request.user.pk).order_by("id")
        return Response({"kinds": offered(), "results": list(ChannelReply.rows(own, timezone.now()))})

    @extend_schema(
        operation_id="channel_add",
        request=ChannelRequest,
        responses={201: ChannelMade, **PROBLEMS},
        tags=["alerts"],
    )
    def post(self, request: Request) -> Response:
        """Adds one, and sends it a code that is to be told at `verify`. A webhook's secret is shown this once."""
        fields = services.checked(request.user, NEW.wanted(request.data, partial=False))
        if fields.pop("stopped"):
            raise Invalid.named("stopped", "A new channel is not stopped.")
        channel, secret = services.add(person=request.user, fields=fields, now=timezone.now())
        stored = {**_json(channel), "secret": secret or None}
        return Response(stored, status=201, headers={"Cache-Control": "no-store", "ETag": CHANGE.etag(stored)})


class ChannelDetail(ApiView):
    """One channel."""

    @extend_schema(operation_id="channel_read", responses={200: ChannelReply, **READ_PROBLEMS}, tags=["alerts"])
    def get(self, request: Request, number: str) -> Response:
        return CHANGE.reply(_json(own_channel(request, number)))

    @extend_schema(
        operation_id="channel_change",
        parameters=[IF_MATCH],
        request=ChannelChange,
        responses={200: ChannelReply, **READ_PROBLEMS, 412: Problem},
        tags=["alerts"],
    )
    def patch(self, request: Request, number: str) -> Response:
        """Changes what it is told, and when; `stopped` ends and resumes it."""

        def read() -> Any:
            Channel.objects.select_for_update().filter(pk=own_channel(request, number).pk).first()
            return _json(own_channel(request, number))

        def write(fields: dict[str, Any]) -> None:
            channel = own_channel(request, number)
            services.change(channel=channel, fields=services.checked(request.user, fields, channel), now=timezone.now())

        return CHANGE.change(request, read, write)

    @extend_schema(
        operation_id="channel_delete",
        parameters=[IF_MATCH],
        responses={204: None, **READ_PROBLEMS, 412: Problem},
        tags=["alerts"],
    )
    def delete(self, request: Request, number: str) -> Response:
        """Deletes it, with its part of the log."""
        channel = own_channel(request, number)
        CHANGE.check(request, _json(channel))
        services.delete(channel)
        return Response(status=204)


class ChannelCode(ApiView):
    """Another code for a channel that is not verified."""

    @extend_schema(
        operation_id="channel_code", request=None, responses={202: ChannelReply, **PROBLEMS}, tags=["alerts"]
    )
    def post(self, request: Request, number: str) -> Response:
        """Sends it; at most three an hour go out for a person."""
        channel = own_channel(request, number)
        services.send_code(channel=channel, now=timezone.now())
        return Response(_json(channel), status=202)


class VerifyChannel(ApiView):
    """Proves that the channel's messages are read."""

    @extend_schema(
        operation_id="channel_verify",
        request=CodeRequest,
        responses={200: ChannelReply, **READ_PROBLEMS, 409: Problem},
        tags=["alerts"],
    )
    def post(self, request: Request, number: str) -> Response:
        """By the code that was sent to it: within an hour, in five tries."""
        channel = own_channel(request, number)
        services.verify(channel=channel, **CODE.wanted(request.data, partial=False), now=timezone.now())
        return Response(_json(channel))


class TestChannel(ApiView):
    """A message to see that it works."""

    @extend_schema(
        operation_id="channel_test",
        request=None,
        responses={202: DeliveryReply, **READ_PROBLEMS, 409: Problem},
        tags=["alerts"],
    )
    def post(self, request: Request, number: str) -> Response:
        """Sends it soon: `GET /api/deliveries/` tells what became of it."""
        row = services.send_test(channel=own_channel(request, number), now=timezone.now())
        return Response(DeliveryReply.one(row), status=202)
