"""The states of a command: which moves there are, and what its state is at a moment.

A row says what was last done to the command. Time alone does the rest: a command that nobody fetched in time, or that
nobody reported, has timed out whether or not anybody looks (contract, 2.1 and 2.2).
"""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Q

from ozone.wire.conf import options
from telemetry.commands.types import FIRMWARE_TYPES, type_named
from telemetry.models import Command
from telemetry.presence import AHEAD

PENDING, SENT, EXECUTED, FAILED, TIMEOUT, CANCELLED = Command.Status

MOVES: Final[dict[str, frozenset[str]]] = {
    PENDING: frozenset({SENT, CANCELLED, EXECUTED, FAILED}),  # a result only if delivered before; FAILED: unsafe
    SENT: frozenset({SENT, EXECUTED, FAILED, TIMEOUT}),  # SENT again: a repeatable type, delivered once more
    TIMEOUT: frozenset({PENDING, EXECUTED, FAILED}),
    FAILED: frozenset({PENDING}),
    EXECUTED: frozenset(),
    CANCELLED: frozenset(),
}
"""From each state as `state_at` tells it, the states it may move to. Each move is one conditional UPDATE."""

FINISHED: Final = frozenset({EXECUTED, FAILED})

REDELIVERIES: Final = 3
MAX_RETRIES: Final = 3
PRIORITIES: Final = tuple(Command.Priority.values)
"""Most urgent first."""


def state_at(command: Command, now: datetime) -> Command.Status:
    """The command's state."""
    status = Command.Status(command.status)
    if status == PENDING:
        return TIMEOUT if command.expires_at <= now else PENDING
    if status == SENT and is_overdue(command, now):
        may_still_end = may_repeat(command) or type_named(command.command_type).done_after is not None
        return SENT if may_still_end and command.expires_at > now else TIMEOUT
    return status


def state_is(wanted: str, now: datetime) -> Q:
    """The condition on commands that `state_at` would call them `wanted`; test_lifecycle.py holds the two together."""
    kinds = FIRMWARE_TYPES.values()
    may_still_end = Q(expires_at__gt=now) & (
        Q(command_type__in=[kind.name for kind in kinds if kind.repeatable], deliveries__lte=REDELIVERIES)
        | Q(command_type__in=[kind.name for kind in kinds if kind.done_after is not None])
    )
    due = now - timedelta(seconds=options().COMMAND_RESULT_SECONDS)
    is_waited_for = Q(sent_at=None) | Q(sent_at__gt=due, sent_at__lte=now + AHEAD)
    if wanted == PENDING:
        return Q(status=PENDING, expires_at__gt=now)
    if wanted == SENT:
        return Q(status=SENT) & (is_waited_for | may_still_end)
    if wanted == TIMEOUT:
        late = Q(status=SENT) & (Q(sent_at__lte=due) | Q(sent_at__gt=now + AHEAD)) & ~may_still_end
        return Q(status=TIMEOUT) | Q(status=PENDING, expires_at__lte=now) | late
    return Q(status=wanted)


def is_overdue(command: Command, now: datetime) -> bool:
    """Whether a sent command's result should have come."""
    return _was_sent_before(command, now, timedelta(seconds=options().COMMAND_RESULT_SECONDS))


def _was_sent_before(command: Command, now: datetime, span: timedelta) -> bool:
    """At least that long ago; or at a time ahead of now, by a clock that was wrong, which is nothing to wait for."""
    return command.sent_at is not None and not -AHEAD <= now - command.sent_at < span


def may_repeat(command: Command) -> bool:
    """Whether a sent command may be delivered once more without harm."""
    return type_named(command.command_type).repeatable and command.deliveries <= REDELIVERIES


def is_done_by_polling(command: Command, now: datetime) -> bool:
    """Whether a device that polls now has carried out a sent command that it cannot report."""
    done_after = type_named(command.command_type).done_after
    return done_after is not None and _was_sent_before(command, now, done_after)


def allows(command: Command, to: str, now: datetime) -> bool:
    """Whether the command may move to that state."""
    state = state_at(command, now)
    if state == PENDING and to in FINISHED and command.sent_at is None:
        return False  # nobody has been told to do it
    return to in MOVES[state]
