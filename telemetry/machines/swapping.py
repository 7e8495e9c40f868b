"""Which board a machine holds: the one service for all that change it.

What belongs to the machine stays with it: its owner, its name and place, by choice its commands. The board that goes is
put away: it is a spare until a machine holds it again. Everything that bears on counters is marked by the bindings, so
the ledger begins an epoch where a swap took place.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from device_gateway.models import Device
from ozone.wire.errors import Conflict
from telemetry.commands.services import hand_over
from telemetry.machines.holding import check_outlet, current, rebind
from telemetry.models import Machine, Swap
from telemetry.visible import find

UNDO_HOURS: Final = 24
_SETTINGS: Final = ("name", "location", "notes")


class Keep(NamedTuple):
    """What stays with the machine. `owner` and `settings` (name, location and notes of the board) go over to the new
    board where the old one has any; `pending_commands`: those that may be repeated without harm."""

    owner: bool = True
    settings: bool = True
    pending_commands: bool = False


ALL_BUT_COMMANDS: Final = Keep()
WHAT_STAYS: Final = "Its owner, name and place go over to the new board; commands that wait for it are cancelled."
"""To a person who is asked whether a board is to be swapped so."""


@transaction.atomic
def swap_board(
    *,
    machine: Machine,
    device: Device | None,
    move: bool = False,
    keep: Keep = ALL_BUT_COMMANDS,
    outlet: Mapping[str, Any] | None = None,
    ordered_by: Any = None,
) -> Machine:
    """The machine has the device from now on, or none; a board that goes is put away, without its pending commands.

    `move`: also one that another machine holds, which is without a board then; else that raises Conflict. `outlet`:
    `{"outlet": …}` where the machine goes to another one with it: the old board was never there. Raises NotFound where
    machine, device or outlet were archived.
    """
    machine = current(machine)
    if outlet is not None:
        check_outlet(outlet["outlet"])
        machine.outlet = outlet["outlet"]
    old = machine.device
    holder = None
    if device is not None:
        device = find(Device.objects.filter(archived_at=None), device.pk, code="unknown_device")
        holder = Machine.objects.filter(device=device).exclude(pk=machine.pk).first()
        if holder is not None and not move:
            raise Conflict(
                f"The machine {holder.name!r} holds this device. Say `move` to take it from there.",
                code="held_by_other",
            )
    swap = Swap(machine=machine, old=old, new=device, source=holder, ordered_by=ordered_by)
    if old == device:
        if outlet is not None:
            rebind([machine])
        if device is not None:
            _take_over(device, {})
        return machine
    kept = {} if old is None or device is None else _kept(old, device, keep)
    return _perform(swap, kept, with_commands=keep.pending_commands)


@transaction.atomic
def undo_swap(*, machine: Machine, ordered_by: Any = None) -> Machine:
    """The board that the last swap put away is back, the new one where it was before, with its own settings.

    What was pressed meanwhile stays where it was counted; commands that were cancelled stay so. Raises Conflict where
    there is nothing to undo, where it is too late, or where what would be put back was changed since.
    """
    machine = current(machine)
    swap = machine.swaps.select_related("old", "new", "source").first()
    if swap is None or swap.undoes_id is not None:
        raise Conflict("There is no swap of this machine's board to undo.", code="nothing_to_undo")
    if timezone.now() - swap.at > timedelta(hours=UNDO_HOURS):
        raise Conflict(f"A swap can be undone for {UNDO_HOURS} hours.", code="too_late")
    _check_unchanged(swap, machine)
    back = Swap(machine=machine, old=swap.new, new=swap.old, ordered_by=ordered_by, undoes=swap)
    before = {name: values[0] for name, values in swap.kept.items()}
    return _perform(back, {}, returns_to=swap.source, before=before, with_commands=swap.with_commands)


def may_undo(machine: Machine) -> Swap | None:
    """The swap that `undo_swap` would undo, as far as its row tells."""
    swap = machine.swaps.select_related("old", "new", "ordered_by").first()
    if swap is None or swap.undoes_id is not None or swap.new_id != machine.device_id:
        return None
    return swap if timezone.now() - swap.at <= timedelta(hours=UNDO_HOURS) else None


def _perform(
    swap: Swap,
    kept: Mapping[str, tuple[Any, Any]],
    *,
    returns_to: Machine | None = None,
    before: Mapping[str, Any] | None = None,
    with_commands: bool,
) -> Machine:
    """The change of bindings, then of the boards: a device's status is locked before its own row (LockedStatus).

    `returns_to`: the machine that gets the board that goes; `before`: columns of that board, as they are to be again.
    """
    machine, old, new, source = swap.machine, swap.old, swap.new, swap.source
    if source is not None:
        source.device = None
    machine.device = new
    if returns_to is not None:
        returns_to.device = old
    swap.at = rebind([one for one in (source, machine, returns_to) if one is not None])
    swap.kept = {name: list(values) for name, values in kept.items()}
    swap.with_commands = with_commands and old is not None and new is not None
    swap.save()
    others = [(source, new, None), (returns_to, None, old)]
    Swap.objects.bulk_create(
        Swap(machine=other, old=had, new=has, at=swap.at, ordered_by=swap.ordered_by, source=None if had else machine)
        for other, had, has in others
        if other is not None
    )
    if new is not None:
        _take_over(new, {name: value for name, (_, value) in kept.items()})
    if old is not None:
        if before:
            _set(old, before)
        hand_over(old=old.pk, new=new.pk if new and swap.with_commands else None, now=swap.at)
    return machine


def _kept(old: Device, new: Device, keep: Keep) -> dict[str, tuple[Any, Any]]:
    """By column what the new board has and what it is to have. What the old one lacks the new one keeps."""
    names = [*(["owner_id"] if keep.owner else []), *(_SETTINGS if keep.settings else [])]
    pairs = {name: (getattr(new, name), getattr(old, name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[1] and pair[0] != pair[1]}


def _take_over(device: Device, values: Mapping[str, Any]) -> None:
    """Assigned, which opens its enrolment window, and with these values."""
    changes = {**values, **({} if device.assigned else {"assigned": True})}
    if changes:
        _set(device, changes)


def _set(device: Device, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(device, name, value)
    device.save(update_fields=[name.removesuffix("_id") for name in values])


def _check_unchanged(swap: Swap, machine: Machine) -> None:
    """Whether everything is as the swap left it."""
    new, old, source = swap.new, swap.old, swap.source
    if machine.device_id != swap.new_id:
        raise _changed("The machine has another board since.")
    if old is not None:
        if old.archived_at is not None:
            raise _changed(f"{old.device_id} was archived since. Restore it first.")
        if holder := Machine.objects.filter(device=old).first():
            raise _changed(f"{old.device_id} is in the machine {holder.name!r} now.")
    if source is not None and (source.archived_at is not None or source.device_id is not None):
        raise _changed(f"The machine {source.name!r}, where {new} was, was changed since.")
    owner = (swap.kept.get("owner_id") or [None])[0]
    if owner is not None and not get_user_model().objects.filter(pk=owner).exists():
        raise _changed(f"The person who owned {new} was deleted since.")
    for name, (_, value) in swap.kept.items():
        if getattr(new, name) != value:
            raise _changed(f"The {name.removesuffix('_id')} of {new} was changed since.")


def _changed(detail: str) -> Conflict:
    return Conflict(detail, code="changed_since")
