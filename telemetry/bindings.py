"""Which machine, at which outlet, has which device: the services that pages and API both call.

Each change closes the binding that was in force and opens the next. It takes the devices' rows of DeviceStatus first
and its time after that: the event store holds the same rows while it looks bindings up, so an event that was received
before the change is given to whoever held the device until then.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from device_gateway.models import Device
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.storing import lock_statuses
from wire.errors import Conflict


@transaction.atomic
def register_machine(*, device: Device, outlet: Outlet, name: str = "") -> Machine:
    """A new machine at the outlet, with the device, which becomes assigned. Raises Conflict where it has one."""
    machine = Machine.objects.create(
        name=name or f"Machine {device.device_id}", outlet=outlet, installed_date=timezone.now().date()
    )
    return assign_device(machine=machine, device=device)


@transaction.atomic
def assign_device(*, machine: Machine, device: Device, move: bool = False) -> Machine:
    """Gives the machine the device, which becomes assigned.

    Raises Conflict where another machine holds the device or the machine has another; with `move` those end.
    """
    machine, now = _locked(machine, device)
    if machine.device_id == device.pk:
        return machine
    holder = Machine.objects.filter(device=device).first()
    if not move and holder is not None:
        raise Conflict(f"The device is bound to the machine {holder.name!r}. Unassign it first.", code="device_bound")
    if not move and machine.device_id is not None:
        raise Conflict("The machine has another device. Unassign that one first.", code="machine_bound")
    for other in filter(None, (holder, machine)):
        _close(other, now)
    machine.device = device
    machine.save(update_fields=["device"])
    _open(machine, device, now)
    if not device.assigned:
        device.assigned = True
        device.save(update_fields=["assigned"])
    return machine


@transaction.atomic
def unassign_device(*, machine: Machine) -> Machine:
    """Takes the device from the machine. It stays assigned: what it sends belongs to no machine."""
    machine, now = _locked(machine)
    _close(machine, now)
    return machine


@transaction.atomic
def change_machine(*, machine: Machine, fields: Mapping[str, Any]) -> Machine:
    """Sets the given fields; another outlet makes a new binding."""
    machine, now = _locked(machine)
    moves = "outlet" in fields and fields["outlet"] != machine.outlet
    device = machine.device
    if moves and device is not None:
        _close(machine, now)
    for name, value in fields.items():
        setattr(machine, name, value)
    machine.device = device
    machine.save()
    if moves and device is not None:
        _open(machine, device, now)
    return machine


@transaction.atomic
def archive_machine(*, machine: Machine) -> None:
    """Out of every list, without its device; its events and statistics stay."""
    machine, now = _locked(machine)
    _close(machine, now)
    machine.archived_at = now
    machine.save(update_fields=["archived_at"])


@transaction.atomic
def archive_outlet(*, outlet: Outlet) -> None:
    """Out of every list; its machines stay, without an outlet."""
    for machine in outlet.machines.filter(archived_at=None).order_by("pk"):
        change_machine(machine=machine, fields={"outlet": None})
    outlet.archived_at = timezone.now()
    outlet.save(update_fields=["archived_at"])


def _locked(machine: Machine, *devices: Device) -> tuple[Machine, datetime]:
    """The machine as it is now, locked with its device and the others; and the time of the change."""
    machine = Machine.objects.select_for_update(of=("self",)).get(pk=machine.pk)
    _lock({device.pk for device in devices} | ({machine.device_id} if machine.device_id else set()))
    return machine, timezone.now()


def _lock(devices: Iterable[int]) -> None:
    lock_statuses(connection, sorted(devices))


def _close(machine: Machine, now: datetime) -> None:
    MachineDevice.objects.filter(machine=machine, is_active=True).update(is_active=False, deactivated_date=now)
    machine.device = None
    machine.save(update_fields=["device"])


def _open(machine: Machine, device: Device, now: datetime) -> None:
    MachineDevice.objects.create(machine=machine, device=device, outlet=machine.outlet, assigned_date=now)
