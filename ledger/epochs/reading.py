"""What histories are made of, as it is stored: presses, known resets, who held the device, closed months."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models import Exists, OuterRef

from device_gateway.models import Device
from ledger.epochs.found import CLEARED, LONG_AGO, RESET, ZERO, Holding, Press, Reset
from ledger.statements.models import Statement
from ledger.statements.months import Month
from ozone.intake.sql import moment, read_moment
from ozone.wire.times import believed
from telemetry.commands.types import CLEARING, type_named
from telemetry.events.storing import BEFORE_REGISTRATION
from telemetry.models import Command, MachineDevice
from telemetry.treatments import COUNTERS, TREATMENTS

_COLUMNS: Final = (
    "id, treatment, counter, count_basic, count_standard, count_premium, occurred_at, received_at, clock_suspect,"
    " device_timestamp, machine_id, outlet_id"
)
_MARGIN: Final = timedelta(days=1)
"""Commands before a moment are read so much farther back, so that they are read once."""
_QUEUED: Final = timedelta(minutes=1)
"""What was stored before another event came at most so much after it."""
MOST_OF_A_MOMENT: Final = 5_000
"""Events of one told time that are looked at, the first that were stored; and of those of whose time nobody knows more,
beyond a step's own. No machine is pressed as often in a second: whoever tells more means harm, or has a clock that
stands still, and every press after it would have all of them read again."""
_EVENTS: Final = f"SELECT {_COLUMNS} FROM telemetry_telemetryevent WHERE device_id = %s"


class Told(NamedTuple):
    """An event that bears on counters. `zeros`: the treatments whose counters it told as 0, at its own time."""

    at: datetime
    order: int
    treatment: str | None
    number: int | None
    is_dated: bool
    received_at: datetime
    zeros: tuple[str, ...]
    machine: int | None
    outlet: int | None


class DeviceFacts:
    """What is known of a device beside its events."""

    def __init__(self, device: int, registered_at: datetime) -> None:
        self.device = device
        self.dated_since = registered_at - BEFORE_REGISTRATION
        """Whatever says that it happened before has a clock that was never set."""
        self.holdings = _holdings(device)
        self._commands: list[tuple[str, Reset]] = []
        self._since: datetime | None = None
        self._last_of_crowds: dict[Any, int] = {}

    def resets(self, treatment: str, since: datetime) -> list[Reset]:
        """As commands tell of them, from then on."""
        if self._since is None or since < self._since:
            self._since = max(since, LONG_AGO + _MARGIN) - _MARGIN
            self._commands = _commands(self.device, self._since)
        return [reset for name, reset in self._commands if name == treatment and reset.at >= since]

    def crowds(self, since: datetime, until: datetime | None) -> dict[Any, int]:
        """Of the moments in [since, until) of which more is told than is looked at, the last event that is. Moments are
        as the database has them."""
        beyond = _nth(self, "occurred_at", ">= %s", since, MOST_OF_A_MOMENT)
        if beyond is None or (until is not None and beyond >= until):
            return {}
        span = [moment(connection, since), *([moment(connection, until)] if until is not None else [])]
        of_device = "FROM telemetry_telemetryevent WHERE device_id = %s AND occurred_at"
        before = " AND occurred_at < %s" if until is not None else ""
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT occurred_at {of_device} >= %s{before} GROUP BY occurred_at HAVING COUNT(*) > %s",
                [self.device, *span, MOST_OF_A_MOMENT],
            )
            found = [row[0] for row in cursor.fetchall()]
            for at in found:
                if at not in self._last_of_crowds:
                    place = f"= %s ORDER BY id LIMIT 1 OFFSET {MOST_OF_A_MOMENT - 1}"
                    cursor.execute(f"SELECT id {of_device} {place}", [self.device, at])
                    self._last_of_crowds[at] = cursor.fetchone()[0]
        return {at: self._last_of_crowds[at] for at in found}


def facts_of(device: int) -> DeviceFacts | None:
    """None where there is no such device."""
    registered_at = Device.objects.filter(pk=device).values_list("created_at", flat=True).first()
    return None if registered_at is None else DeviceFacts(device, registered_at)


def _holdings(device: int) -> list[Holding]:
    """By time, each until the next; machines that follow each other at once leave no gap."""
    until_then = MachineDevice.objects.filter(
        machine=OuterRef("machine"), deactivated_date=OuterRef("assigned_date")
    ).exclude(device=device)
    spans = MachineDevice.objects.filter(device=device).annotate(is_swap=Exists(until_then))
    columns = ("machine_id", "assigned_date", "deactivated_date", "is_swap")
    found: list[Holding] = []
    for machine, start, end, is_swap in spans.order_by("assigned_date", "id").values_list(*columns):
        if found and found[-1].since == start:
            found.pop()
        found.append(Holding(start, machine, is_swap))
        if end is not None:
            found.append(Holding(end, None))
    return [held for place, held in enumerate(found) if place == 0 or held.machine != found[place - 1].machine]


def _commands(device: int, since: datetime) -> list[tuple[str, Reset]]:
    columns = ("pk", "command_type", "status", "executed_at", "sent_at", "counters")
    executed = Command.objects.filter(device=device, executed_at__gte=since, counters__isnull=False)
    cleared = Command.objects.filter(device=device, command_type__in=CLEARING, sent_at__gte=since)
    found = []
    for pk, kind, status, executed_at, _, counters in executed.order_by().values_list(*columns):
        is_reset = status == Command.Status.EXECUTED and type_named(kind).resets_counters
        for treatment, name in zip(TREATMENTS, COUNTERS, strict=True):
            if is_reset:
                found.append((treatment, Reset(executed_at, RESET, counters.get(name, 0), pk)))
            elif counters.get(name) == 0:
                found.append((treatment, Reset(executed_at, ZERO, 0, pk)))
    for pk, _, _, _, sent_at, _ in cleared.order_by().values_list(*columns):
        found += [(treatment, Reset(sent_at, CLEARED, None, pk)) for treatment in TREATMENTS]
    return sorted(found, key=lambda one: one[1].at)


def read_events(facts: DeviceFacts, since: datetime, until: datetime | None) -> list[Told]:
    """Those that happened in [since, until), and those of whose time nobody knows more that came before, or before the
    last of them did: `placed` tells them apart."""
    first = max(since, facts.dated_since)
    rows = _select(facts, "occurred_at", first, until, crowds=facts.crowds(first, until))
    dated = [_told(facts, row) for row in rows]
    lost = read_lost(facts, since, until and max(until, came_last(dated)))
    return list({told.order: told for told in (*dated, *lost)}.values())


def came_last(events: Iterable[Told]) -> datetime:
    """When whatever was stored before one of them had come; of those whose time is known: they alone say when others
    were pressed."""
    return max((told.received_at for told in events if told.is_dated), default=LONG_AGO) + _QUEUED


def read_lost(facts: DeviceFacts, since: datetime, until: datetime | None) -> list[Told]:
    """Those that came in [since, until), of whose time nobody knows more."""
    if until is not None:
        beyond = _nth(facts, "received_at", ">= %s AND clock_suspect", since, 2 * MOST_OF_A_MOMENT)
        until = min(until, beyond) if beyond is not None and beyond > since else until
    unknown = " AND clock_suspect AND (occurred_at < %s OR occurred_at = received_at)"
    return [_told(facts, row) for row in _select(facts, "received_at", since, until, unknown, facts.dated_since)]


def read_between(facts: DeviceFacts, treatment: str, since: datetime, until: datetime) -> list[Told]:
    """Those in [since, until) that bear on one treatment: its presses, and what told its counter as 0; of zeros after
    each other the first, for one that is seldom chosen is told as 0 with every press of the others, for months."""
    lost = _select(
        facts, "received_at", since, until, " AND clock_suspect AND occurred_at < %s AND treatment = %s",
        facts.dated_since, treatment,
    )  # fmt: skip
    zero = f"count_{COUNTERS[TREATMENTS.index(treatment)]} = 0"
    found: list[Told] = []
    first = max(since, facts.dated_since)
    crowds = facts.crowds(first, until)
    for form in (_first_zeros(treatment), "{}"):
        rows = _select(
            facts, "occurred_at", first, until, f" AND (treatment = %s OR {zero})", treatment, form=form, crowds=crowds
        )
        found = [_told(facts, row) for row in (*rows, *lost)]
        if all(told.is_dated for told in found if told.treatment == treatment):
            break  # else one of them may belong between two of the zeros
    return found


def _first_zeros(treatment: str) -> str:
    """A query of such events without those that tell a 0 just after another that surely tells one."""
    counts = " ".join(f"WHEN '{name}' THEN count_{column}" for name, column in zip(TREATMENTS, COUNTERS, strict=True))
    is_own = f"treatment IS NULL OR counter = CASE treatment {counts} END"
    is_dated = "NOT clock_suspect AND (occurred_at <> received_at OR device_timestamp IS NULL)"
    tells = f"CASE WHEN treatment = '{treatment}' THEN 0 WHEN ({is_own}) AND {is_dated} THEN 1 ELSE 0 END"
    before = f"LAG({tells}, 1, 0) OVER (ORDER BY occurred_at, id) AS before"
    inner = f"SELECT {_COLUMNS}, {before} FROM ({{}}) AS bearing"
    return f"SELECT {_COLUMNS} FROM ({inner}) AS told WHERE treatment = '{treatment}' OR before = 0"


def told_zero_before(facts: DeviceFacts, treatment: str, before: datetime) -> Reset | None:
    """Whether the counter was 0 at any time before."""
    zero = f"count_{COUNTERS[TREATMENTS.index(treatment)]} = 0"
    rows = _select(facts, "occurred_at", facts.dated_since, before, f" AND {zero} ORDER BY occurred_at DESC LIMIT 1")
    resets = zeros_of((_told(facts, row) for row in rows), treatment)
    return resets[0] if resets else None


def nth_after(facts: DeviceFacts, since: datetime, number: int) -> datetime | None:
    """The time of the event so many places on, or of the first after `since` where more than that are of its time;
    None where there are fewer."""
    found = []
    for column, first, more in (
        ("occurred_at", max(since, facts.dated_since), ""),
        ("received_at", since, " AND clock_suspect"),
    ):
        at = _nth(facts, column, f">= %s{more}", first, number)
        if at is not None and at <= since:
            at = _nth(facts, column, f"> %s{more}", since, 0)
        found.append(at)
    return min((at for at in found if at is not None), default=None)


def _nth(facts: DeviceFacts, column: str, condition: str, since: datetime, number: int) -> datetime | None:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {column} FROM telemetry_telemetryevent WHERE device_id = %s AND {column} {condition}"
            f" ORDER BY {column} LIMIT 1 OFFSET {number}",
            [facts.device, moment(connection, since)],
        )
        row = cursor.fetchone()
    return read_moment(row[0]) if row else None


def latest_presses(facts: DeviceFacts, treatment: str, before: datetime, number: int) -> list[Told]:
    """So many of a treatment's dated presses before a moment, the latest first."""
    order = f" AND treatment = %s ORDER BY occurred_at DESC, id DESC LIMIT {number}"
    crowds: dict[Any, int] = {}
    while True:
        rows = _select(facts, "occurred_at", facts.dated_since, before, order, treatment, crowds=crowds)
        found = [_told(facts, row) for row in rows]
        more = facts.crowds(found[-1].at, before) if found else {}
        if more.keys() <= crowds.keys():
            return [told for told in found if told.is_dated]
        crowds |= more


