"""Devices as operators watch them: lists, and one device's summary."""

import hashlib
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.models import Device
from device_gateway.registry import views
from device_gateway.registry.queries import find_device, visible_devices
from ozone.webapi.parameters import Needed, QueryString, Whole
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from ozone.wire import jsonio
from ozone.wire.errors import NotFound
from ozone.wire.times import iso, iso_or_none
from telemetry.events.replies import EventReply
from telemetry.machines.serializers import ListedDevice, SummaryReply
from telemetry.models import TelemetryEvent
from telemetry.presence import Presence, presence_is

PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
LIST_PROBLEMS = {304: None, **PROBLEMS}
NO_LIMIT = 10**9


class ListQuery(QueryString):
    limit = Whole(1, NO_LIMIT, default=NO_LIMIT, says="All unless told")
    offset = Whole(0, NO_LIMIT, default=0)


class DeviceQuery(QueryString):
    device_id = Needed("Which device?")


PAGE = [
    *ListQuery.parameters,
    OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="The ETag of an earlier reply"),
]


class DevicesReply(serializers.Serializer[Any]):
    devices = ListedDevice(many=True)


class NewestReply(EventReply):
    """An event; of a reading only what it has."""

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        for name in fields.keys() - {"device_id", "occurred_at", "received_at", "payload"}:
            fields[name].required = False
        return fields


def _listed(request: Request, *, online: bool = False) -> list[dict[str, Any]]:
    """The caller's devices, cut to `limit` and `offset`."""
    asked = ListQuery.read(request.query_params)
    page = slice(asked.offset, asked.offset + asked.limit)
    devices, now = visible_devices(request.user), timezone.now()
    if online:
        devices = devices.filter(presence_is(Presence.ONLINE, now))
    return list(ListedDevice.rows(devices[page], now))


def _tagged(request: Request, content: Any) -> HttpResponse:
    """The content with its ETag, or 304 where the caller has it. The content has each status at this moment, so that
    the tag changes when a device crosses a threshold."""
    body = jsonio.encode(content)
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    known = {text.strip().removeprefix("W/") for text in request.headers.get("If-None-Match", "").split(",")}
    headers = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Authorization, Cookie"}
    if known & {tag, "*"}:
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)


class Online(ApiView):
    """The devices that are online now."""

    @extend_schema(
        operation_id="devices_online",
        parameters=PAGE,
        responses={200: ListedDevice(many=True), **LIST_PROBLEMS},
        tags=["devices"],
    )
    def get(self, request: Request) -> HttpResponse:
        return _tagged(request, _listed(request, online=True))


class All(ApiView):
    """Every device, online or not."""

    @extend_schema(
        operation_id="devices_all",
        parameters=PAGE,
        responses={200: ListedDevice(many=True), **LIST_PROBLEMS},
        tags=["devices"],
    )
    def get(self, request: Request) -> HttpResponse:
        return _tagged(request, _listed(request))


class DevicesData(ApiView):
    """Every device, as front ends poll for them."""

    @extend_schema(
        operation_id="devices_data", parameters=PAGE, responses={200: DevicesReply, **LIST_PROBLEMS}, tags=["devices"]
    )
    def get(self, request: Request) -> HttpResponse:
        return _tagged(request, {"devices": _listed(request)})


class Devices(views.DeviceList):
    """The registry's own list: staff adds to it."""

    @extend_schema(
        operation_id="devices_list", parameters=PAGE, responses={200: DevicesReply, **LIST_PROBLEMS}, tags=["devices"]
    )
    def get(self, request: Request) -> HttpResponse:
        return _tagged(request, {"devices": _listed(request)})


def _named(request: Request) -> Device:
    asked = DeviceQuery.read(request.query_params)
    return find_device(visible_devices(request.user).select_related("state"), asked.device_id)


class Summary(ApiView):
    """What one device last told of itself."""

    @extend_schema(
        operation_id="telemetry_summary",
        parameters=DeviceQuery.parameters,
        responses={200: SummaryReply, **PROBLEMS},
        tags=["devices"],
    )
    def get(self, request: Request) -> Response:
        found = visible_devices(request.user).filter(pk=_named(request).pk)
        return Response(next(SummaryReply.rows(found, timezone.now())))


class Newest(ApiView):
    """The device's newest event or reading, whichever arrived last."""

    @extend_schema(
        operation_id="telemetry_latest_of_any",
        parameters=DeviceQuery.parameters,
        responses={200: NewestReply, **PROBLEMS},
        tags=["devices"],
    )
    def get(self, request: Request) -> Response:
        device = _named(request)
        events = TelemetryEvent.objects.filter(device=device).select_related("device")
        event = events.order_by("-received_at", "-pk").first()
        state = device.state
        if state.latest_received_at is not None and (event is None or state.latest_received_at > event.received_at):
            return Response(
                {
                    "device_id": device.device_id,
                    "occurred_at": iso_or_none(state.latest_occurred_at),
                    "received_at": iso(state.latest_received_at),
                    "payload": state.latest_payload,
                }
            )
        if event is None:
            raise NotFound("This device has sent nothing yet.", code="no_telemetry")
        return Response(EventReply.of(event))
