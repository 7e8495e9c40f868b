"""What a poll brings about: `last_poll`, and the commands that are now the device's to do.

A kind of the writer: all polls that came together are one look at their open commands. Most find none.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from device_gateway.models import Device, Enrolment
from device_gateway.states import mark_polled, seats_of
from ozone.intake import Locks, write_path
from ozone.intake.rows import fetch_locked
from ozone.intake.sql import ask, moment, select, within
from telemetry.commands.lifecycle import (
    EXECUTED,
    FAILED,
    PENDING,
    PRIORITIES,
    SENT,
    TIMEOUT,
    is_done_by_polling,
    is_overdue,
    may_repeat,
    state_at,
)
from telemetry.commands.types import is_unsafe, may_be_unsafe, type_named, unsafe
from telemetry.models import Command
from telemetry.statuses.payloads import NO_FLAGS, Flags
from telemetry.statuses.storing import lock_devices, lock_statuses, save_statuses, select_of, touch_statuses

POLLS: Final = "polls"
MOST: Final = 10
"""Commands in one reply: an ESP32 has little memory."""


class Poll(NamedTuple):
    """One look of a request for commands. `seat`: the request's own random number, by which it is known from others of
    its device; `sits_down`: its first look, after which none but a newer request's gets any. `firmware` and `flags`:
    what the device says of itself by it."""

    device: int
    received_at: datetime
    seat: int
    sits_down: bool = True
    firmware: str | None = None
    flags: Flags = NO_FLAGS


def store_polls(connection: BaseDatabaseWrapper, polls: list[Poll]) -> list[list[Command] | None]:
    """For each poll the commands it delivers, now marked sent; None where a newer one has its seat."""
    now = max(poll.received_at for poll in polls)
    commanded = _commanded(connection, polls)
    _note_vitals(connection, polls, commanded)
    by_device: dict[int, list[Command]] = {}
    for command in _open_commands(connection, commanded):
        by_device.setdefault(command.device_id, []).append(command)
    # Only now: who sat down while this waited for the commands' locks is seen.
    new = {poll.device: poll.seat for poll in polls if poll.sits_down}
    seats = _seats(connection, polls, new)
    seated = [poll for poll in polls if poll.seat == seats[poll.device]]
    devices = {poll.device for poll in seated}
    firmwares = _firmwares_to_mind(by_device)
    delivered = {
        device: _deliver(connection, commands, now, firmwares.get(device, ""))
        for device, commands in by_device.items()
        if device in devices
    }
    wiped = [device for device, commands in delivered.items() if _opens_enrolment(commands)]
    if wiped:
        Enrolment.open_windows(wiped, now)
    if cleared := _cleared(delivered, now):
        touch_statuses(connection, cleared)
    mark_polled(connection, [(poll.device, poll.received_at) for poll in seated], new)
    return [delivered.pop(poll.device, []) if poll.seat == seats[poll.device] else None for poll in polls]


def _seats(connection: BaseDatabaseWrapper, polls: Sequence[Poll], new: Mapping[int, int]) -> dict[int, int]:
    """Whose seat it is, by device: of those that sit down now the last one's."""
    waiting = {poll.device: poll.seat for poll in polls if poll.device not in new}
    known = seats_of(connection, sorted(waiting)) if waiting else {}
    return {device: known.get(device) or seat for device, seat in waiting.items()} | dict(new)


def devices_of(connection: BaseDatabaseWrapper, polls: Sequence[Poll]) -> set[int]:
    """Those whose statuses are locked."""
    return {poll.device for poll in _telling(polls)} | _commanded(connection, polls)


def _telling(polls: Sequence[Poll]) -> list[Poll]:
    return [poll for poll in polls if poll.firmware or poll.flags != NO_FLAGS]


def _commanded(connection: BaseDatabaseWrapper, polls: Sequence[Poll]) -> set[int]:
    """Those of the devices that have open commands; nothing is locked, for mostly there are none."""
    query = "SELECT DISTINCT device_id FROM telemetry_command WHERE status IN ('pending', 'sent') AND device_id"
    return {device for (device,) in select_of(connection, query, {poll.device for poll in polls})}


def _note_vitals(connection: BaseDatabaseWrapper, polls: Sequence[Poll], commanded: Collection[int]) -> None:
    """What the devices say of themselves. Locks their statuses, and those of the devices whose commands are locked
    next: a result has them in that order."""
    telling = _telling(polls)
    told = {poll.device for poll in telling}
    if not telling and not commanded:
        return
    statuses = lock_statuses(connection, sorted(told.union(commanded)))
    for poll in telling:
        statuses[poll.device].believe(poll.received_at)
        statuses[poll.device].tell(poll.flags, poll.firmware, poll.received_at)
    save_statuses(connection, [statuses[device] for device in sorted(told)])


