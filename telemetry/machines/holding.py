"""The bindings in force, and how they change.

Each change closes the bindings in force and opens the next; changes happen one at a time, in whatever process. A change
takes its devices' rows of DeviceStatus first and its time after that: the event store holds the same rows while it
looks bindings up, so an event that was received before the change is given to whoever held the device until then.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Max
from django.utils import timezone

from device_gateway.models import Device
from ozone.wire.errors import Conflict
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.statuses.storing import lock_statuses, touch_statuses
from telemetry.visible import find

_TURN: Final = 0x6F7A6F6E65
"""The number of PostgreSQL's lock. SQLite's transactions that write are one at a time by themselves."""


def take_turn() -> None:
    """Until the end of the transaction nobody else changes a binding, or archives what one points to."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_TURN])


def current(machine: Machine) -> Machine:
    """The machine as it is now, in our turn. Raises NotFound where it was archived."""
    take_turn()
    return find(Machine.objects.filter(archived_at=None), machine.pk, code="unknown_machine")


def check_outlet(outlet: Outlet | None) -> None:
    """Raises NotFound where it was archived."""
    if outlet is not None:
        find(Outlet.objects.filter(archived_at=None), outlet.pk, code="unknown_outlet")


def check_free(device: Device, machine: Machine) -> None:
    """Raises Conflict where another machine holds the device, NotFound where it was archived."""
    find(Device.objects.filter(archived_at=None), device.pk, code="unknown_device")
    holder = Machine.objects.filter(device=device).exclude(pk=machine.pk).first()
    if holder is not None:
        raise Conflict(f"The device is bound to the machine {holder.name!r}. Unassign it first.", code="device_bound")


def rebind(machines: Sequence[Machine]) -> datetime:
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
