"""Storing events: the event, its device's counters and flags, and the counts by hour and day, in one transaction.

The row of DeviceStatus is the lock for all that its device tells: whoever holds it knows the device's counters, its
newest event and its bindings until the commit, in every process.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import Counter

from device_gateway.states import mark_seen
from ozone.intake import write_path
from ozone.intake.sql import BulkInsert, moment, read_moment, table_of, within
from ozone.wire.times import AHEAD
from telemetry.events.payloads import COUNTERS, TREATMENTS, Counters, Event, Flags, Refused
from telemetry.events.quarantine import keep_conflicts, keep_refused
from telemetry.figures.rollups import Attribution, Tally
from telemetry.models import DeviceStatus, TelemetryEvent

logger = logging.getLogger("telemetry")

Said = tuple[str | None, int | None, str | None]
"""An event's treatment, counter and words for its time (`Event.said`)."""

EVENTS: Final = "events"
REPEATS: Final = Counter("ozone_event_repeats_total", "Events sent again, by whether they say the same", ["content"])
BEFORE_REGISTRATION: Final = timedelta(days=30)
"""How old a device's first events may be when it is registered."""
FALLS_BACK: Final = timedelta(minutes=10)
"""How far behind an earlier event's time the next one's may be: the queue is first in, first out."""

_FOUND: Final = (
    *(f"count_{name}" for name in COUNTERS),
    "occurred_at",
    "received_at",
    "clock_suspect",
    "machine_id",
    "outlet_id",
)
"""Columns of an event that are more than what it tells: see `_row`. All others have their names in Event and Flags."""
_KEPT: Final = {field.attname for field in TelemetryEvent._meta.concrete_fields} - {*_FOUND}
_TOLD: Final = tuple(name for name in Event._fields if name in _KEPT)
_FLAGS: Final = tuple(name for name in Flags._fields if name in _KEPT)
_told: Final = itemgetter(*map(Event._fields.index, _TOLD))
_flags: Final = [Flags._fields.index(name) for name in _FLAGS]
_insert: Final = BulkInsert(
    TelemetryEvent, (*_TOLD, *_FLAGS, *_FOUND), "ON CONFLICT DO NOTHING", returning=("device_id", "event_id")
)
_STATUS: Final = (
    "device_id",
    *(f"current_count_{name}" for name in COUNTERS),
    "counters_at",
    "newest_ts",
    "mode",
    "device_timestamp",
    "resets",
    *Flags._fields,
)
"""Columns of DeviceStatus, as LockedStatus has them."""
_make_status: Final = BulkInsert(DeviceStatus, ["device_id"], "ON CONFLICT DO NOTHING")
_save_status: Final = BulkInsert(
    DeviceStatus,
    _STATUS,
    "ON CONFLICT (device_id) DO UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in _STATUS[1:]),
)
_SELECT_STATUS: Final = (
    f"SELECT d.created_at, {', '.join(f's.{column}' for column in _STATUS)} FROM telemetry_devicestatus s"
    " JOIN device_gateway_device d ON d.id = s.device_id WHERE s.device_id"
)
_SELECT_BINDINGS: Final = (
    "SELECT device_id, machine_id, outlet_id, assigned_date, deactivated_date FROM telemetry_machinedevice"
    " WHERE device_id"
)


class EventArrival(NamedTuple):
    """One submission: what a device sent in one request."""

    device: int
    received_at: datetime
    events: Sequence[Event]
    refused: Sequence[Refused] = ()