def pending_commands(connection: BaseDatabaseWrapper, devices: Collection[int], now: datetime) -> dict[int, int]:
    """How many commands are pending for each of the devices that have any."""
    return ask_pending(connection, devices, now)()


def ask_pending(
    connection: BaseDatabaseWrapper, devices: Collection[int], now: datetime
) -> Callable[[], dict[int, int]]:
    """The same for whoever has more to send before he waits for the number."""
    among, given = within(connection, devices)
    query = (
        # As the index of open commands has it, and then some.
        "SELECT device_id, COUNT(*) FROM telemetry_command WHERE status IN ('pending', 'sent') AND status = 'pending'"
        f" AND expires_at > %s AND device_id {among} GROUP BY device_id"
    )
    asked = ask(connection, query, [moment(connection, now), *given])
    return lambda: dict(asked())


def also_waiting(commands: int) -> dict[str, int]:
    """What a reply to a device has beside where commands wait for it: a poll fetches them."""
    return {"commands": commands} if commands else {}


def _firmwares_to_mind(by_device: Mapping[int, Sequence[Command]]) -> dict[int, str]:
    """The firmware of those devices that have a command which UNSAFE_COMMANDS may speak of; mostly nobody asks."""
    risky = [
        device
        for device, commands in by_device.items()
        if any(may_be_unsafe(command.command_type) and not command.is_forced for command in commands)
    ]
    return dict(Device.objects.filter(pk__in=risky).values_list("pk", "firmware")) if risky else {}


def _opens_enrolment(commands: Sequence[Command]) -> bool:
    return any(type_named(command.command_type).opens_enrolment for command in commands)


def _cleared(delivered: Mapping[int, Sequence[Command]], now: datetime) -> dict[int, datetime]:
    """The devices whose memory is cleared now; those for which it is tried again since the first time."""
    return {
        device: min([now, *(command.sent_at for command in clearing if command.sent_at is not None)])
        for device, commands in delivered.items()
        if (clearing := [command for command in commands if type_named(command.command_type).clears_memory])
    }


def _open_commands(connection: BaseDatabaseWrapper, devices: Collection[int]) -> list[Command]:
    """Pending and sent ones, locked: another process may be asked for the same device at the same moment."""
    if not devices:
        return []
    among, given = within(connection, devices)
    return fetch_locked(Command, f"device_id {among} AND status IN ('pending', 'sent')", given)


def _deliver(
    connection: BaseDatabaseWrapper, commands: Sequence[Command], now: datetime, firmware: str
) -> list[Command]:
    """Moves each of a device's open commands on; those to be delivered, most urgent first.

    One that is unsafe for its firmware fails instead: it may have been another's when the command was made.
    """
    due = []
    for command in commands:
        state = state_at(command, now)
        if state == TIMEOUT:
            _move(connection, command, TIMEOUT, now)
        elif state == SENT and is_done_by_polling(command, now):
            _move(connection, command, EXECUTED, now, executed_at=now)
        elif state == PENDING or (is_overdue(command, now) and may_repeat(command)):
            if is_unsafe(command.command_type, firmware) and not command.is_forced:
                error = unsafe(command.command_type, firmware)
                _move(connection, command, FAILED, now, error_message=f"{error.code}: {error.detail}")
            else:
                due.append(command)
    due.sort(key=lambda command: (PRIORITIES.index(command.priority), command.created_at, command.pk))
    return [
        command
        for command in due[:MOST]
        if _move(connection, command, SENT, now, sent_at=now, deliveries=command.deliveries + 1)
    ]


def _move(connection: BaseDatabaseWrapper, command: Command, to: str, now: datetime, **facts: Any) -> bool:
    """One move, if nobody was quicker."""
    values = {"status": str(to), "changed_at": now, **facts}
    given = [moment(connection, value) if isinstance(value, datetime) else value for value in values.values()]
    moved = select(
        connection,
        f"UPDATE telemetry_command SET {', '.join(f'{name} = %s' for name in values)}"
        " WHERE id = %s AND status = %s AND deliveries = %s RETURNING id",
        [*given, command.pk, command.status, command.deliveries],
    )
    return bool(moved)


def register_kinds() -> None:
    write_path.register(POLLS, store_polls, Locks(lock_devices, devices_of), is_piped=True)
