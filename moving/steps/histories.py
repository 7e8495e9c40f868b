"""Events and readings: each once, dated by the rules for those told here, in steps beside the devices' traffic."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from device_gateway.models import DeviceTelemetry
from device_gateway.readings.payloads import Reading
from device_gateway.readings.storing import store_history
from moving.cells import first, json_object, moment, text, whole
from moving.pace import READ_AT_ONCE, WRITTEN_AT_ONCE, step
from moving.sources import Row, walk
from moving.state import Move, MovedDevice
from ozone.intake.sql import read_moment
from ozone.wire import jsonio
from ozone.wire.times import Told, believed
from telemetry.events.payloads import MAX_EVENT_ID, TREATMENTS, Event
from telemetry.events.storing import Past, find_events, is_suspect
from telemetry.models import DeviceStatus
from telemetry.statuses.payloads import NO_FLAGS, Flags

T = TypeVar("T")

STATUS: Final = "status"
_MAX_WORDS: Final = 64

Progress = Callable[[str, int], None]
"""Told the table and how many rows more are done."""


class Moved(NamedTuple):
    """An event of the source, as it stands here; `device` as the source names it."""

    key: object
    device: MovedDevice
    event: Event

    @property
    def occurred_at(self) -> datetime:
        return self.event.told or self.event.received_at


def move_events(move: Move, progress: Progress) -> None:
    table = move.generation.events
    if table is None:
        return
    for rows in walk(move.source, table, READ_AT_ONCE):
        for moved in _steps(_events(move, table, rows), lambda item: item.device.pk):
            _move_events(move, table, moved)
        progress(table, len(rows))
    if not move.is_dry:
        _keep_newest(move)


def _steps(items: Iterable[T], device: Callable[[T], int]) -> Iterator[list[T]]:
    """What one transaction writes, of few devices, each in the source's order: their rows and those of the indexes lie
    side by side then, and a step writes a third of the pages that it would write in the order of time."""
    in_order = sorted(items, key=device)
    for start in range(0, len(in_order), WRITTEN_AT_ONCE):
        yield in_order[start : start + WRITTEN_AT_ONCE]


def _events(move: Move, table: str, rows: list[Row]) -> Iterator[Moved]:
    counted, key_column = move.table(table), move.key_of(table)
    for row in rows:
        key, inserted = row[key_column], moment(row.get("occurred_at"))
        if move.since is not None and inserted is not None and inserted < move.since:
            continue
        counted.rows += 1
        device = move.device(row.get("device_id"))
        kind = text(first(row, "treatment", "event_type"), 16)
        if device is None:
            move.report.refuse(table, key, f"Its device {row.get('device_id')} is not in the source.")
        elif inserted is None:
            move.report.refuse(table, key, f"Its time {row.get('occurred_at')!r} cannot be read.")
        elif (treatment := kind.upper()) not in TREATMENTS and kind.lower() != STATUS:
            move.report.refuse(table, key, f"{kind!r} is neither a treatment nor a status.")
        else:
            said = treatment if treatment in TREATMENTS else None
            yield Moved(key, device, _event(move, table, key, row, device, said, inserted))


def _event(
    move: Move, table: str, key: object, row: Row, device: MovedDevice, treatment: str | None, inserted: datetime
) -> Event:
    counts = [whole(row.get(f"count_{name}")) for name in ("basic", "standard", "premium")]
    basic, standard, premium = counts
    payload = json_object(row.get("payload"))
    if payload is None:
        move.report.note(table, key, "Its payload is no JSON that can be kept: the event comes without.")
    words = text(row.get("device_timestamp"), _MAX_WORDS) or None
    counter = whole(row.get("counter"))
    if counter is None and treatment is not None:
        counter = counts[TREATMENTS.index(treatment)]
    told_id = text(row.get("event_id"), MAX_EVENT_ID + 1)
    wifi = text(row.get("wifi_status"), 64)
    if len(told_id) > MAX_EVENT_ID:
        move.report.note(table, key, "Its event_id is longer than 128 characters: it gets one of its own.")
    event = Event(
        device_id=device.pk,
        event_id=told_id if 0 < len(told_id) <= MAX_EVENT_ID else f"moved-{move.generation.name}-{key}",
        event="treatment" if treatment else STATUS,
        event_type=treatment or STATUS,
        treatment=treatment,
        counter=counter,
        own_counts=None if basic is None or standard is None or premium is None else (basic, standard, premium),
        told=inserted,
        device_timestamp=words,
        received_at=inserted,
        flags=Flags(wifi_status=wifi) if wifi else NO_FLAGS,
        firmware=None,
        source="device" if told_id else "legacy",
        payload=jsonio.encode(payload).decode() if payload else "{}",
    )
    return _dated(move, device, event)


def _dated(move: Move, device: MovedDevice, event: Event) -> Event:
    """In the second generation the press is what the device's words say, where that is plausible; else the insertion,
    flagged. The first one has kept the time of the press."""
    if move.generation.stamps_on_insertion:
        told = believed(event.device_timestamp, event.received_at, move.zone)
        event = event._replace(told=_after(told, device.newest))
        if is_suspect(event, device.registered_at, device.newest):
            return event._replace(told=None)
    if event.told is not None and (device.newest is None or event.told > device.newest):
        device.newest = event.told
    return event


def _after(told: Told, previous: datetime | None) -> datetime | None:
    """What a local time means that daylight saving repeats: the first, unless that lies before the event before."""
    is_second = told.again is not None and previous is not None and told.moment is not None and told.moment < previous
    return told.again if is_second else told.moment


def _move_events(move: Move, table: str, moved: list[Moved]) -> None:
    connection = connections[DEFAULT_DB_ALIAS]
    counted = move.table(table)
    by_key: dict[tuple[int, str], Moved] = {}
    for item in moved:
        by_key.setdefault((item.event.device_id, item.event.event_id), item)
    presses = {id(item): press for item in moved if (press := _tell(move, item))}
    if move.is_dry:
        new = by_key.keys() - _stored(connection, by_key).keys()
    else:
        past = Past(connection, {key: item.event for key, item in by_key.items()})
        with step():
            new = past.store()
    counted.added += len(new)
    counted.there += len(moved) - len(new)
    if move.is_dry:
        return
    for key, (treatment, occurred_at) in _stored(connection, by_key).items():
        if treatment:
            item = by_key[key]
            is_same = treatment == item.event.treatment and occurred_at == item.occurred_at
            press = presses[id(item)] if is_same else (item.device.name, _local_day(move, occurred_at)[:7], treatment)
            move.report.stored[press] += 1


def _tell(move: Move, item: Moved) -> tuple[str, str, str] | None:
    """Counts it where it is a press: device, month and treatment."""
    treatment = item.event.treatment
    if treatment is None:
        return None
    day = _local_day(move, item.occurred_at)
    press = item.device.name, day[:7], treatment
    move.report.told[press] += 1
    move.report.days[item.device.name, day, treatment] += 1
    return press


def _local_day(move: Move, at: datetime) -> str:
    return at.astimezone(move.zone).date().isoformat()


def _stored(
    connection: BaseDatabaseWrapper, keys: Mapping[tuple[int, str], Moved]
) -> dict[tuple[int, str], tuple[str | None, Any]]:
    """Those of the events that stand here: their treatment, and when they occurred."""
    rows = find_events(connection, keys, ["treatment", "occurred_at"])
    return {(row[0], row[1]): (row[2], read_moment(row[3])) for row in rows}


def _keep_newest(move: Move) -> None:
    """What the devices' clocks have told: whoever falls behind it is suspect, as if it had been told here."""
    for device in move.all_devices():
        if device.newest is not None:
            status, _ = DeviceStatus.objects.get_or_create(device_id=device.pk)
            if status.newest_ts is None or status.newest_ts < device.newest:
                DeviceStatus.objects.filter(pk=status.pk).update(newest_ts=device.newest)


