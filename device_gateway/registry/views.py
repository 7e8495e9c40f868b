"""The registry's own endpoints (2.4): devices added, read, changed, archived."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.models import Device
from device_gateway.registry import services
from device_gateway.registry.queries import find_device, visible_devices
from device_gateway.registry.serializers import DeviceChange, DeviceReply, DeviceRequest, device_json
from ozone.accounts.permissions import StaffWrites
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView

NEW_DEVICE = Resource(DeviceRequest)
DEVICE = Resource(DeviceChange)
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The ETag of what was read")
PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 429: Problem, 503: Problem}


class DeviceList(ApiView):
    """Adds devices to the registry; staff's."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="device_create",
        request=DeviceRequest,
        responses={201: DeviceReply, **PROBLEMS, 409: Problem},
        tags=["devices"],
    )
    def post(self, request: Request) -> Response:
        """Adds a device to the registry."""
        device = services.register_device(fields=NEW_DEVICE.wanted(request.data))
        return DEVICE.reply(device_json(device), status=201)


class DeviceDetail(ApiView):
    """One device: read by staff and its owner, changed and archived by staff."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="device_read", responses={200: DeviceReply, **PROBLEMS}, tags=["devices"])
    def get(self, request: Request, name: str) -> Response:
        return DEVICE.reply(device_json(find_device(visible_devices(request.user), name)))

    @extend_schema(
        operation_id="device_change",
        parameters=[IF_MATCH],
        request=DeviceChange,
        responses={200: DeviceReply, **PROBLEMS, 409: Problem, 412: Problem},
        tags=["devices"],
    )
    def patch(self, request: Request, name: str) -> Response:
        """Changes what is sent. A former `device_id` stays valid for the device."""
        device = find_device(visible_devices(request.user), name)

        def read() -> dict[str, Any]:
            Device.objects.select_for_update(no_key=True).filter(pk=device.pk).first()
            return device_json(visible_devices(request.user).get(pk=device.pk))

        return DEVICE.change(request, read, lambda fields: services.change_device(device=device, fields=fields))

    @extend_schema(
        operation_id="device_archive",
        parameters=[IF_MATCH],
        responses={204: None, **PROBLEMS, 412: Problem},
        tags=["devices"],
    )
    def delete(self, request: Request, name: str) -> Response:
        """Archives the device: out of every list, until it is restored."""
        device = find_device(visible_devices(request.user), name)
        DEVICE.check(request, device_json(device))
        services.archive_device(device=device, now=timezone.now())
        return Response(status=204)


class Restore(ApiView):
    """Brings an archived device back with its credential."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="device_restore", request=None, responses={200: DeviceReply, **PROBLEMS}, tags=["devices"]
    )
    def post(self, request: Request, name: str) -> Response:
        device = find_device(visible_devices(request.user, archived=True), name)
        services.restore_device(device=device)
        return Response(device_json(device))
