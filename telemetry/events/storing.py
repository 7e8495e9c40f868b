"""Storing events: the event, its device's counters and flags, and the counts by hour and day, in one transaction.

The row of DeviceStatus is the lock for all that its device tells: whoever holds it knows the device's counters, its
newest event and its bindings until the commit, in every process.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import Counter

from device_gateway.states import mark_seen
from ozone.intake import write_path
from ozone.intake.sql import BulkInsert, moment, read_moment
from telemetry.events.payloads import TREATMENTS, Counters, Event, Flags, Refused
from telemetry.events.quarantine import keep_refused
from telemetry.figures.rollups import Attribution, Tally

logger = logging.getLogger("telemetry")

EVENTS: Final = "events"
REPEATS: Final = Counter("ozone_event_repeats_total", "Events sent again, by whether they say the same", ["content"])
BEFORE_REGISTRATION: Final = timedelta(days=30)
"""How old a device's first events may be when it is registered."""
FALLS_BACK: Final = timedelta(minutes=10)
"""How far behind an earlier event's time the next one's may be: the queue is first in, first out."""

_insert: Final = BulkInsert(
    "telemetry_telemetryevent",
    {
        "device_id": "bigint",
        "event_id": "text",
        "event": "text",
        "event_type": "text",
        "treatment": "text",
        "counter": "integer",
        "count_basic": "integer",
        "count_standard": "integer",
        "count_premium": "integer",
        "occurred_at": "timestamptz",
        "received_at": "timestamptz",
        "device_timestamp": "text",
        "clock_suspect": "boolean",
        "wifi_status": "text",
        "source": "text",
        "payload": "jsonb",
        "digest": "bigint",
        "machine_id": "bigint",
        "outlet_id": "bigint",
    },
    "ON CONFLICT DO NOTHING",
    returning=("device_id", "event_id"),
)
_STATUS: Final = {
    "device_id": "bigint",
    "current_count_basic": "integer",
    "current_count_standard": "integer",
    "current_count_premium": "integer",
    "counters_at": "timestamptz",
    "newest_ts": "timestamptz",
    "mode": "text",
    "wifi_status": "text",
    "wifi_connected": "boolean",
    "rtc_available": "boolean",
    "sd_card_available": "boolean",
    "uptime_seconds": "bigint",
    "device_timestamp": "text",
    "resets": "integer",
}
_make_status: Final = BulkInsert("telemetry_devicestatus", _STATUS, "ON CONFLICT DO NOTHING")
_save_status: Final = BulkInsert(
    "telemetry_devicestatus",
    _STATUS,
    "ON CONFLICT (device_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _STATUS if column != "device_id"),
)
_SELECT_STATUS: Final = (
    f"SELECT {', '.join(f's.{column}' for column in _STATUS)}, d.created_at FROM telemetry_devicestatus s"
    " JOIN device_gateway_device d ON d.id = s.device_id WHERE s.device_id"
)
_SELECT_BINDINGS: Final = (
    "SELECT device_id, machine_id, outlet_id, assigned_date, deactivated_date FROM telemetry_machinedevice"
    " WHERE device_id"
)
_SQLITE_IN: Final = " IN (SELECT value FROM json_each(%s))"
_POSTGRES_IN: Final = " = ANY(%s)"


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
    flags: list[Any]
    device_timestamp: str
    resets: int
    registered_at: datetime

    def row(self, connection: BaseDatabaseWrapper) -> tuple[Any, ...]:
        return (
            self.device,
            *self.counts,
            moment(connection, self.counters_at),
            moment(connection, self.newest_ts),
            self.mode,
            *self.flags,
            self.device_timestamp,
            self.resets,
        )

    def has_events_after(self, at: datetime | None) -> bool:
        return at is not None and self.newest_ts is not None and at < self.newest_ts

    def doubts(self, event: Event) -> bool:
        """Whether the event's clock is suspect: its time is impossible, or falls back further than a queue explains."""
        if event.told is None:
            return event.words is not None
        if event.told < self.registered_at - BEFORE_REGISTRATION:
            return True
        return self.newest_ts is not None and event.told < self.newest_ts - FALLS_BACK

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
        if event.words:
            self.device_timestamp = event.words[:64]

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
    decided = [keep_refused(arrival.device, arrival.received_at, arrival.refused) for arrival in arrivals]
    mark_seen(connection, ((arrival.device, arrival.received_at) for arrival in arrivals))
    _note_firmware(connection, events)
    return decided


