"""Storing readings: the two tables of the hot path, each written by one statement for all that came together."""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import Counter as Metric

from device_gateway.models import DeviceTelemetry
from device_gateway.readings.payloads import MAX_MESSAGE_ID, Reading
from device_gateway.states import Latest, Told, later_of, tell
from ozone.intake import write_path
from ozone.intake.sql import BulkInsert, moment, read_moment, table_of, within
from ozone.wire.conf import options
from ozone.wire.times import AHEAD

logger = logging.getLogger("device_gateway")

READINGS: Final = "readings"
REPEATS: Final = Metric("ozone_reading_repeats_total", "Readings under known ids, by content", ["content"])

_COLUMNS: Final = tuple(name for name in Reading._fields if name != "again")
_insert: Final = BulkInsert(DeviceTelemetry, _COLUMNS)
_insert_plain: Final = BulkInsert(DeviceTelemetry, ("device_id", "occurred_at", "received_at", "payload"))
"""What it does not set is null: each value costs the driver as much as a small column costs the database."""
_insert_once: Final = BulkInsert(
    DeviceTelemetry, _COLUMNS, "ON CONFLICT DO NOTHING", returning=("device_id", "message_id", "nonce")
)


Mark = tuple[int, str, bool]
"""By what a reading is known again: its device, an id, and whether that is a nonce."""


class Known(NamedTuple):
    """A reading that is there."""

    pk: int
    received_at: datetime
    content: str
    is_by_nonce: bool


class Arrival(NamedTuple):
    """One submission: what a device sent in one request, one reading or a batch (also an empty one). Plain readings
    are told by their texts (`Sent`); whoever sends such has no others."""

    device: int
    received_at: datetime
    readings: Sequence[Reading]
    plain: Sequence[str] = ()


def store_readings(connection: BaseDatabaseWrapper, arrivals: list[Arrival]) -> None:
    """Appends the readings that are new, in the order told, and brings each device's state up to date.

    A repeat (same message_id or nonce, same content) is left out, and cannot become the latest one. Under a known id
    with other content it is another reading, stored under an id of its own.
    """
    _insert_plain.run(connection, _plain_rows(connection, arrivals))
    told = [
        Told(device, seen_at=at, latest=Latest(at, at, plain[-1]) if plain else None)
        for device, at, _, plain in arrivals
    ]
    if any(arrival.readings for arrival in arrivals):
        latest = _latest(_store_told(connection, arrivals))
        told += [Told(device, latest=newest) for device, newest in latest.items()]
    tell(connection, told)


def _plain_rows(connection: BaseDatabaseWrapper, arrivals: Iterable[Arrival]) -> list[tuple[Any, ...]]:
    rows = []
    for device, received_at, _, plain in arrivals:
        if plain:
            at = moment(connection, received_at)
            rows += [(device, at, at, text) for text in plain]
    return rows


def _store_told(connection: BaseDatabaseWrapper, arrivals: list[Arrival]) -> list[Reading]:
    """Of those that are not plain, the ones that are new; they are stored."""
    if any(reading.again is not None for arrival in arrivals for reading in arrival.readings):
        arrivals = _in_order(connection, arrivals)
    fresh, unclear = _store_new(connection, [reading for arrival in arrivals for reading in arrival.readings])
    known = _known(connection, unclear) if unclear else {}
    if _forget(connection, known.values(), max(arrival.received_at for arrival in arrivals)):
        stored, unclear = _store_new(connection, unclear)
        fresh += stored
        known = _known(connection, unclear)
    if unclear:
        fresh += _store_others(connection, unclear, known)
    return fresh