@dataclass(slots=True)
class LockedStatus:
    """A row of DeviceStatus, locked."""

    device: int
    counts: list[int]
    counters_at: datetime | None
    newest_ts: datetime | None
    mode: str
    device_timestamp: str
    resets: int
    flags: list[Any]
    registered_at: datetime

    def row(self, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
        return (
            self.device,
            *self.counts,
            moment(connection, self.counters_at),
            moment(connection, self.newest_ts),
            self.mode,
            self.device_timestamp,
            self.resets,
            *self.flags,
        )

    def believe(self, now: datetime) -> None:
        """Forgets times that lie ahead of now by more than any that is taken: a clock was wrong that is right again."""
        latest = now + AHEAD
        if self.counters_at is not None and self.counters_at > latest:
            self.counters_at = None
        if self.newest_ts is not None and self.newest_ts > latest:
            self.newest_ts = None

    def has_events_after(self, at: datetime | None) -> bool:
        return at is not None and self.newest_ts is not None and at < self.newest_ts

    def take(self, event: Event, at: datetime) -> None:
        """What a new event says of the device now. `at` is when it happened, or arrived if its clock is suspect."""
        if self.counters_at is None or at >= self.counters_at:
            told = _counters(event, self.counts)
            second = at.replace(microsecond=0)
            # Presses of one second may arrive in either order.
            same = second == self.counters_at
            self.counts = [max(new, old) for new, old in zip(told, self.counts, strict=True)] if same else list(told)
            self._count_from(second)
        self.mode = event.event_type
        self._take_flags(event.flags)
        if event.device_timestamp:
            self.device_timestamp = event.device_timestamp[:64]

    def hear(self, counters: Counters | None, flags: Flags, at: datetime, *, has_reset: bool) -> None:
        """What a device says of itself in a command's result.

        Of these only a reset holds back the events before it: a device whose clock is slow tells its next press with a
        time before its last result.
        """
        if counters is not None:
            self.counts = list(counters)
            if has_reset:
                self.counters_at = at
        self.resets += has_reset
        self._take_flags(flags)

    def _count_from(self, second: datetime) -> None:
        """Whole seconds, as devices tell them: else a press would seem older than a result of the same second.

        Only a reset is kept exactly: what was pressed in its second may have been pressed before it.
        """
        if self.counters_at is None or self.counters_at.replace(microsecond=0) != second:
            self.counters_at = second

    def _take_flags(self, flags: Flags) -> None:
        self.flags = [old if new is None else new for new, old in zip(flags, self.flags, strict=True)]


def is_suspect(event: Event, registered_at: datetime, newest: datetime | None) -> bool:
    """Contract, 2.1: an impossible time, one long before the device was registered, or one that falls back behind
    `newest`, the latest time that an earlier event has told."""
    if event.told is None:
        return event.device_timestamp is not None
    if event.told < registered_at - BEFORE_REGISTRATION:
        return True
    return newest is not None and event.told < newest - FALLS_BACK


def _counters(event: Event, counts: Sequence[int]) -> Sequence[int]:
    if event.own_counts is not None:
        return event.own_counts
    if event.treatment is None or event.counter is None:
        return counts
    place = TREATMENTS.index(event.treatment)
    return [event.counter if index == place else count for index, count in enumerate(counts)]


def store_events(connection: BaseDatabaseWrapper, arrivals: list[EventArrival]) -> list[list[bool]]:
    """Stores each event once, however often it was sent. Returns of each arrival which refused ones are decided."""
    events = [event for arrival in arrivals for event in arrival.events]
    if events:
        store_once(connection, events)
    decided = [keep_refused(connection, arrival.device, arrival.received_at, arrival.refused) for arrival in arrivals]
    mark_seen(connection, ((arrival.device, arrival.received_at) for arrival in arrivals))
    _note_firmware(connection, events)
    return decided


def store_once(
    connection: BaseDatabaseWrapper, events: Iterable[Event], *, is_history: bool = False
) -> set[tuple[int, str]]:
    """Stores those of the events that are new, in their order, with all that follows from them. Returns their keys.

    `is_history`: they were told to another system, which has judged their clocks (one that is suspect has no `told`);
    what they did to their device's counters is past, and so is what was told twice.
    """
    once: dict[tuple[int, str], Event] = {}
    repeats: list[tuple[Event, Said]] = []
    for event in events:
        first = once.setdefault((event.device_id, event.event_id), event)
        if first is not event:
            repeats.append((event, first.said))
    statuses = lock_statuses(connection, sorted({event.device_id for event in once.values()}))
    bindings = Bindings(connection, statuses)
    rows = []
    places: dict[tuple[int, str], tuple[Attribution, datetime, datetime]] = {}
    for key, event in once.items():
        status = statuses[event.device_id]
        status.believe(event.received_at)
        if event.told_again is not None and status.has_events_after(event.told):
            # Daylight saving repeats this local time, and the queue is first in, first out: it is the second one.
            event = once[key] = event._replace(told=event.told_again)
        suspect = is_suspect(event, status.registered_at, None if is_history else status.newest_ts)
        occurred_at = event.told or event.received_at
        at = event.received_at if suspect else occurred_at
        held = bindings.holder(event.device_id, at)
        places[key] = held, occurred_at, at
        rows.append(_row(connection, event, occurred_at, suspect, held))
        if not suspect and event.told is not None and (status.newest_ts is None or event.told > status.newest_ts):
            status.newest_ts = event.told
    # In the order told. No two processes wait for each other's ids: both would first have locked the device's status.
    new = set(_insert.run(connection, rows))
    tally = Tally()
    changed = set()
    for key, event in once.items():
        if key not in new:
            continue
        held, occurred_at, at = places[key]
        if event.treatment is not None:
            tally.add(held, event.treatment, occurred_at)
        if not is_history:
            statuses[event.device_id].take(event, at)
            changed.add(event.device_id)
    tally.store(connection)
    save_statuses(connection, [statuses[device] for device in sorted(changed)])
    if len(new) < len(once) and not is_history:
        known = {key: event for key, event in once.items() if key not in new}
        stored = find_events(connection, known, ["treatment", "counter", "device_timestamp"])
        repeats += [(known[row[0], row[1]], (row[2], row[3], row[4])) for row in stored]
    _note_repeats(repeats)
    return new


def _row(
    connection: BaseDatabaseWrapper, event: Event, occurred_at: datetime, suspect: bool, held: Attribution
) -> tuple[Any, ...]:
    """The columns of `_insert`."""
    flags = event.flags
    return (
        *_told(event),
        *[flags[place] for place in _flags],
        *(event.own_counts or (None, None, None)),
        moment(connection, occurred_at),
        moment(connection, event.received_at),
        suspect,
        held.machine_id or None,
        held.outlet_id or None,
    )


def lock_statuses(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, LockedStatus]:
    """The devices' rows of DeviceStatus, locked until the commit; made where there are none. `devices` is sorted."""
    found = _select_statuses(connection, devices)
    if len(found) < len(devices):
        _make_status.run(connection, [(device,) for device in devices if device not in found])
        found = _select_statuses(connection, devices)
    return found


def save_statuses(connection: BaseDatabaseWrapper, statuses: Sequence[LockedStatus]) -> None:
    """Writes locked rows back; sorted by device."""
    _save_status.run(connection, [status.row(connection) for status in statuses])


def _select_statuses(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, LockedStatus]:
    rows = _select(connection, _SELECT_STATUS, devices, " ORDER BY s.device_id", " FOR UPDATE OF s")
    return {
        device: LockedStatus(
            device,
            [basic, standard, premium],
            read_moment(counters_at),
            read_moment(newest_ts),
            mode,
            device_timestamp,
            resets,
            flags,
            read_moment(registered_at),  # type: ignore[arg-type]
        )
        for (
            registered_at,
            device,
            basic,
            standard,
            premium,
            counters_at,
            newest_ts,
            mode,
            device_timestamp,
            resets,
            *flags,
        ) in rows
    }


def _select(
    connection: BaseDatabaseWrapper, query: str, devices: Collection[int], order: str = "", lock: str = ""
) -> list[tuple[Any, ...]]:
    among, given = within(connection, devices)
    with connection.cursor() as cursor:
        cursor.execute(f"{query} {among}{order}{'' if connection.vendor == 'sqlite' else lock}", given)
        return cursor.fetchall()


class Bindings:
    """Which machine and outlet held which of some devices when."""

    def __init__(self, connection: BaseDatabaseWrapper, devices: Collection[int]) -> None:
        self._spans: dict[int, list[tuple[datetime, datetime | None, Attribution]]] = {}
        for device, machine, outlet, start, end in _select(connection, _SELECT_BINDINGS, devices):
            span = (read_moment(start), read_moment(end), Attribution(device, machine, outlet or 0))
            self._spans.setdefault(device, []).append(span)  # type: ignore[arg-type]

    def holder(self, device: int, at: datetime) -> Attribution:
        for start, end, held in self._spans.get(device, ()):
            if start <= at and (end is None or at < end):
                return held
        return Attribution(device, 0, 0)


def find_events(
    connection: BaseDatabaseWrapper, keys: Collection[tuple[int, str]], columns: Sequence[str]
) -> list[tuple[Any, ...]]:
    """What is stored under these (device, event_id): device, event_id and `columns`."""
    if not keys:
        return []
    pairs, given = table_of(connection, list(keys))
    wanted = ", ".join(f"e.{name}" for name in ("device_id", "event_id", *columns))
    with connection.cursor() as cursor:
        # Joined: an IN of pairs takes SQLite half as long again.
        cursor.execute(
            f"SELECT {wanted} FROM {pairs} JOIN telemetry_telemetryevent e ON e.device_id = k.a AND e.event_id = k.b",
            given,
        )
        return cursor.fetchall()


def _note_repeats(repeats: Sequence[tuple[Event, Said]]) -> None:
    """Events under ids that are stored, and what is stored there. One that says something else is kept aside."""
    conflicts = [(event, first) for event, first in repeats if event.said != first]
    REPEATS.labels("same").inc(len(repeats) - len(conflicts))
    REPEATS.labels("different").inc(len(conflicts))
    for event, _ in conflicts:
        logger.warning(
            "events: device %d sends %r again with other content; the second is kept as a conflict",
            event.device_id,
            event.event_id,
        )
    keep_conflicts(conflicts)


def _note_firmware(connection: BaseDatabaseWrapper, events: Iterable[Event]) -> None:
    told = {event.device_id: event.firmware for event in events if event.firmware is not None}
    with connection.cursor() as cursor:
        for device, firmware in sorted(told.items()):
            cursor.execute("UPDATE device_gateway_device SET firmware = %s WHERE id = %s", [firmware, device])


def register_kinds() -> None:
    write_path.register(EVENTS, store_events)
