"""Storing readings: the two tables of the hot path, each written by one statement for all that came together."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from device_gateway.models import DeviceState, DeviceTelemetry
from device_gateway.readings.payloads import Reading
from device_gateway.states import later
from ozone.intake import write_path
from ozone.intake.sql import BulkInsert, moment

READINGS: Final = "readings"

_insert: Final = BulkInsert(DeviceTelemetry, Reading._fields)
_insert_once: Final = BulkInsert(
    DeviceTelemetry, Reading._fields, "ON CONFLICT DO NOTHING", returning=("device_id", "message_id", "nonce")
)

_LATEST: Final = ("latest_occurred_at", "latest_received_at", "latest_payload")
# The last: it came while the server's clock was ahead.
_NEWER: Final = (
    "t.latest_occurred_at IS NULL OR excluded.latest_occurred_at >= t.latest_occurred_at"
    " OR (excluded.latest_occurred_at IS NOT NULL AND t.latest_received_at > A_MINUTE_AFTER(excluded.last_seen))"
)
_upsert_state: Final = BulkInsert(
    DeviceState,
    ("device_id", "last_seen", *_LATEST),
    # Equal times: the row stored later has the greater id.
    "ON CONFLICT (device_id) DO UPDATE SET"
    f" last_seen = {later('last_seen', 'excluded.last_seen')},"
    + ",".join(f" {column} = CASE WHEN {_NEWER} THEN excluded.{column} ELSE t.{column} END" for column in _LATEST),
)


class Arrival(NamedTuple):
    """One submission: what a device sent in one request, one reading or a batch (also an empty one)."""

    device: int
    received_at: datetime
    readings: Sequence[Reading]


def store_readings(connection: BaseDatabaseWrapper, arrivals: list[Arrival]) -> None:
    """Appends the readings that are new and brings each device's state up to date.

    A reading whose message_id (or nonce) its device has sent before is left out, and cannot become the latest one.
    """
    plain: list[Reading] = []
    marked: dict[tuple[int, str | None, str | None], Reading] = {}
    seen: set[tuple[int, str, bool]] = set()
    for arrival in arrivals:
        for reading in arrival.readings:
            if reading.message_id is None and reading.nonce is None:
                plain.append(reading)
                continue
            marks = {
                (reading.device_id, mark, is_nonce)
                for mark, is_nonce in ((reading.message_id, False), (reading.nonce, True))
                if mark is not None
            }
            if seen.isdisjoint(marks):
                marked[reading.device_id, reading.message_id, reading.nonce] = reading
            seen |= marks
    _insert.run(connection, _rows(connection, plain))
    fresh = plain
    if marked:
        # Sorted: two processes that bring the same ids wait for each other in one order, and never in a circle.
        ordered = [marked[key] for key in sorted(marked, key=lambda key: (key[0], key[1] or "", key[2] or ""))]
        kept = set(_insert_once.run(connection, _rows(connection, ordered)))
        fresh = plain + [
            reading for reading in ordered if (reading.device_id, reading.message_id, reading.nonce) in kept
        ]
    _store_states(connection, arrivals, fresh)


def _rows(connection: BaseDatabaseWrapper, readings: Sequence[Reading]) -> list[tuple[Any, ...]]:
    """The readings as rows of DeviceTelemetry. Those of one batch arrived at one time: it is written out once."""
    written: dict[datetime, Any] = {}
    rows = []
    for device, message_id, nonce, occurred_at, received_at, device_timestamp, payload in readings:
        received = written.get(received_at)
        if received is None:
            received = written[received_at] = moment(connection, received_at)
        happened = received if occurred_at is received_at else moment(connection, occurred_at)
        rows.append((device, message_id, nonce, happened, received, device_timestamp, payload))
    return rows


def _store_states(connection: BaseDatabaseWrapper, arrivals: list[Arrival], fresh: list[Reading]) -> None:
    last_seen: dict[int, datetime] = {}
    for device, received_at, _ in arrivals:
        last_seen[device] = max(received_at, last_seen.get(device, received_at))
    latest: dict[int, Reading] = {}
    for reading in fresh:
        known = latest.get(reading.device_id)
        if known is None or reading.occurred_at >= known.occurred_at:
            latest[reading.device_id] = reading
    rows = []
    for device, seen_at in sorted(last_seen.items()):
        newest = latest.get(device)
        rows.append(
            (
                device,
                moment(connection, seen_at),
                moment(connection, newest.occurred_at) if newest else None,
                moment(connection, newest.received_at) if newest else None,
                newest.payload if newest else None,
            )
        )
    _upsert_state.run(connection, rows)


def register_kind() -> None:
    write_path.register(READINGS, store_readings)
