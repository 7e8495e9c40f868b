"""Compares what senders were told with what stands in the database. Reads the tables as they are, without Django."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

import psycopg

from tests.support.meters import Journal, message_id, reading

ROWS = """
    SELECT id, device_id, message_id, nonce, occurred_at, payload FROM device_gateway_devicetelemetry
    WHERE id > {after} ORDER BY id"""
STATES = "SELECT device_id, latest_payload FROM device_gateway_devicestate WHERE latest_payload IS NOT NULL"
MAX_EXAMPLES = 10


class Row(NamedTuple):
    """A stored reading."""

    id: int
    device: int
    message_id: str | None
    nonce: str | None
    occurred_at: Any
    payload: Any


@dataclass
class Verdict:
    """The outcome of a comparison, in readings. Everything from `missing` on must be 0."""

    acknowledged: int = 0
    stored: int = 0
    twice_and_explained: int = 0
    """Without an id, and stored by an attempt that got no reply as well: what the contract allows."""
    unconfirmed: int = 0
    """Stored, but never acknowledged: only where a sender was ended by a problem."""
    missing: int = 0
    duplicated: int = 0
    """More than one row of a reading with a message_id or a nonce."""
    twice_unexplained: int = 0
    torn: int = 0
    """Batches of which a part was stored."""
    altered: int = 0
    stray: int = 0
    """Rows that nobody sent."""
    stale_states: int = 0
    """Devices whose latest reading is not the newest of their rows."""
    examples: list[str] = field(default_factory=list)

    def found(self, what: str, count: int, example: str) -> None:
        setattr(self, what, getattr(self, what) + count)
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(f"{what}: {example}")

    @property
    def faults(self) -> dict[str, int]:
        """What must be 0 and is not."""
        names = ("missing", "duplicated", "twice_unexplained", "torn", "altered", "stray", "stale_states")
        return {name: value for name in names if (value := getattr(self, name))}

    def add(self, other: "Verdict") -> None:
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))
        del self.examples[MAX_EXAMPLES:]


class Database:
    """The database behind DATABASE_URL, read only."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self, after: int = 0) -> Iterator[Row]:
        """Stored readings with a greater id, in order."""
        return (Row(*row) for row in self._read(ROWS.format(after=int(after))))

    def count(self) -> int:
        return int(next(self._read("SELECT count(*) FROM device_gateway_devicetelemetry"))[0])

    def latest(self) -> dict[int, Any]:
        """Each device's latest payload, as its state has it."""
        return {device: _value(payload) for device, payload in self._read(STATES)}

    def is_sound(self) -> bool:
        """Whether SQLite finds its own file in order; PostgreSQL is not asked."""
        return not self._url.startswith("sqlite") or next(self._read("PRAGMA quick_check"))[0] == "ok"

    def _read(self, query: str) -> Iterator[tuple[Any, ...]]:
        if self._url.startswith("sqlite:///"):
            path = self._url.removeprefix("sqlite:///")
            with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as connection:
                yield from connection.execute(query).fetchall()
        else:
            with psycopg.connect(self._url, connect_timeout=5) as connection:
                yield from connection.execute(query.encode()).fetchall()


def compare(journal: Journal, rows: Iterable[Row], latest: dict[int, Any]) -> Verdict:
    """Every entry of the journal against the rows that were stored while it was written."""
    verdict = Verdict(acknowledged=journal.acked)
    times: Counter[tuple[int, int]] = Counter()
    newest: dict[int, tuple[Any, int, Any]] = {}
    unknown = {(entry.device, number) for entry in journal.entries for number in entry.numbers}
    for row in rows:
        verdict.stored += 1
        payload = _value(row.payload)
        number = payload.get("n") if isinstance(payload, dict) else None
        if number is None or (row.device, number) not in unknown:
            verdict.found("stray", 1, f"row {row.id} of device {row.device}: {payload}")
            continue
        expected = reading(number)
        if "message_id" in payload:
            expected["message_id"] = message_id(row.device, number)
        if payload != expected:
            verdict.found("altered", 1, f"row {row.id}: {payload} instead of {expected}")
        times[row.device, number] += 1
        place = (row.occurred_at, row.id, payload)
        if row.device not in newest or place[:2] > newest[row.device][:2]:
            newest[row.device] = place
    for entry in journal.entries:
        found = [times[entry.device, number] for number in entry.numbers]
        where = f"device {entry.device}, readings {entry.first}+{entry.count}: {entry}"
        if len(set(found)) > 1:
            verdict.found("torn", 1, f"{where}, rows {found}")
        if not entry.acked:
            verdict.unconfirmed += sum(found)
        elif 0 in found:
            verdict.found("missing", found.count(0), where)
        extra = max(found) - 1
        if extra > 0 and entry.marked:
            verdict.found("duplicated", entry.count, where)
        elif extra > (entry.unsure if entry.acked else entry.unsure - 1):
            verdict.found("twice_unexplained", entry.count, f"{where}, rows {max(found)}")
        elif extra > 0:
            verdict.twice_and_explained += extra * entry.count
    for device, (_, number, payload) in newest.items():
        if latest.get(device) != payload:
            verdict.found("stale_states", 1, f"device {device}: {latest.get(device)}, newest row {number} {payload}")
    return verdict


def report_of(verdicts: dict[str, Verdict]) -> Iterator[tuple[str, ...]]:
    """Lines of a table: a figure's name, and its value in each verdict."""
    yield ("", *verdicts)
    for item in fields(Verdict):
        if item.name != "examples":
            yield item.name.replace("_", " "), *(f"{getattr(verdict, item.name):,}" for verdict in verdicts.values())


def _value(payload: Any) -> Any:
    return json.loads(payload) if isinstance(payload, str) else payload
