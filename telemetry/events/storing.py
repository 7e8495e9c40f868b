"""Storing events: the event, its device's counters and flags, and the counts by hour and day, in one transaction."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import Counter

from device_gateway.states import mark_seen
from ozone.intake.sql import BulkInsert, moment, read_moment, table_of
from telemetry.events.payloads import Event, Refused
from telemetry.events.quarantine import keep_conflicts, keep_refused
from telemetry.figures.rollups import Attribution, Tally
from telemetry.models import TelemetryEvent
from telemetry.statuses.payloads import Flags
from telemetry.statuses.storing import (
    LockedStatus,
    lock_devices,
    lock_statuses,
    registrations,
    save_statuses,
    select_of,
    touch_statuses,
)
from telemetry.treatments import COUNTERS, TREATMENTS

logger = logging.getLogger("telemetry")

Said = tuple[str | None, int | None, str | None]
"""An event's treatment, counter and words for its time (`Event.said`)."""

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


def is_before_its_time(told: datetime, registered_at: datetime) -> bool:
    """As a clock tells that was never set."""
    return told < registered_at - BEFORE_REGISTRATION


def is_suspect(event: Event, registered_at: datetime, newest: datetime | None) -> bool:
    """Contract, 2.1: an impossible time, one long before the device was registered, or one that falls back behind
    `newest`, the latest time that an earlier event has told."""
    if event.told is None:
        return event.device_timestamp is not None
    if is_before_its_time(event.told, registered_at):
        return True
    return newest is not None and event.told < newest - FALLS_BACK


def store_events(connection: BaseDatabaseWrapper, arrivals: list[EventArrival]) -> list[list[bool]]:
    """Stores each event once, however often it was sent. Returns of each arrival which refused ones are decided."""
    events = [event for arrival in arrivals for event in arrival.events]
    if any(arrival.refused for arrival in arrivals):
        # What is refused is noted by several statements, and two processes would wait for each other in a circle.
        lock_statuses(connection, sorted({arrival.device for arrival in arrivals}))
    if events:
        store_once(connection, events)
    decided = [keep_refused(connection, arrival.device, arrival.received_at, arrival.refused) for arrival in arrivals]
    mark_seen(connection, ((arrival.device, arrival.received_at) for arrival in arrivals))
    return decided


class _Placed(NamedTuple):
    """An event with its place: when it occurred, whether that is suspect, and who held its device."""

    event: Event
    occurred_at: datetime
    suspect: bool
    held: Attribution

    @property
    def at(self) -> datetime:
        """When it happened, or arrived if its clock is suspect."""
        return self.event.received_at if self.suspect else self.occurred_at


def store_once(connection: BaseDatabaseWrapper, events: Iterable[Event]) -> None:
    """Stores those of the events that are new, in their order, with all that follows from them."""
    once: dict[tuple[int, str], Event] = {}
    repeats: list[tuple[Event, Said]] = []
    for event in events:
        first = once.setdefault((event.device_id, event.event_id), event)
        if first is not event:
            repeats.append((event, first.said))
    statuses = lock_statuses(connection, sorted({event.device_id for event in once.values()}))
    bindings = Bindings(connection, statuses)
    placed: dict[tuple[int, str], _Placed] = {}
    arrival: tuple[int, datetime] | None = None
    for key, event in once.items():
        status = statuses[event.device_id]
        if arrival != (arrival := (event.device_id, event.received_at)):
            status.believe(event.received_at)
        if event.told_again is not None and status.has_events_after(event.told):
            # Daylight saving repeats this local time, and the queue is first in, first out: it is the second one.
            event = once[key] = event._replace(told=event.told_again)
        suspect = is_suspect(event, status.registered_at, status.newest_ts)
        placed[key] = _place(bindings, event, suspect)
        if not suspect and event.told is not None and (status.newest_ts is None or event.told > status.newest_ts):
            status.newest_ts = event.told
    new = _insert_new(connection, placed)
    touched: dict[int, datetime] = {}
    for key, (event, *_) in placed.items():
        if key in new:
            status = statuses[event.device_id]
            said_at = _said_at(event, status.registered_at)
            touched[event.device_id] = min(said_at, touched.get(event.device_id, said_at))
            _take(status, event, placed[key].at, said_at)
    for device, said_at in touched.items():
        statuses[device].touch(said_at)
    save_statuses(connection, [statuses[device] for device in sorted(touched)])
    if len(new) < len(once):
        known = {key: event for key, event in once.items() if key not in new}
        stored = find_events(connection, known, ["treatment", "counter", "device_timestamp"])
        repeats += [(known[row[0], row[1]], (row[2], row[3], row[4])) for row in stored]
    _note_repeats(connection, repeats)


