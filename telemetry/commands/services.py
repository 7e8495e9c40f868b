"""What operators and devices do to commands. Each function is one transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.db import OperationalError, connection, connections, transaction
from django.db.models import Count, QuerySet

from device_gateway.models import Device
from device_gateway.states import mark_seen
from device_gateway.versions import RegistryVersion
from ozone.intake.pauses import Pauses
from ozone.intake.rows import prepare_insert
from ozone.wire.errors import ApiError, Conflict, Invalid, NotFound
from telemetry.commands.lifecycle import (
    EXECUTED,
    FAILED,
    FINISHED,
    MAX_RETRIES,
    PENDING,
    allows,
    state_at,
    state_is,
)
from telemetry.commands.payloads import Result
from telemetry.commands.polling import pending_commands
from telemetry.commands.types import is_unsafe, type_named, unsafe
from telemetry.commands.waiting import room
from telemetry.models import Bulk, Command
from telemetry.statuses.storing import lock_devices, lock_statuses, save_statuses, touch_statuses
from telemetry.treatments import COUNTERS

MAX_TEXT: Final = 500
MAX_BULK: Final = 1000
"""Commands in one transaction, at most."""


class Created(NamedTuple):
    """What became of a command for several devices: those made, and why the other devices got none."""

    commands: list[Command]
    refused: list[tuple[Device, ApiError]]


def create(*, device: Device, fields: Mapping[str, Any], author: Any, now: datetime) -> Command:
    """A command for one device. Raises Conflict where it is unsafe for its firmware."""
    made = create_for_each(devices=[device], fields=fields, author=author, now=now)
    for _, error in made.refused:
        raise error
    return made.commands[0]


def create_bulk(
    *, devices: Sequence[Device], fields: Mapping[str, Any], author: Any, now: datetime, step: int = MAX_BULK
) -> tuple[Bulk, Created]:
    """As `create_for_each`, of any number of devices: what people see is one bulk, but no transaction is of more than
    `step`. A later one that the busy database refuses leaves the rest of the devices without a command."""
    bulk = Bulk(
        command_type=fields["command_type"],
        description=fields.get("description", ""),
        created_at=now,
        created_by=author,
        number=len(devices),
    )
    made, pauses = Created([], []), Pauses()
    for start in range(0, len(devices), step):
        some = devices[start : start + step]
        try:
            with pauses.step():
                part = create_for_each(devices=some, fields=fields, author=author, now=now, bulk=bulk)
        except OperationalError:
            if start == 0:
                raise
            break
        made.commands.extend(part.commands)
        made.refused.extend(part.refused)
    return bulk, made


def create_for_each(
    *, devices: Sequence[Device], fields: Mapping[str, Any], author: Any, now: datetime, bulk: Bulk | None = None
) -> Created:
    """A command for each of the devices, in their order; waiting polls wake up at the commit.

    `fields`: command_type, priority, payload, description, expires_in_hours, force: whether also those devices get it
    for whose firmware UNSAFE_COMMANDS names it. `bulk`, whose they are, is stored with them.
    """
    rest = dict(fields)
    kind, is_forced = rest["command_type"], rest.pop("force", False)
    rest |= {"is_forced": is_forced, "expires_at": now + timedelta(hours=rest.pop("expires_in_hours"))}
    made = Created([], [])
    for device in devices:  # before the transaction: devices wait for that
        if is_unsafe(kind, device.firmware) and not is_forced:
            made.refused.append((device, unsafe(kind, device.firmware)))
        else:
            made.commands.append(Command(device=device, created_by=author, created_at=now, changed_at=now, **rest))
    store = prepare_insert(made.commands, unique="command_id", late="bulk") if made.commands else None
    with transaction.atomic():
        if bulk is not None:
            for device, error in made.refused:
                bulk.refused.setdefault(error.detail, []).append(device.pk)
            bulk.save()
        if store is not None:
            store(bulk)
            _wake([command.device_id for command in made.commands])
    return made


def _wake(devices: list[int]) -> None:
    RegistryVersion.change_commands()
    transaction.on_commit(lambda: room.wake(devices), robust=True)


def wake_waiting() -> None:
    """Wakes those polls of this process whose devices have a command: another process may have made it."""
    if room.is_empty:
        return
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT DISTINCT device_id FROM telemetry_command WHERE status = 'pending'")
        room.wake(device for (device,) in cursor.fetchall())


def may_retry(command: Command, firmware: str, now: datetime) -> bool:
    """Whether `retry` would do it, for a device with that firmware."""
    return _why_not_again(command, firmware, now) is None


def _why_not_again(command: Command, firmware: str, now: datetime) -> ApiError | None:
    if not allows(command, PENDING, now):
        return Invalid("Only a failed or timed-out command can be retried.", code="not_retriable")
    if command.retry_count >= MAX_RETRIES:
        return Invalid(f"A command can be retried {MAX_RETRIES} times.", code="too_many_retries")
    if is_unsafe(command.command_type, firmware) and not command.is_forced:
        return unsafe(command.command_type, firmware)
    return None


@transaction.atomic
def retry(*, devices: Any, command_id: str, now: datetime) -> Command:
    """A failed or timed-out command once more, for as long as at first. Raises NotFound, Invalid, Conflict."""
    commands = Command.objects.filter(device__in=devices)
    lock_devices(connection, [find_command(commands, command_id).device_id])  # before the command, as in `report`
    command = _locked(commands, command_id)
    if refusal := _why_not_again(command, command.device.firmware, now):
        raise refusal
    if command.executed_at is not None and command.counters is not None:
        touch_statuses(connection, {command.device_id: command.executed_at})  # what it told then is forgotten
    span = command.expires_at - (command.retried_at or command.created_at)
    command.status = PENDING
    command.retry_count += 1
    command.deliveries = 0
    command.retried_at = command.changed_at = now
    command.expires_at = now + span
    command.error_message = command.message = ""
    command.response_data = command.counters = command.executed_at = None
    command.save()
    _wake([command.device_id])
    return command


@transaction.atomic
def cancel(*, devices: Any, command_id: str, now: datetime) -> Command:
    """A pending command is not to be delivered. Raises NotFound, Conflict."""
    command = _locked(Command.objects.filter(device__in=devices), command_id)
    if state_at(command, now) != PENDING:
        raise Conflict("Only a pending command can be cancelled.", code="not_pending")
    command.status = Command.Status.CANCELLED
    command.changed_at = now
    command.save(update_fields=["status", "changed_at"])
    return command


def cancel_pending(*, bulk: Bulk, now: datetime) -> int:
    """Cancels what no device has been given of the bulk: so many. In transactions of at most MAX_BULK."""
    pending = bulk.commands.filter(state_is(PENDING, now)).order_by("pk").select_for_update()
    cancelled = 0
    while True:
        with transaction.atomic():
            found = list(pending.values_list("pk", flat=True)[:MAX_BULK])
            cancelled += Command.objects.filter(pk__in=found).update(status=Command.Status.CANCELLED, changed_at=now)
        if len(found) < MAX_BULK:
            return cancelled


def hand_over(*, old: int, new: int | None, now: datetime) -> None:
    """What is pending for a device that is put away is cancelled. `new`: the device that takes its place and gets those
    of its commands that may be repeated: any other, as CLEAR_MEMORY, was meant for what `old` was. In the transaction
    of the caller, who holds the locks of both."""
    pending = list(Command.objects.filter(state_is(PENDING, now), device=old).order_by("pk").select_for_update())
    if not pending:
        return
    of_old = Command.objects.filter(pk__in=[command.pk for command in pending])
    of_old.update(status=Command.Status.CANCELLED, changed_at=now)
    columns = (
        "command_type",
        "priority",
        "payload",
        "description",
        "created_at",
        "created_by",
        "expires_at",
        "is_forced",
    )
    followed = [
        Command(device_id=new, changed_at=now, **{name: getattr(command, name) for name in columns})
        for command in pending
        if new is not None and type_named(command.command_type).repeatable
    ]
    if new is not None and followed:
        Command.objects.bulk_create(followed)
        _wake([new])


class Reported(NamedTuple):
    """Whether the command succeeded, as first reported; how many others are pending for the device."""

    success: bool
    waiting: int


def report(*, device: int, command_id: str, result: Result, received_at: datetime) -> Reported:
    """What the device made of a command. Runs in the writer's transaction.

    A finished command stays as it is; a timed-out one is finished late. Raises NotFound, Conflict.
    """
    # The device's status first, as for all that it says: a poll beside it has that and then the commands.
    status = lock_statuses(connection, [device])[device]
    command = _locked(Command.objects.filter(device=device), command_id)
    if command.status in FINISHED:
        return _heard(device, command.status == EXECUTED, received_at)
    if not allows(command, EXECUTED, received_at):
        raise Conflict("This command was not delivered.", code="not_delivered")
    command.status = EXECUTED if result.success else FAILED
    command.executed_at = command.changed_at = received_at
    command.response_data = result.response_data
    command.message = result.message[:MAX_TEXT]
    command.error_message = "" if result.success else (result.error_message or result.message)[:MAX_TEXT]
    counters = result.counters
    has_reset = result.success and type_named(command.command_type).resets_counters
    if has_reset and counters is None:
        counters = (0, 0, 0)
    command.counters = counters and dict(zip(COUNTERS, counters, strict=True))
    command.save()
    status.hear(counters, result.flags, received_at, has_reset=has_reset)
    if counters is not None:
        status.touch(received_at)
    save_statuses(connection, [status])
    return _heard(device, result.success, received_at)


def _heard(device: int, success: bool, received_at: datetime) -> Reported:
    mark_seen(connection, [(device, received_at)])
    return Reported(success, pending_commands(connection, [device], received_at).get(device, 0))


def find_command(commands: "QuerySet[Command]", command_id: str) -> Command:
    """The command of that UUID; raises NotFound where it is not among `commands`."""
    try:
        command = commands.filter(command_id=UUID(command_id)).first()
    except ValueError:
        command = None
    if command is None:
        raise NotFound("There is no such command.", code="unknown_command")
    return command


def _locked(commands: "QuerySet[Command]", command_id: str) -> Command:
    return find_command(commands.select_for_update(of=("self",)), command_id)


def statistics(commands: "QuerySet[Command]", now: datetime) -> dict[str, int]:
    """How many of them are in each state."""
    counts = {state: Count("pk", filter=state_is(state, now)) for state in Command.Status.values}
    return dict(commands.order_by().aggregate(**counts))
