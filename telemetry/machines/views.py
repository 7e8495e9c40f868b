"""Outlets and machines: staff writes, others read what holds their devices."""

from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from device_gateway.models import DeviceTelemetry, ReadingHour
from device_gateway.registry.queries import find_device, visible_devices
from ozone.accounts.permissions import Staff, StaffWrites
from ozone.webapi.parameters import BIGGEST, Flag, QueryString, Text, Whole, given
from ozone.webapi.resources import Resource
from ozone.webapi.serializers import Problem
from ozone.webapi.view import ApiView
from telemetry.machines import bindings, holding
from telemetry.machines.serializers import (
    ListedDevice,
    MachineReply,
    MachineRequest,
    OutletFields,
    RegisterRequest,
    RestoredMachine,
)
from telemetry.models import Machine, Outlet, TelemetryEvent
from telemetry.visible import find, visible_machines, visible_outlets

OUTLET = Resource(OutletFields)
MACHINE = Resource(MachineRequest, device_id="A machine gets another device by POST /api/machines/<id>/device/.")
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="The ETag of what was read")
READ_PROBLEMS = {400: Problem, 401: Problem, 404: Problem, 429: Problem, 503: Problem}
PROBLEMS = {**READ_PROBLEMS, 403: Problem}


def _outlet(request: Request, number: int, *, archived: bool = False) -> Outlet:
    return find(visible_outlets(request.user, archived=archived), number, code="unknown_outlet")


def machine_of(request: Request, number: int, *, archived: bool = False) -> Machine:
    return find(visible_machines(request.user, archived=archived), number, code="unknown_machine")


def machine_json(machine: Machine) -> dict[str, Any]:
    return next(MachineReply.rows(Machine.objects.filter(pk=machine.pk), timezone.now()))


class OutletsQuery(QueryString):
    is_active = Flag(default=None)
    archived = Flag(says="Those that are archived, instead of the others")


class MachinesQuery(QueryString):
    device_id = Text("Any name of the device it has now")
    outlet_id = Whole(1, BIGGEST)
    is_active = Flag(default=None)
    archived = Flag(says="Those that are archived, instead of the others")


class Outlets(ApiView):
    """All outlets. Staff adds to them."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="outlets_list",
        parameters=OutletsQuery.parameters,
        responses={200: OutletFields(many=True), **READ_PROBLEMS},
        tags=["outlets"],
    )
    def get(self, request: Request) -> Response:
        asked = OutletsQuery.read(request.query_params)
        outlets = visible_outlets(request.user, archived=asked.archived)
        wanted = {"is_active": asked.is_active, "archived_at__isnull": not asked.archived}
        return Response(OutletFields(outlets.filter(**given(wanted)), many=True).data)

    @extend_schema(
        operation_id="outlet_create", request=OutletFields, responses={201: OutletFields, **PROBLEMS}, tags=["outlets"]
    )
    def post(self, request: Request) -> Response:
        """Adds an outlet."""
        outlet = Outlet.objects.create(**OUTLET.wanted(request.data, partial=False))
        return OUTLET.reply(OutletFields(_outlet(request, outlet.pk)).data, status=201)


class OutletDetail(ApiView):
    """One outlet."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="outlet_read", responses={200: OutletFields, **READ_PROBLEMS}, tags=["outlets"])
    def get(self, request: Request, number: str) -> Response:
        return OUTLET.reply(OutletFields(_outlet(request, int(number))).data)

    @extend_schema(
        operation_id="outlet_replace",
        parameters=[IF_MATCH],
        request=OutletFields,
        responses={200: OutletFields, **PROBLEMS, 412: Problem},
        tags=["outlets"],
    )
    def put(self, request: Request, number: str) -> Response:
        """Changes it. A member that is not sent keeps its value."""
        return self._change(request, number, partial=False)

    @extend_schema(
        operation_id="outlet_change",
        parameters=[IF_MATCH],
        request=OutletFields,
        responses={200: OutletFields, **PROBLEMS, 412: Problem},
        tags=["outlets"],
    )
    def patch(self, request: Request, number: str) -> Response:
        """Changes what is sent."""
        return self._change(request, number, partial=True)

    @extend_schema(
        operation_id="outlet_archive",
        parameters=[IF_MATCH],
        responses={204: None, **PROBLEMS, 412: Problem},
        tags=["outlets"],
    )
    def delete(self, request: Request, number: str) -> Response:
        """Archives it, until it is restored. Its machines stay, without an outlet."""
        outlet = _outlet(request, int(number))
        OUTLET.check(request, OutletFields(outlet).data)
        bindings.archive_outlet(outlet=outlet)
        return Response(status=204)

    def _change(self, request: Request, number: str, *, partial: bool) -> Response:
        def read() -> Any:
            Outlet.objects.select_for_update(no_key=True).filter(pk=_outlet(request, int(number)).pk).first()
            return OutletFields(_outlet(request, int(number))).data

        # Only these columns: somebody may archive it at this moment, and it has to stay archived.
        outlets = Outlet.objects.filter(pk=int(number))
        return OUTLET.change(request, read, lambda fields: outlets.update(**fields), partial=partial)