class Past:
    """Events, by (device, event_id), that were told to another system, which has judged their clocks (one that is
    suspect has no `told`); what they did to their device's counters is past.

    What is written of them is made out beforehand: on SQLite nobody else writes while they are stored.
    """

    def __init__(self, connection: BaseDatabaseWrapper, events: Mapping[tuple[int, str], Event]) -> None:
        self._connection = connection
        self._events = events
        self._devices = sorted({device for device, _ in events})
        self._registered = registrations(connection, self._devices)
        self._bindings = Bindings(connection, self._devices)
        if len(self._registered) == len(self._devices):
            self._make_out()

    def _make_out(self) -> None:
        self._placed = {
            key: _place(self._bindings, event, is_suspect(event, self._registered[event.device_id], None))
            for key, event in self._events.items()
        }
        self._rows = _rows(self._connection, self._placed)
        self._count = _tally(self._placed, self._placed.keys()).prepare(self._connection)
        self._touched = self._touch(self._placed.keys())

    def _touch(self, keys: Collection[tuple[int, str]]) -> dict[int, datetime]:
        """Since when each device's account is to be looked at anew."""
        touched: dict[int, datetime] = {}
        for device, event_id in keys:
            said_at = _said_at(self._events[device, event_id], self._registered[device])
            touched[device] = min(said_at, touched.get(device, said_at))
        return touched

    def store(self) -> set[tuple[int, str]]:
        """Stores those that are new, in their order, with the counts by hour and day, inside the caller's transaction.
        Returns their keys."""
        registered = lock_devices(self._connection, self._devices)
        bindings = Bindings(self._connection, self._devices)
        if (registered, bindings.spans) != (self._registered, self._bindings.spans):  # changed in between
            self._registered, self._bindings = registered, bindings
            self._make_out()
        new = set(_insert.run(self._connection, self._rows))
        if len(new) == len(self._events):
            self._count()
            touch_statuses(self._connection, self._touched)
        elif new:
            _tally(self._placed, new).store(self._connection)
            touch_statuses(self._connection, self._touch(new))
        return new


def _place(bindings: "Bindings", event: Event, suspect: bool) -> _Placed:
    occurred_at = event.told or event.received_at
    held = bindings.holder(event.device_id, event.received_at if suspect else occurred_at)
    return _Placed(event, occurred_at, suspect, held)


def _insert_new(connection: BaseDatabaseWrapper, placed: Mapping[tuple[int, str], _Placed]) -> set[tuple[int, str]]:
    """Inserts and counts what is not there. Returns the keys of that. In the order told: no two processes wait for
    each other's ids, as both would first have locked the device's status."""
    new = set(_insert.run(connection, _rows(connection, placed)))
    _tally(placed, new).store(connection)
    return new


def _rows(connection: BaseDatabaseWrapper, placed: Mapping[tuple[int, str], _Placed]) -> list[tuple[Any, ...]]:
    written: dict[datetime, Any] = {}
    for event, occurred_at, *_ in placed.values():
        for at in (occurred_at, event.received_at):
            if at not in written:
                written[at] = moment(connection, at)
    return [_row(item, written) for item in placed.values()]


def _tally(placed: Mapping[tuple[int, str], _Placed], keys: Collection[tuple[int, str]]) -> Tally:
    """The presses among these keys."""
    tally = Tally()
    for key, (event, occurred_at, _, held) in placed.items():
        if event.treatment is not None and key in keys:
            tally.add(held, event.treatment, occurred_at)
    return tally


def _take(status: LockedStatus, event: Event, at: datetime, said_at: datetime) -> None:
    """What a new event says of its device now. `at` is when it happened, or arrived if its clock is suspect."""
    status.count(_counters(event, status.counts), at)
    status.mode = event.event_type
    status.tell(event.flags, event.firmware, said_at)
    if event.device_timestamp:
        status.device_timestamp = event.device_timestamp[:64]


def _said_at(event: Event, registered_at: datetime) -> datetime:
    """One whose clock falls back may be of an old queue: only what was never set says nothing of when."""
    told = event.told
    return event.received_at if told is None or is_before_its_time(told, registered_at) else told


def _counters(event: Event, counts: Sequence[int]) -> Sequence[int]:
    if event.own_counts is not None:
        return event.own_counts
    if event.treatment is None or event.counter is None:
        return counts
    counts = list(counts)
    counts[TREATMENTS.index(event.treatment)] = event.counter
    return counts


def _row(placed: _Placed, written: Mapping[datetime, Any]) -> tuple[Any, ...]:
    """The columns of `_insert`; `written` has times as the driver takes them."""
    event, occurred_at, suspect, held = placed
    flags = event.flags
    return (
        *_told(event),
        *[flags[place] for place in _flags],
        *(event.own_counts or (None, None, None)),
        written[occurred_at],
        written[event.received_at],
        suspect,
        held.machine_id or None,
        held.outlet_id or None,
    )


class Bindings:
    """Which machine and outlet held which of some devices when: `spans`, by device, with their beginnings and ends."""

    def __init__(self, connection: BaseDatabaseWrapper, devices: Collection[int]) -> None:
        self.spans: dict[int, list[tuple[datetime, datetime | None, Attribution]]] = {}
        for device, machine, outlet, start, end in select_of(connection, _SELECT_BINDINGS, devices):
            span = (read_moment(start), read_moment(end), Attribution(device, machine, outlet or 0))
            self.spans.setdefault(device, []).append(span)  # type: ignore[arg-type]

    def holder(self, device: int, at: datetime) -> Attribution:
        for start, end, held in self.spans.get(device, ()):
            if start <= at and (end is None or at < end):
                return held
        return _nobody(device)


@lru_cache(maxsize=1024)
def _nobody(device: int) -> Attribution:
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


def _note_repeats(connection: BaseDatabaseWrapper, repeats: Sequence[tuple[Event, Said]]) -> None:
    """Events under ids that are stored, and what is stored there. One that says something else is kept aside."""
    conflicts = [(event, first) for event, first in repeats if event.said != first]
    REPEATS.labels("same").inc(len(repeats) - len(conflicts))
    REPEATS.labels("different").inc(len(conflicts))
    told: dict[int, list[str]] = {}
    for event, _ in conflicts:
        told.setdefault(event.device_id, []).append(event.event_id)
    for device, ids in told.items():  # a line for each would take as long as all else
        logger.warning(
            "events: device %d sends %d again with other content, %r first; the second is kept as a conflict",
            device,
            len(ids),
            ids[0],
        )
    if conflicts:
        keep_conflicts(connection, conflicts)
        touch_statuses(connection, {event.device_id: event.received_at for event, _ in reversed(conflicts)})