def _store_new(connection: BaseDatabaseWrapper, readings: list[Reading]) -> tuple[list[Reading], list[Reading]]:
    """Those that are stored now, and those under ids that were there, or stand among them before."""
    fresh: list[Reading] = []
    unclear: list[Reading] = []
    seen: set[Mark] = set()
    for reading in readings:
        if reading.message_id is None and reading.nonce is None:
            fresh.append(reading)
        elif seen.isdisjoint(marks := _marks(reading)):
            fresh.append(reading)
            seen |= marks
        else:
            unclear.append(reading)
    if seen:
        # By device: two processes that bring the same ids, told in one order, never wait for each other in a circle.
        fresh.sort(key=lambda reading: reading.device_id)
        kept = set(_insert_once.run(connection, _rows(connection, fresh)))
        unclear += [reading for reading in fresh if _marks(reading) and reading[:3] not in kept]
        fresh = [reading for reading in fresh if not _marks(reading) or reading[:3] in kept]
    else:
        _insert.run(connection, _rows(connection, fresh))
    return fresh, unclear


def _in_order(connection: BaseDatabaseWrapper, arrivals: list[Arrival]) -> list[Arrival]:
    """With one meaning of each time: of two, the first one that is not before what the device told before."""
    among, given = within(connection, {arrival.device for arrival in arrivals})
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT device_id, latest_occurred_at FROM device_gateway_devicestate WHERE device_id {among}", given
        )
        newest = {device: read_moment(at) for device, at in cursor.fetchall()}
    dated = []
    for arrival in arrivals:
        readings = []
        before = newest.get(arrival.device)
        if before is not None and before > arrival.received_at + AHEAD:
            before = None  # told while the server's clock was wrong
        for reading in arrival.readings:
            if reading.again is not None and before is not None and reading.occurred_at < before:
                reading = reading._replace(occurred_at=reading.again)
            before = reading.occurred_at if before is None else max(before, reading.occurred_at)
            readings.append(reading)
        newest[arrival.device] = later_of(before, arrival.received_at) if arrival.plain else before
        dated.append(arrival._replace(readings=readings))
    return dated


def store_history(connection: BaseDatabaseWrapper, readings: Sequence[Reading]) -> None:
    """Appends readings that were told to another system, each under a message_id of its own; those that are there
    already are left out. When their devices were last heard is not theirs to say."""
    kept = set(_insert_once.run(connection, _rows(connection, readings)))
    latest = _latest(reading for reading in readings if reading[:3] in kept)
    tell(connection, [Told(device, latest=newest) for device, newest in latest.items()])


def _marks(reading: Reading) -> set[Mark]:
    marks = ((reading.message_id, False), (reading.nonce, True))
    return {(reading.device_id, mark, is_nonce) for mark, is_nonce in marks if mark is not None}


def _known(connection: BaseDatabaseWrapper, unclear: list[Reading]) -> dict[Mark, Known]:
    found = {}
    for column, is_nonce in (("message_id", False), ("nonce", True)):
        keys = {(device, mark) for reading in unclear for device, mark, nonce in _marks(reading) if nonce is is_nonce}
        if not keys:
            continue
        pairs, given = table_of(connection, list(keys))
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT e.device_id, e.{column}, e.id, e.received_at, e.payload FROM {pairs}"
                f" JOIN device_gateway_devicetelemetry e ON e.device_id = k.a AND e.{column} = k.b",
                given,
            )
            for device, mark, pk, received_at, payload in cursor.fetchall():
                at = read_moment(received_at)
                assert at is not None
                found[device, mark, is_nonce] = Known(pk, at, _content(payload), is_nonce)
    return found


def _forget(connection: BaseDatabaseWrapper, known: Iterable[Known], now: datetime) -> bool:
    """Takes the message_id from those that arrived more than MESSAGE_ID_DAYS before `now`; whether there were any. A
    nonce stays: it comes again from somebody who has recorded it."""
    since = now - timedelta(days=options().MESSAGE_ID_DAYS)
    old = [one.pk for one in known if one.received_at < since and not one.is_by_nonce]
    if old:
        among, given = within(connection, old)
        with connection.cursor() as cursor:
            cursor.execute(f"UPDATE device_gateway_devicetelemetry SET message_id = NULL WHERE id {among}", given)
    return bool(old)


