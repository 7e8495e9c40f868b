"""Which machine, at which outlet, has which device: the services that pages and API both call.

Each change closes the bindings in force and opens the next; changes happen one at a time, in whatever process. A change
takes its devices' rows of DeviceStatus first and its time after that: the event store holds the same rows while it
looks bindings up, so an event that was received before the change is given to whoever held the device until then.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Max
from django.utils import timezone

from device_gateway.models import Device
from ozone.wire.errors import Conflict
from ozone.wire.times import people_zone
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.statuses.storing import lock_statuses, touch_statuses
from telemetry.visible import find

_TURN: Final = 0x6F7A6F6E65
"""The number of PostgreSQL's lock. SQLite's transactions that write are one at a time by themselves."""


@transaction.atomic
def add_machine(*, fields: Mapping[str, Any]) -> Machine:
    """A machine without a device. Raises NotFound where its outlet was archived meanwhile."""
    _take_turn()
    _check_outlet(fields.get("outlet"))
    return Machine.objects.create(**fields)


@transaction.atomic
def register_machine(*, device: Device, outlet: Outlet, name: str = "") -> Machine:
    """A new machine at the outlet, with the device, which becomes assigned. Raises Conflict where it has a machine."""
    today = timezone.now().astimezone(people_zone()).date()
    machine = add_machine(
        fields={"name": name or f"Machine {device.device_id}", "outlet": outlet, "installed_date": today}
    )
    return assign_device(machine=machine, device=device)


@transaction.atomic
def assign_device(*, machine: Machine, device: Device, move: bool = False) -> Machine:
    """Gives the machine the device, which becomes assigned.

    Raises Conflict where another machine holds the device or the machine has another; with `move` those bindings end.
    """
    machine = current(machine)
    device = find(Device.objects.filter(archived_at=None), device.pk, code="unknown_device")
    holder = Machine.objects.filter(device=device).exclude(pk=machine.pk).first()
    if not move:
        _check_free(device, machine)
    if machine.device_id not in (None, device.pk) and not move:
        raise Conflict("The machine has another device. Unassign that one first.", code="machine_bound")
    if machine.device_id != device.pk:
        if holder is not None:
            holder.device = None
        machine.device = device
        _rebind([other for other in (holder, machine) if other is not None])
    _assign(device)
    return machine


@transaction.atomic
def unassign_device(*, machine: Machine) -> Machine:
    """Takes the device from the machine. It stays assigned: what it sends belongs to no machine."""
    machine = current(machine)
    machine.device = None
    _rebind([machine])
    return machine


@transaction.atomic
def change_machine(*, machine: Machine, fields: Mapping[str, Any]) -> Machine:
    """Sets the given fields, `outlet` among them; another outlet makes a new binding. Raises NotFound, as above."""
    machine = current(machine)
    for name, value in fields.items():
        setattr(machine, name, value)
    machine.save(update_fields=list(fields))
    return machine


@transaction.atomic
def save_bound(machine: Machine, save: Callable[[], None]) -> None:
    """What `Machine.save` does: `save` stores everything but another device or outlet, which make a new binding.

    Raises Conflict where another machine holds the device, NotFound where device or outlet were archived.
    """
    _take_turn()
    device, outlet = machine.device, machine.outlet
    stored = Machine.objects.filter(pk=machine.pk).values_list("device_id", "outlet_id").first()
    held, stood_at = stored or (None, machine.outlet_id)
    if (machine.device_id, machine.outlet_id) == (held, stood_at):
        save()
        return
    machine.device_id, machine.outlet_id = held, stood_at
    save()
    machine.device, machine.outlet = device, outlet
    if machine.outlet_id != stood_at:
        _check_outlet(outlet)
    if device is not None and device.pk != held:
        _check_free(device, machine)
    _rebind([machine])
    if device is not None:
        _assign(device)


@transaction.atomic
def archive_machine(*, machine: Machine) -> None:
    """Out of every list, without its device; its events and statistics stay."""
    machine = current(machine)
    machine.device = None
    machine.archived_at = _rebind([machine])
    machine.save(update_fields=["archived_at"])


@transaction.atomic
def archive_outlet(*, outlet: Outlet) -> None:
    """Out of every list; its machines stay, without an outlet, and come back with it."""
    _take_turn()
    machines = list(outlet.machines.all())  # archived ones, too
    for machine in machines:
        machine.outlet, machine.former_outlet = None, outlet
    outlet.archived_at = _rebind(machines)
    outlet.save(update_fields=["archived_at"])


@transaction.atomic
def restore_machine(*, machine: Machine) -> tuple[Machine, dict[str, str]]:
    """Back in the lists, and from now on with the device that it had when it was archived; why not, by `device_id` and
    `outlet`, for what does not come back. One that is not archived stays as it is."""
    _take_turn()
    machine = Machine.objects.select_related("former_outlet").get(pk=machine.pk)
    if machine.archived_at is None:
        return machine, {}
    machine.device, lacking = returning(machine)
    machine.archived_at = None
    machine.save(update_fields=["archived_at"])
    _rebind([machine])
    return machine, lacking


def returning(machine: Machine) -> tuple[Device | None, dict[str, str]]:
    """The device that an archived machine would have again, and what it would lack, as `restore_machine` says it."""
    lacking = {}
    if machine.outlet_id is None and machine.former_outlet is not None:
        lacking["outlet"] = (
            f"Its outlet, {machine.former_outlet}, is deleted: once that is restored, the machine stands there again."
        )
    last = machine.bindings.filter(deactivated_date=machine.archived_at).select_related("device").first()
    if last is None:
        return None, lacking
    device = last.device
    if holder := Machine.objects.filter(device=device).first():
        lacking["device_id"] = f"{device.device_id}, which it had, is in the machine {holder} now, and stays there."
    elif device.archived_at is not None:
        lacking["device_id"] = f"{device.device_id}, which it had, is archived: restore it, then assign it."
    return (None if "device_id" in lacking else device), lacking


@transaction.atomic
def restore_outlet(*, outlet: Outlet) -> list[Machine]:
    """Back in the lists, and from now on with those of its machines that have got no other outlet meanwhile: these. One
    that is not archived stays as it is."""
    _take_turn()
    outlet = Outlet.objects.get(pk=outlet.pk)
    if outlet.archived_at is None:
        return []
    outlet.archived_at = None
    outlet.save(update_fields=["archived_at"])
    machines = list(outlet.former_machines.filter(outlet=None))
    for machine in machines:
        machine.outlet = outlet
    _rebind(machines)
    return [machine for machine in machines if machine.archived_at is None]


def _take_turn() -> None:
    """Until the end of the transaction nobody else changes a binding, or archives what one points to."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def current(machine: Machine) -> Machine:
    """The machine as it is now, in our turn. Raises NotFound where it was archived."""
    _take_turn()
    return find(Machine.objects.filter(archived_at=None), machine.pk, code="unknown_machine")


