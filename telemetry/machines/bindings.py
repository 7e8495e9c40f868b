"""Machines and outlets, and what stands where: the services that pages and API both call.

What a binding is stands in `holding`; which board a machine holds is `swapping`'s.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.db import transaction
from django.utils import timezone

from device_gateway.models import Device
from ozone.wire.errors import Conflict
from ozone.wire.times import people_zone
from telemetry.machines.holding import check_free, check_outlet, current, rebind, take_turn
from telemetry.machines.swapping import swap_board
from telemetry.models import Machine, Outlet


@transaction.atomic
def add_machine(*, fields: Mapping[str, Any]) -> Machine:
    """A machine without a device. Raises NotFound where its outlet was archived meanwhile."""
    take_turn()
    check_outlet(fields.get("outlet"))
    return Machine.objects.create(**fields)


@transaction.atomic
def register_machine(*, device: Device, outlet: Outlet, name: str = "", ordered_by: Any = None) -> Machine:
    """A new machine at the outlet, with the device, which becomes assigned. Raises Conflict where it has a machine."""
    today = timezone.now().astimezone(people_zone()).date()
    machine = add_machine(
        fields={"name": name or f"Machine {device.device_id}", "outlet": outlet, "installed_date": today}
    )
    return assign_device(machine=machine, device=device, ordered_by=ordered_by)


@transaction.atomic
def assign_device(
    *,
    machine: Machine,
    device: Device,
    move: bool = False,
    outlet: Mapping[str, Any] | None = None,
    ordered_by: Any = None,
) -> Machine:
    """As `swap_board`, but where another machine holds the device or the machine has another, only with `move`: else
    that raises Conflict."""
    machine = current(machine)
    if not move:
        check_free(device, machine)
        if machine.device_id not in (None, device.pk):
            raise Conflict("The machine has another device. Unassign that one first.", code="machine_bound")
    return swap_board(machine=machine, device=device, move=move, outlet=outlet, ordered_by=ordered_by)


def unassign_device(*, machine: Machine, outlet: Mapping[str, Any] | None = None, ordered_by: Any = None) -> Machine:
    """Takes the device from the machine. It stays assigned: what it sends belongs to no machine."""
    return swap_board(machine=machine, device=None, outlet=outlet, ordered_by=ordered_by)


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
    take_turn()
    device, outlet = machine.device, machine.outlet
    stored = Machine.objects.filter(pk=machine.pk).values_list("device_id", "outlet_id").first()
    held, stood_at = stored or (None, machine.outlet_id)
    moved = {"outlet": outlet} if machine.outlet_id != stood_at else None
    swapped = machine.device_id != held
    machine.device_id, machine.outlet_id = held, stood_at
    save()
    machine.device, machine.outlet = device, outlet
    if swapped:
        if device is not None:
            check_free(device, machine)
        swap_board(machine=machine, device=device, outlet=moved)
    elif moved:
        check_outlet(outlet)
        rebind([machine])


@transaction.atomic
def archive_machine(*, machine: Machine) -> None:
    """Out of every list, without its device; its events and statistics stay."""
    machine = current(machine)
    machine.device = None
    machine.archived_at = rebind([machine])
    machine.save(update_fields=["archived_at"])


@transaction.atomic
def archive_outlet(*, outlet: Outlet) -> None:
    """Out of every list; its machines stay, without an outlet, and come back with it."""
    take_turn()
    machines = list(outlet.machines.all())  # archived ones, too
    for machine in machines:
        machine.outlet, machine.former_outlet = None, outlet
    outlet.archived_at = rebind(machines)
    outlet.save(update_fields=["archived_at"])


@transaction.atomic
def restore_machine(*, machine: Machine) -> tuple[Machine, dict[str, str]]:
    """Back in the lists, and from now on with the device that it had when it was archived; why not, by `device_id` and
    `outlet`, for what does not come back. One that is not archived stays as it is."""
    take_turn()
    machine = Machine.objects.select_related("former_outlet").get(pk=machine.pk)
    if machine.archived_at is None:
        return machine, {}
    machine.device, lacking = returning(machine)
    machine.archived_at = None
    machine.save(update_fields=["archived_at"])
    rebind([machine])
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
    take_turn()
    outlet = Outlet.objects.get(pk=outlet.pk)
    if outlet.archived_at is None:
        return []
    outlet.archived_at = None
    outlet.save(update_fields=["archived_at"])
    machines = list(outlet.former_machines.filter(outlet=None))
    for machine in machines:
        machine.outlet = outlet
    rebind(machines)
    return [machine for machine in machines if machine.archived_at is None]