def _store_others(connection: BaseDatabaseWrapper, unclear: list[Reading], known: dict[Mark, Known]) -> list[Reading]:
    """Of readings under known ids, those with other content: stored, counted, logged. A repeat of one is none again."""
    others = []
    for reading in unclear:
        content = _content(reading.payload)
        if content not in {known[mark].content for mark in _marks(reading) if mark in known}:
            others.append(_renamed(reading, content))
    REPEATS.labels("same").inc(len(unclear) - len(others))
    if not others:
        return []
    others.sort(key=lambda reading: reading.device_id)
    unique: dict[tuple[Any, ...], Reading] = {}
    for reading in others:
        unique.setdefault(reading[:3], reading)
    kept = set(_insert_once.run(connection, _rows(connection, list(unique.values()))))
    stored = [reading for key, reading in unique.items() if key in kept]
    REPEATS.labels("different").inc(len(stored))
    REPEATS.labels("same").inc(len(others) - len(stored))
    _note_reuse(connection, stored)
    return stored


def _note_reuse(connection: BaseDatabaseWrapper, stored: Sequence[Reading]) -> None:
    tell(connection, [Told(reading.device_id, reused=1, reused_at=reading.received_at) for reading in stored])
    for device, count in sorted(Counter(reading.device_id for reading in stored).items()):
        logger.warning("readings: device %d reuses its ids: %d others are stored all the same", device, count)


def _content(payload: str | dict[str, Any]) -> str:
    """What tells two readings under one id apart: all that they say, in whatever order and spelling, but the id.

    PostgreSQL gives `1e16` back as a whole number, and what is beyond a double's precision with all its digits.
    """
    text = payload if isinstance(payload, str) else json.dumps(payload)
    value = json.loads(text, parse_float=_number, parse_int=_number)
    return json.dumps({name: item for name, item in value.items() if name != "message_id"}, sort_keys=True)


def _number(digits: str) -> int | float:
    if digits.lstrip("-").isdigit() and len(digits) < 19:
        return int(digits)
    number = float(digits)
    return int(number) if number.is_integer() else number


def _renamed(reading: Reading, content: str) -> Reading:
    """Under ids made of the content: when it comes again it is known."""
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    message_id, nonce = reading.message_id, reading.nonce
    if message_id is not None:
        message_id = f"{message_id[: MAX_MESSAGE_ID - 17]}~{digest}"
    if nonce is not None:
        nonce = hashlib.sha256(f"{nonce} {digest}".encode()).hexdigest()[:40]
    return reading._replace(message_id=message_id, nonce=nonce)


def _rows(connection: BaseDatabaseWrapper, readings: Sequence[Reading]) -> list[tuple[Any, ...]]:
    """The readings as rows of DeviceTelemetry. Those of one batch arrived at one time: it is written out once."""
    written: dict[datetime, Any] = {}
    rows = []
    for device, message_id, nonce, occurred_at, received_at, device_timestamp, payload, _ in readings:
        received = written.get(received_at)
        if received is None:
            received = written[received_at] = moment(connection, received_at)
        happened = received if occurred_at is received_at else moment(connection, occurred_at)
        rows.append((device, message_id, nonce, happened, received, device_timestamp, payload))
    return rows


def _latest(readings: Iterable[Reading]) -> dict[int, Latest]:
    """By device; of equal times the one told later."""
    latest: dict[int, Reading] = {}
    for reading in readings:
        known = latest.setdefault(reading.device_id, reading)
        if reading.occurred_at >= known.occurred_at:
            latest[reading.device_id] = reading
    return {device: Latest(one.occurred_at, one.received_at, one.payload) for device, one in latest.items()}


def register_kind() -> None:
    write_path.register(READINGS, store_readings, is_piped=True)
