"""The tables on a device's page, row by row."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.utils.safestring import SafeString

from device_gateway.models import Credential, Device, DeviceTelemetry, HandshakeAttempt, ProvisioningToken
from device_gateway.readings.queries import readings
from ozone.webapi.paging import fitting
from ozone.wire.times import people_zone
from pages.kit import charts
from telemetry.commands.lifecycle import state_at
from telemetry.events.quarantine import UNDECIDED_FIRST
from telemetry.models import Machine, QuarantinedEvent, TelemetryEvent

EVENTS: Final = 20
READINGS: Final = 10
COMMANDS: Final = 5
REFUSED: Final = 50
BINDINGS: Final = 50
CHARTED: Final = 100
"""Readings in a chart."""
CHARTS: Final = 4
LATE: Final = timedelta(minutes=1)
"""Less than that between what happened and its arrival is not worth a word."""
_WORDS: Final = 160
_BODY: Final = 300


class EventRow(NamedTuple):
    happened: datetime
    arrived_late: datetime | None
    kind: str
    counter: int | None
    basic: int | None
    standard: int | None
    premium: int | None
    is_suspect: bool
    device_timestamp: str
    source: str


class ReadingRow(NamedTuple):
    occurred: datetime
    arrived_late: datetime | None
    words: str


class LatestCommandRow(NamedTuple):
    command_type: str
    priority: str
    state: str
    created: datetime
    sent: datetime | None
    ended: datetime | None
    said: str


class RefusedRow(NamedTuple):
    device_id: str
    number: int
    state: str
    reason: str
    event_id: str
    body: str
    retries: int
    first: datetime
    last: datetime
    may_decide: bool


class AttemptRow(NamedTuple):
    at: datetime
    address: str
    firmware: str
    permitted: bool


class ClaimFacts(NamedTuple):
    """`metadata` is the issuer's, `told` what the device told when it claimed, each in a line."""

    address: str
    notes: str
    metadata: str
    told: str


class DeviceBindingRow(NamedTuple):
    """`machine_pk` and `outlet_pk` where there is a page to go to."""

    machine: str
    machine_pk: int | None
    outlet: str
    outlet_pk: int | None
    since: datetime
    until: datetime | None


def event_row(event: TelemetryEvent) -> EventRow:
    return EventRow(
        event.occurred_at,
        _late(event.occurred_at, event.received_at),
        event.treatment or event.event_type,
        event.counter,
        event.count_basic,
        event.count_standard,
        event.count_premium,
        event.clock_suspect,
        (event.device_timestamp or "")[:64],
        event.source,
    )


def _late(occurred: datetime, received: datetime) -> datetime | None:
    return received if received - occurred >= LATE else None


def last_readings(device: Device) -> list[DeviceTelemetry]:
    """The last to happen first."""
    rows = readings(device, start=None, end=None)
    return list(rows[: fitting(rows, "payload", CHARTED).number])


def reading_rows(found: Sequence[DeviceTelemetry]) -> Iterator[tuple[int, ReadingRow]]:
    for reading in found[:READINGS]:
        late = _late(reading.occurred_at, reading.received_at)
        yield reading.pk, ReadingRow(reading.occurred_at, late, summary(reading.payload))


def summary(payload: Any) -> str:
    """The members of a reading, or of another object, in a line."""
    members = payload.items() if isinstance(payload, dict) else [("", payload)]
    words = ""
    for name, value in members:
        word = f"{name} {_plain(value)}".strip()
        words = f"{words} · {word}" if words else word
        if len(words) > _WORDS:
            return f"{words[:_WORDS]}…"
    return words


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        return f"{value:.6g}"
    return json.dumps(value, ensure_ascii=False)


def reading_charts(found: Sequence[DeviceTelemetry]) -> list[tuple[str, SafeString]]:
    """A chart for each of the first numeric fields of the latest reading, by name."""
    if len(found) < 2 or not isinstance(found[0].payload, dict):
        return []
    oldest_first = found[::-1]
    zone = people_zone()
    labels = tuple(f"{reading.occurred_at.astimezone(zone):%Y-%m-%d %H:%M:%S}" for reading in oldest_first)
    fields = [name for name, value in found[0].payload.items() if _number(value) is not None][:CHARTS]
    values = {name: tuple(_member(reading.payload, name) for reading in oldest_first) for name in fields}
    return [(name[:60], _chart(name[:60], labels, values[name])) for name in fields]


@lru_cache(maxsize=256)
def _chart(field: str, labels: tuple[str, ...], values: tuple[float | None, ...]) -> SafeString:
    title = f"{field} in the last {len(labels)} readings"
    return charts.lines(labels, {field: values}, title=title, height=120, from_zero=False)


def _member(payload: Any, field: str) -> float | None:
    return _number(payload.get(field)) if isinstance(payload, dict) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def commands(device: Device, now: datetime) -> Iterator[tuple[int, LatestCommandRow]]:
    for command in device.commands.order_by("-pk")[:COMMANDS]:
        said = command.error_message or command.message or command.description
        yield (
            command.pk,
            LatestCommandRow(
                command.command_type,
                command.priority,
                state_at(command, now),
                command.created_at,
                command.sent_at,
                command.executed_at,
                said[:_WORDS],
            ),
        )


def refused(device: Device, *, may_write: bool) -> Iterator[tuple[int, RefusedRow]]:
    """Those first that hold up others."""
    for row in device.quarantine.order_by(UNDECIDED_FIRST, "-last_at", "-pk")[:REFUSED]:
        yield (
            row.pk,
            RefusedRow(
                device.device_id or "",
                row.pk,
                row.state,
                row.reason,
                row.event_id,
                row.body if len(row.body) <= _BODY else f"{row.body[:_BODY]}…",
                row.retries,
                row.first_at,
                row.last_at,
                may_write and row.state == QuarantinedEvent.State.OPEN,
            ),
        )


def claim_of(key: Credential | None) -> ClaimFacts | None:
    """The claim that gave this key; None where it came otherwise."""
    token = ProvisioningToken.objects.filter(credential=key).first() if key else None
    if token is None:
        return None
    return ClaimFacts(token.claimed_from, token.notes, summary(token.metadata), summary(token.device_metadata))


def attempts(found: Sequence[HandshakeAttempt]) -> Iterator[tuple[int, AttemptRow]]:
    for attempt in found:
        yield attempt.pk, AttemptRow(attempt.at, attempt.address, attempt.firmware, attempt.permitted)


def bindings(device: Device, machine: Machine | None, actor: Any) -> Iterator[tuple[int, DeviceBindingRow]]:
    """To a person who is not staff a machine is open while it has a device of theirs: the present one is."""
    for binding in device.bindings.select_related("machine", "outlet")[:BINDINGS]:
        held, outlet = binding.machine, binding.outlet
        is_now = machine is not None and held.pk == machine.pk
        at_now = outlet is not None and machine is not None and outlet.pk == machine.outlet_id
        yield (
            binding.pk,
            DeviceBindingRow(
                held.name,
                held.pk if actor.is_staff or is_now else None,
                outlet.name if outlet else "",
                outlet.pk if outlet and (actor.is_staff or at_now) else None,
                binding.assigned_date,
                binding.deactivated_date,
            ),
        )
