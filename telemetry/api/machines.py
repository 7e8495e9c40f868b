"""Outlets and machines: staff writes, others read what holds their devices."""

from typing import Any

from django.db.models import Count, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api import ApiView
from accounts.permissions import Staff, StaffWrites
from accounts.serializers import Problem
from device_gateway.queries import find_device, visible_devices
from telemetry import bindings, queries
from telemetry.api.parameters import flag, whole
from telemetry.models import Machine, Outlet
from telemetry.serializers import MachineFields, OutletFields, RegisterRequest, UnregisteredReply
from wire.times import iso_or_none

PROBLEMS = {400: Problem, 401: Problem, 403: Problem, 404: Problem, 409: Problem, 429: Problem, 503: Problem}
BIGGEST = 2**63 - 1


def _outlets(request: Request) -> "QuerySet[Outlet]":
    return queries.visible_outlets(request.user)


def _machines(request: Request) -> "QuerySet[Machine]":
    related = ("outlet", "device__state", "device__status")
    return queries.visible_machines(request.user).select_related(*related)


def _machine_json(machines: Any, *, many: bool = False) -> Any:
    return MachineFields(machines, many=many, context={"now": timezone.now()}).data


class Outlets(ApiView):
    """All outlets; staff adds to them."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="outlets_list",
        parameters=[OpenApiParameter("is_active", bool)],
        responses={200: OutletFields(many=True), **PROBLEMS},
        tags=["outlets"],
    )
    def get(self, request: Request) -> Response:
        outlets = _outlets(request)
        active = flag(request.query_params, "is_active", None)
        if active is not None:
            outlets = outlets.filter(is_active=active)
        return Response(OutletFields(outlets, many=True).data)

    @extend_schema(
        operation_id="outlet_create", request=OutletFields, responses={201: OutletFields, **PROBLEMS}, tags=["outlets"]
    )
    def post(self, request: Request) -> Response:
        wanted = OutletFields(data=request.data)
        wanted.is_valid(raise_exception=True)
        outlet = Outlet.objects.create(**wanted.validated_data)
        return Response(OutletFields(_outlets(request).get(pk=outlet.pk)).data, status=201)


class OutletDetail(ApiView):
    """One outlet."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="outlet_read", responses={200: OutletFields, **PROBLEMS}, tags=["outlets"])
    def get(self, request: Request, number: str) -> Response:
        return Response(OutletFields(queries.find(_outlets(request), int(number), code="unknown_outlet")).data)

    @extend_schema(
        operation_id="outlet_replace", request=OutletFields, responses={200: OutletFields, **PROBLEMS}, tags=["outlets"]
    )
    def put(self, request: Request, number: str) -> Response:
        return self._change(request, number, partial=False)

    @extend_schema(
        operation_id="outlet_change", request=OutletFields, responses={200: OutletFields, **PROBLEMS}, tags=["outlets"]
    )
    def patch(self, request: Request, number: str) -> Response:
        return self._change(request, number, partial=True)

    @extend_schema(operation_id="outlet_archive", responses={204: None, **PROBLEMS}, tags=["outlets"])
    def delete(self, request: Request, number: str) -> Response:
        bindings.archive_outlet(outlet=queries.find(_outlets(request), int(number), code="unknown_outlet"))
        return Response(status=204)

    def _change(self, request: Request, number: str, *, partial: bool) -> Response:
        outlet = queries.find(_outlets(request), int(number), code="unknown_outlet")
        wanted = OutletFields(outlet, data=request.data, partial=partial)
        wanted.is_valid(raise_exception=True)
        return Response(OutletFields(wanted.save()).data)