class RestoreOutlet(ApiView):
    """Brings an archived outlet back, with those of its machines that have got no other outlet meanwhile."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="outlet_restore", request=None, responses={200: OutletFields, **PROBLEMS}, tags=["outlets"]
    )
    def post(self, request: Request, number: str) -> Response:
        bindings.restore_outlet(outlet=_outlet(request, int(number), archived=True))
        return OUTLET.reply(OutletFields(_outlet(request, int(number))).data)


class Machines(ApiView):
    """All machines. Staff adds to them."""

    permission_classes = (StaffWrites,)

    @extend_schema(
        operation_id="machines_list",
        parameters=MachinesQuery.parameters,
        responses={200: MachineReply(many=True), **READ_PROBLEMS},
        tags=["machines"],
    )
    def get(self, request: Request) -> Response:
        asked = MachinesQuery.read(request.query_params)
        wanted = {
            "outlet_id": asked.outlet_id,
            "device": find_device(visible_devices(request.user), asked.device_id) if asked.device_id else None,
            "is_active": asked.is_active,
            "archived_at__isnull": not asked.archived,
        }
        machines = visible_machines(request.user, archived=asked.archived).filter(**given(wanted))
        return Response(list(MachineReply.rows(machines, timezone.now())))

    @extend_schema(
        operation_id="machine_create",
        request=MachineRequest,
        responses={201: MachineReply, **PROBLEMS},
        tags=["machines"],
    )
    def post(self, request: Request) -> Response:
        """Adds a machine without a device."""
        return MACHINE.reply(
            machine_json(bindings.add_machine(fields=MACHINE.wanted(request.data, partial=False))), status=201
        )


class MachineDetail(ApiView):
    """One machine."""

    permission_classes = (StaffWrites,)

    @extend_schema(operation_id="machine_read", responses={200: MachineReply, **READ_PROBLEMS}, tags=["machines"])
    def get(self, request: Request, number: str) -> Response:
        return MACHINE.reply(machine_json(machine_of(request, int(number))))

    @extend_schema(
        operation_id="machine_replace",
        parameters=[IF_MATCH],
        request=MachineRequest,
        responses={200: MachineReply, **PROBLEMS, 412: Problem},
        tags=["machines"],
    )
    def put(self, request: Request, number: str) -> Response:
        """Changes it. A member that is not sent keeps its value."""
        return self._change(request, number, partial=False)

    @extend_schema(
        operation_id="machine_change",
        parameters=[IF_MATCH],
        request=MachineRequest,
        responses={200: MachineReply, **PROBLEMS, 412: Problem},
        tags=["machines"],
    )
    def patch(self, request: Request, number: str) -> Response:
        """Changes what is sent."""
        return self._change(request, number, partial=True)

    @extend_schema(
        operation_id="machine_archive",
        parameters=[IF_MATCH],
        responses={204: None, **PROBLEMS, 412: Problem},
        tags=["machines"],
    )
    def delete(self, request: Request, number: str) -> Response:
        """Archives it, until it is restored. Its device is free; its events and statistics stay."""
        machine = machine_of(request, int(number))
        MACHINE.check(request, machine_json(machine))
        bindings.archive_machine(machine=machine)
        return Response(status=204)

    def _change(self, request: Request, number: str, *, partial: bool) -> Response:
        machine = machine_of(request, int(number))

        def read() -> dict[str, Any]:
            return machine_json(holding.current(machine))

        def write(fields: dict[str, Any]) -> None:
            bindings.change_machine(machine=machine, fields=fields)

        return MACHINE.change(request, read, write, partial=partial)


class RestoreMachine(ApiView):
    """Brings an archived machine back, with the device that it had, unless another machine holds it."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="machine_restore", request=None, responses={200: RestoredMachine, **PROBLEMS}, tags=["machines"]
    )
    def post(self, request: Request, number: str) -> Response:
        machine, lacking = bindings.restore_machine(machine=machine_of(request, int(number), archived=True))
        return MACHINE.reply({**machine_json(machine), **({"warnings": lacking} if lacking else {})})


class Register(ApiView):
    """A new machine with a device, which becomes assigned."""

    permission_classes = (Staff,)

    @extend_schema(
        operation_id="machine_register",
        request=RegisterRequest,
        responses={201: MachineReply, **PROBLEMS, 409: Problem},
        tags=["machines"],
    )
    def post(self, request: Request) -> Response:
        wanted = RegisterRequest(data=request.data)
        wanted.is_valid(raise_exception=True)
        machine = bindings.register_machine(
            device=find_device(visible_devices(request.user), wanted.validated_data["device_id"]),
            outlet=_outlet(request, wanted.validated_data["outlet_id"]),
            name=wanted.validated_data["name"],
            ordered_by=request.user,
        )
        return Response(machine_json(machine), status=201)


class Unregistered(ApiView):
    """Devices that have sent events or readings and that no machine has."""

    @extend_schema(
        operation_id="machines_unregistered",
        responses={200: ListedDevice(many=True), **READ_PROBLEMS},
        tags=["machines"],
    )
    def get(self, request: Request) -> Response:
        events, *readings = (
            Exists(model._default_manager.filter(device=OuterRef("pk")))
            for model in (TelemetryEvent, DeviceTelemetry, ReadingHour)
        )
        devices: QuerySet[Any] = visible_devices(request.user).filter(events | readings[0] | readings[1], machine=None)
        return Response(list(ListedDevice.rows(devices, timezone.now())))