def move_readings(move: Move, progress: Progress) -> None:
    table = move.generation.readings
    if table is None:
        return
    for rows in walk(move.source, table, READ_AT_ONCE):
        for readings in _steps(_readings(move, table, rows), lambda reading: reading.device_id):
            _move_readings(move, table, readings)
        progress(table, len(rows))


def _readings(move: Move, table: str, rows: list[Row]) -> Iterator[Reading]:
    counted, key_column = move.table(table), move.key_of(table)
    for row in rows:
        key, received_at = row[key_column], moment(row.get("received_at"))
        if move.since is not None and received_at is not None and received_at < move.since:
            continue
        counted.rows += 1
        device = move.device(row.get("device_id"))
        payload = json_object(row.get("payload"))
        if device is None:
            move.report.refuse(table, key, f"Its device {row.get('device_id')} is not in the source.")
        elif received_at is None:
            move.report.refuse(table, key, f"Its time {row.get('received_at')!r} cannot be read.")
        elif payload is None:
            move.report.refuse(table, key, "Its payload is no JSON that can be kept.")
        else:
            told = payload.get("timestamp")
            words = told if told is None or isinstance(told, str) else jsonio.encode(told).decode()
            occurred_at = _after(believed(told, received_at, move.zone), device.newest_reading) or received_at
            device.newest_reading = max(occurred_at, device.newest_reading or occurred_at)
            named = f"moved-{move.generation.name}-{key}"
            yield Reading(device.pk, named, None, occurred_at, received_at, words, jsonio.encode(payload).decode())


def _move_readings(move: Move, table: str, readings: list[Reading]) -> None:
    counted = move.table(table)
    there = set(
        DeviceTelemetry.objects.filter(
            device__in={reading.device_id for reading in readings},
            message_id__in=[reading.message_id for reading in readings],
        ).values_list("device_id", "message_id")
    )
    new = [reading for reading in readings if (reading.device_id, reading.message_id) not in there]
    counted.added += len(new)
    counted.there += len(readings) - len(new)
    if new and not move.is_dry:
        with step():
            store_history(connections[DEFAULT_DB_ALIAS], new)
