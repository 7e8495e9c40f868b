"""The registry's own endpoints (2.4): devices added, read, changed, archived."""

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.registry import services
from device_gateway.registry.queries import find_device, visible_devices
from device_gateway.registry.serializers import DeviceChange, DeviceReply, DeviceRequest, device_json
from ozone.accounts.permissions import StaffWrites
from ozone.webapi.serializers import Problem, valid
from ozone.webapi.view import ApiView

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
        device = services.register_device(fields=valid(DeviceRequest, request.data))
        return Response(device_json(device), status=201)


class DeviceDetail(ApiView):
    """One device: read by staff and its owner, changed and archived by staff."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="device_read", responses={200: DeviceReply, **PROBLEMS}, tags=["devices"])
    def get(self, request: Request, name: str) -> Response:
        return Response(device_json(find_device(visible_devices(request.user), name)))

    @extend_schema(
        operation_id="device_change",
        request=DeviceChange,
        responses={200: DeviceReply, **PROBLEMS, 409: Problem},
        tags=["devices"],
    )
    def patch(self, request: Request, name: str) -> Response:
        """Changes what is sent. A former `device_id` stays valid for the device."""
        device = find_device(visible_devices(request.user), name)
        return Response(device_json(services.change_device(device=device, fields=valid(DeviceChange, request.data))))

    @extend_schema(operation_id="device_archive", responses={204: None, **PROBLEMS}, tags=["devices"])
    def delete(self, request: Request, name: str) -> Response:
        """Archives the device: out of every list, until it is restored."""
        device = find_device(visible_devices(request.user), name)
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