def zeros_of(events: Iterable[Told], treatment: str) -> list[Reset]:
    """What the device itself told: before the presses of the same second, for no more is known."""
    return [Reset(told.at, ZERO, 0, is_exact=True) for told in events if treatment in told.zeros and told.is_dated]


def presses_of(events: Iterable[Told], closed: "ClosedMonths") -> list[Press]:
    return [
        Press(
            told.at, told.order, told.number, told.is_dated, told.machine, told.outlet,
            closed.has(told.outlet, told.at, told.received_at),
        )
        for told in events
        if told.number is not None
    ]  # fmt: skip


class ClosedMonths:
    """When the statements of some outlets were closed."""

    def __init__(self, outlets: Collection[int]) -> None:
        rows = Statement.objects.filter(outlet__in=outlets) if outlets else Statement.objects.none()
        self._closed = {
            (outlet, Month.of(month)): at for outlet, month, at in rows.values_list("outlet_id", "month", "closed_at")
        }

    def has(self, outlet: int | None, at: datetime, received_at: datetime) -> bool:
        """Whether the month of `at` was closed there before the press was received."""
        if not self._closed or outlet is None:
            return False
        closed_at = self._closed.get((outlet, Month.at(at)))
        return closed_at is not None and received_at > closed_at


def _select(
    facts: DeviceFacts,
    column: str,
    since: datetime,
    until: datetime | None,
    more: str = "",
    *values: Any,
    form: str = "{}",
    crowds: Mapping[Any, int] = MappingProxyType({}),
) -> list[tuple[Any, ...]]:
    span = f" AND {column} >= %s" + (f" AND {column} < %s" if until is not None else "")
    ends = [moment(connection, since), *([moment(connection, until)] if until is not None else [])]
    span += f" AND ({column} <> %s OR id <= %s)" * len(crowds)
    ends += chain.from_iterable(crowds.items())
    given = [moment(connection, value) if isinstance(value, datetime) else value for value in values]
    with connection.cursor() as cursor:
        cursor.execute(form.format(f"{_EVENTS}{span}{more}"), [facts.device, *ends, *given])
        return cursor.fetchall()