def store_once(connection: BaseDatabaseWrapper, events: Iterable[Event]) -> None:
    """Stores those of the events that are new, in their order, with all that follows from them."""
    once: dict[tuple[int, str], Event] = {}
    for event in events:
        first = once.setdefault((event.device, event.event_id), event)
        if first is not event:
            _note_repeat(event, first.digest)
    statuses = lock_statuses(connection, sorted({event.device for event in once.values()}))
    bindings = Bindings(connection, statuses)
    rows = []
    places: dict[tuple[int, str], tuple[Attribution, datetime, datetime]] = {}
    for key, event in once.items():
        status = statuses[event.device]
        if event.told_again is not None and status.has_events_after(event.told):
            # Daylight saving repeats this local time, and the queue is first in, first out: it is the second one.
            event = once[key] = event._replace(told=event.told_again)
        suspect = status.doubts(event)
        occurred_at = event.told or event.received_at
        at = event.received_at if suspect else occurred_at
        held = bindings.holder(event.device, at)
        places[key] = held, occurred_at, at
        rows.append(
            (
                event.device,
                event.event_id,
                event.event,
                event.event_type,
                event.treatment,
                event.counter,
                *(event.own_counts or (None, None, None)),
                moment(connection, occurred_at),
                moment(connection, event.received_at),
                event.words,
                suspect,
                event.flags.wifi_status,
                event.source,
                event.payload,
                event.digest,
                held.machine or None,
                held.outlet or None,
            )
        )
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
        statuses[event.device].take(event, at)
        changed.add(event.device)
    tally.store(connection)
    save_statuses(connection, [statuses[device] for device in sorted(changed)])
    if len(new) < len(once):
        _note_repeats(connection, [event for key, event in once.items() if key not in new])


def lock_statuses(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, LockedStatus]:
    """The devices' rows of DeviceStatus, locked until the commit; made where there are none. `devices` is sorted."""
    found = _select_statuses(connection, devices)
    if len(found) < len(devices):
        missing = [
            LockedStatus(device, [0, 0, 0], None, None, "", ["", None, None, None, None], "", 0, _NEVER)
            for device in devices
            if device not in found
        ]
        _make_status.run(connection, [status.row(connection) for status in missing])
        found = _select_statuses(connection, devices)
    return found


_NEVER: Final = datetime.fromtimestamp(0, UTC)


def save_statuses(connection: BaseDatabaseWrapper, statuses: Sequence[LockedStatus]) -> None:
    """Writes locked rows back; sorted by device."""
    _save_status.run(connection, [status.row(connection) for status in statuses])


def _select_statuses(connection: BaseDatabaseWrapper, devices: Sequence[int]) -> dict[int, LockedStatus]:
    rows = _select(connection, _SELECT_STATUS, devices, " ORDER BY s.device_id", " FOR UPDATE OF s")
    return {
        row[0]: LockedStatus(
            row[0],
            list(row[1:4]),
            read_moment(row[4]),
            read_moment(row[5]),
            row[6],
            list(row[7:12]),
            row[12],
            row[13],
            read_moment(row[14]),  # type: ignore[arg-type]
        )
        for row in rows
    }


def _select(
    connection: BaseDatabaseWrapper, query: str, devices: Iterable[int], order: str = "", lock: str = ""
) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(query + _SQLITE_IN + order, [json.dumps(list(devices))])
        else:
            cursor.execute(query + _POSTGRES_IN + order + lock, [list(devices)])
        return cursor.fetchall()


class Bindings:
    """Which machine and outlet held which of some devices when."""

    def __init__(self, connection: BaseDatabaseWrapper, devices: Iterable[int]) -> None:
        self._spans: dict[int, list[tuple[datetime, datetime | None, Attribution]]] = {}
        for device, machine, outlet, start, end in _select(connection, _SELECT_BINDINGS, devices):
            span = (read_moment(start), read_moment(end), Attribution(device, machine, outlet or 0))
            self._spans.setdefault(device, []).append(span)  # type: ignore[arg-type]

    def holder(self, device: int, at: datetime) -> Attribution:
        for start, end, held in self._spans.get(device, ()):
            if start <= at and (end is None or at < end):
                return held
        return Attribution(device, 0, 0)


def _note_repeats(connection: BaseDatabaseWrapper, repeats: Sequence[Event]) -> None:
    """Compares what is sent again with what is stored, in one look."""
    keys = {(event.device, event.event_id): event for event in repeats}
    query = (
        "SELECT e.device_id, e.event_id, e.digest FROM telemetry_telemetryevent e JOIN"
        + (
            " (SELECT json_extract(value, '$[0]') AS device, json_extract(value, '$[1]') AS event_id"
            " FROM json_each(%s)) AS k"
            if connection.vendor == "sqlite"
            else " (SELECT (value ->> 0)::bigint AS device, value ->> 1 AS event_id FROM json_array_elements(%s::json)"
            " AS v(value)) AS k"
        )
        + " ON e.device_id = k.device AND e.event_id = k.event_id"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [json.dumps(list(keys))])
        for device, event_id, digest in cursor.fetchall():
            _note_repeat(keys[device, event_id], digest)


def _note_repeat(event: Event, digest: int) -> None:
    same = event.digest == digest
    REPEATS.labels("same" if same else "different").inc()
    if not same:
        logger.warning("events: device %d sends %r again with other content; the first is kept", *event[:2])


def _note_firmware(connection: BaseDatabaseWrapper, events: Iterable[Event]) -> None:
    told = {event.device: event.firmware for event in events if event.firmware is not None}
    with connection.cursor() as cursor:
        for device, firmware in sorted(told.items()):
            cursor.execute("UPDATE device_gateway_device SET firmware = %s WHERE id = %s", [firmware, device])


def register_kinds() -> None:
    write_path.register(EVENTS, store_events)
