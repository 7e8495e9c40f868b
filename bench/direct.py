"""Figure (e): `python -m bench.direct SOURCE` inserts the readings of SOURCE into the database of DATABASE_URL.

The same rows into the same tables and indexes in the same order as (d) stored them, by plain multi-row INSERTs of the
driver: one thread, a statement and a commit for each batch of 1,000, with its device's state as the writer keeps it.
The connection is the one Django opens for the product, so a commit is as durable. No web server, no JSON, no look-ups.
"""

import json
import os
import sys
import time
from typing import Any

import django
import psycopg
from psycopg.types.string import TextLoader

from bench.databases import connect

TELEMETRY = "device_gateway_devicetelemetry"
STATE = "device_gateway_devicestate"

Batch = list[tuple[Any, ...]]


def main() -> None:
    """Read all rows, insert them against the clock, print the result as JSON."""
    columns, batches = _batches(sys.argv[1])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    from django.db import connection  # only usable once Django is set up

    connection.ensure_connection()
    raw: Any = connection.connection
    if connection.vendor == "postgresql":
        # Of psycopg's ways the fastest by far: statements in the server's own form, prepared from their second use.
        raw.prepare_threshold = 1
        cursor, begin, mark = psycopg.RawCursor(raw), "BEGIN", "$%d"
    else:
        cursor, begin, mark = raw.cursor(), "BEGIN IMMEDIATE", "?%d"
    insert = {size: _insert(TELEMETRY, columns, size, mark) for size in {len(batch) for batch in batches}}
    started = time.perf_counter()
    for batch in batches:
        cursor.execute(begin)
        cursor.execute(insert[len(batch)], [value for row in batch for value in row])
        _update_state(cursor, dict(zip(columns, batch[-1], strict=True)), mark)
        cursor.execute("COMMIT")
    seconds = time.perf_counter() - started
    rows = sum(len(batch) for batch in batches)
    print(json.dumps({"rows": rows, "statements": len(batches), "seconds": seconds, "rate": rows / seconds}))


def _batches(url: str) -> tuple[list[str], list[Batch]]:
    """Column names, and the rows of each batch as they came: one device, one instant of arrival."""
    source = connect(url)
    if isinstance(source, psycopg.Connection):
        source.adapters.register_loader("jsonb", TextLoader)  # as text, which is what is inserted
    cursor = source.execute(f"SELECT * FROM {TELEMETRY} ORDER BY id")
    names = [column[0] for column in cursor.description]
    number, device, arrival = names.index("id"), names.index("device_id"), names.index("received_at")
    batches: dict[tuple[Any, Any], Batch] = {}
    for row in cursor:
        batches.setdefault((row[device], row[arrival]), []).append(row[:number] + row[number + 1 :])
    source.close()
    return [name for name in names if name != "id"], list(batches.values())


def _insert(table: str, columns: list[str], rows: int, mark: str) -> str:
    width = len(columns)
    values = ", ".join(f"({', '.join(mark % (row * width + n) for n in range(1, width + 1))})" for row in range(rows))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {values}"


def _update_state(cursor: Any, last: dict[str, Any], mark: str) -> None:
    """The device's state after its batch; all rows of a batch came at one instant, so the last one is the latest."""
    state = {
        "device_id": last["device_id"],
        "last_seen": last["received_at"],
        "latest_occurred_at": last["occurred_at"],
        "latest_received_at": last["received_at"],
        "latest_payload": last["payload"],
    }
    columns = list(state)
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns[1:])
    statement = f"{_insert(STATE, columns, 1, mark)} ON CONFLICT (device_id) DO UPDATE SET {changes}"
    cursor.execute(statement, list(state.values()))


if __name__ == "__main__":
    main()