def placed(events: Iterable[Told]) -> list[Told]:
    """Presses of one treatment by time, then as told.

    What has no time of its own was pressed before whatever was told after it: a device's queue is first in, first out.
    A press that tells an earlier time than one before it is late, and says nothing of the others.
    """
    found = sorted(events, key=attrgetter("order"))
    newest, bounds = LONG_AGO, []
    for told in found:
        is_newest = told.is_dated and told.at >= newest
        newest = told.at if is_newest else newest
        bounds.append(told.at if is_newest else None)
    put, bound = [], None
    for told, at in zip(reversed(found), reversed(bounds), strict=True):
        bound = at or bound
        put.append(told if told.is_dated or bound is None or told.at < bound else told._replace(at=bound))
    return sorted(put, key=attrgetter("at", "order"))


def _told(facts: DeviceFacts, row: tuple[Any, ...]) -> Told:
    pk, treatment, number, basic, standard, premium, occurred, received, is_suspect, words, machine, outlet = row
    occurred_at, received_at = read_moment(occurred), read_moment(received)
    assert occurred_at is not None and received_at is not None
    is_lost = is_suspect and occurred_at < facts.dated_since
    # What has its arrival for its time, be it because an operator redated it, does not tell when it was pressed.
    is_arrival = words is not None and occurred_at == received_at and believed(words, received_at).moment != occurred_at
    is_dated = not is_lost and not is_arrival
    zeros: tuple[str, ...] = ()
    if 0 in (basic, standard, premium):
        counts = dict(zip(TREATMENTS, (basic, standard, premium), strict=True))
        if treatment is None or counts[treatment] == number:  # else it tells of another moment
            zeros = tuple(name for name, count in counts.items() if count == 0 and name != treatment)
    return Told(
        received_at if is_lost else occurred_at,
        pk, treatment, number, is_dated, received_at, zeros, machine, outlet,
    )  # fmt: skip