class Machines(ApiView):
    """All machines; staff adds to them."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="machines_list",
        parameters=[
            OpenApiParameter("outlet_id", int),
            OpenApiParameter("is_active", bool),
            OpenApiParameter("device_id", str, description="Any name of the device it has now"),
        ],
        responses={200: MachineFields(many=True), **PROBLEMS},
        tags=["machines"],
    )
    def get(self, request: Request) -> Response:
        query, machines = request.query_params, _machines(request)
        outlet, active = whole(query, "outlet_id", None, 1, BIGGEST), flag(query, "is_active", None)
        if outlet is not None:
            machines = machines.filter(outlet_id=outlet)
        if active is not None:
            machines = machines.filter(is_active=active)
        if name := query.get("device_id"):
            machines = machines.filter(device=find_device(visible_devices(request.user), name))
        return Response(_machine_json(machines, many=True))

    @extend_schema(
        operation_id="machine_create",
        request=MachineFields,
        responses={201: MachineFields, **PROBLEMS},
        tags=["machines"],
    )
    def post(self, request: Request) -> Response:
        wanted = MachineFields(data=request.data)
        wanted.is_valid(raise_exception=True)
        return Response(_machine_json(Machine.objects.create(**wanted.validated_data)), status=201)


class MachineDetail(ApiView):
    """One machine."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="machine_read", responses={200: MachineFields, **PROBLEMS}, tags=["machines"])
    def get(self, request: Request, number: str) -> Response:
        return Response(_machine_json(queries.find(_machines(request), int(number), code="unknown_machine")))

    @extend_schema(
        operation_id="machine_replace",
        request=MachineFields,
        responses={200: MachineFields, **PROBLEMS},
        tags=["machines"],
    )
    def put(self, request: Request, number: str) -> Response:
        return self._change(request, number, partial=False)

    @extend_schema(
        operation_id="machine_change",
        request=MachineFields,
        responses={200: MachineFields, **PROBLEMS},
        tags=["machines"],
    )
    def patch(self, request: Request, number: str) -> Response:
        return self._change(request, number, partial=True)

    @extend_schema(operation_id="machine_archive", responses={204: None, **PROBLEMS}, tags=["machines"])
    def delete(self, request: Request, number: str) -> Response:
        bindings.archive_machine(machine=queries.find(_machines(request), int(number), code="unknown_machine"))
        return Response(status=204)

    def _change(self, request: Request, number: str, *, partial: bool) -> Response:
        machine = queries.find(_machines(request), int(number), code="unknown_machine")
        wanted = MachineFields(machine, data=request.data, partial=partial)
        wanted.is_valid(raise_exception=True)
        bindings.change_machine(machine=machine, fields=wanted.validated_data)
        return Response(_machine_json(_machines(request).get(pk=machine.pk)))


class Register(ApiView):
    """A new machine with a device, which becomes assigned."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="machine_register",
        request=RegisterRequest,
        responses={201: MachineFields, **PROBLEMS},
        tags=["machines"],
    )
    def post(self, request: Request) -> Response:
        wanted = RegisterRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        machine = bindings.register_machine(
            device=find_device(visible_devices(request.user), wanted.validated_data["device_id"]),
            outlet=queries.find(_outlets(request), wanted.validated_data["outlet_id"], code="unknown_outlet"),
            name=wanted.validated_data["name"],
        )
        return Response(_machine_json(_machines(request).get(pk=machine.pk)), status=201)


class Unregistered(ApiView):
    """Devices that have sent events and that no machine has."""

    @extend_schema(
        operation_id="machines_unregistered",
        responses={200: UnregisteredReply(many=True), **PROBLEMS},
        tags=["machines"],
    )
    def get(self, request: Request) -> Response:
        devices = visible_devices(request.user).filter(machine=None).select_related("state")
        devices = devices.annotate(number=Count("events")).filter(number__gt=0)
        return Response(
            [
                {
                    "id": device.pk,
                    "device_id": device.device_id,
                    "mac": device.mac,
                    "name": device.name,
                    "assigned": device.assigned,
                    "last_seen": iso_or_none(device.state.last_seen),
                    "events": device.number,
                }
                for device in devices.order_by("id")
            ]
        )