def _check_outlet(outlet: Outlet | None) -> None:
    if outlet is not None:
        find(Outlet.objects.filter(archived_at=None), outlet.pk, code="unknown_outlet")


def _check_free(device: Device, machine: Machine) -> None:
    find(Device.objects.filter(archived_at=None), device.pk, code="unknown_device")
    holder = Machine.objects.filter(device=device).exclude(pk=machine.pk).first()
    if holder is not None:
        raise Conflict(f"The device is bound to the machine {holder.name!r}. Unassign it first.", code="device_bound")


def _assign(device: Device) -> None:
    if not device.assigned:
        device.assigned = True
        device.save(update_fields=["assigned"])


def _rebind(machines: Sequence[Machine]) -> datetime:
    """Stores the machines' device and outlet: the bindings in force end, and the next begin, at the moment returned."""
    in_force = list(MachineDevice.objects.filter(machine__in=machines, is_active=True))
    held = {machine: machine.device_id for machine in machines if machine.device_id is not None}
    devices = {binding.device_id for binding in in_force} | set(held.values())
    lock_statuses(connection, sorted(devices))
    now = _time_of_change(devices)
    MachineDevice.objects.filter(pk__in=[binding.pk for binding in in_force]).update(
        is_active=False, deactivated_date=now
    )
    Machine.objects.filter(pk__in=[machine.pk for machine in machines]).update(
        device=None
    )  # first of all: one may get another's device
    for machine in machines:
        if machine.outlet_id is not None:
            machine.former_outlet = None
    Machine.objects.bulk_update(machines, ["device", "outlet", "former_outlet"], batch_size=100)
    MachineDevice.objects.bulk_create(
        MachineDevice(machine=machine, device_id=device, outlet_id=machine.outlet_id, assigned_date=now)
        for machine, device in held.items()
    )
    touch_statuses(connection, dict.fromkeys(devices, now))
    return now


def _time_of_change(devices: set[int]) -> datetime:
    """Now, but no earlier than the change before: the clocks of two servers differ."""
    past = MachineDevice.objects.filter(device__in=devices).aggregate(Max("assigned_date"), Max("deactivated_date"))
    return max([timezone.now(), *(moment for moment in past.values() if moment is not None)])
