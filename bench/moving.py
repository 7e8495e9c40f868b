"""A million events move in while meters send at half of the rate that the server could take: nobody is refused."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import servers
from bench.load import PACED, find_wrk, paced, run_wrk, write_script

EVENTS = 1_000_000
DEVICES = 200
CONNECTIONS = 64
"""Of the load that finds the top rate."""
LONGEST = 1200
"""Seconds after which the load ends by itself."""
_TABLES = (
    "CREATE TABLE telemetry_device (id integer PRIMARY KEY, mac text, device_id text, token text, assigned bool)",
    "CREATE TABLE telemetry_telemetryevent (id integer PRIMARY KEY, device_id text, event_type text, event_id text,"
    " occurred_at text, count_basic integer, payload text)",
    "CREATE TABLE telemetry_machinedevice (id integer PRIMARY KEY, machine_id integer, device_id text)",
)


def measure(folder: Path, *, url: str, events: int = EVENTS) -> dict[str, Any]:
    """A figure. `url`: the database of the product, with the meters that send.

    `seconds`: of the move; `rate`: of readings beside it, and their `share` of the `top_rate`; `p50_ms`, `p99_ms`:
    theirs, `alone_p99_ms` of those before; `refused`: replies that were no 201; `problems`: what the two sides do not
    agree on.
    """
    source = folder / "first-generation.sqlite3"
    _fill(source, events)
    full = write_script(folder, "full", devices=DEVICES, batch=1)
    with servers.product(url) as server:
        top = run_wrk(full, server.port, connections=CONNECTIONS, seconds=5)
        half = paced(full, top.rate / 2)
        alone = run_wrk(half, server.port, connections=PACED, seconds=10)
        began = time.monotonic()
        load = [find_wrk(), "-t1", f"-c{PACED}", f"-d{LONGEST}s", "--timeout", "10s", "-s", str(half)]
        beside = subprocess.Popen([*load, f"http://127.0.0.1:{server.port}"], stdout=subprocess.PIPE, text=True)
        report = folder / "report.json"
        command = [sys.executable, "manage.py", "move_in", str(source), "--report", str(report)]
        moved = subprocess.run(
            command, cwd=servers.ROOT, env=servers.product_environment(url), capture_output=True, text=True, check=False
        )
        seconds = time.monotonic() - began
        beside.send_signal(signal.SIGINT)  # wrk shows what it has seen when it is interrupted
        said = json.loads(beside.communicate(timeout=30)[0].strip().splitlines()[-1])
        found = json.loads(report.read_text()) if report.exists() else {"differences": [moved.stderr[-2000:]]}
        refused = said["bad_status"] + sum(server.refusals().values())
    rate = said["requests"] / (said["microseconds"] / 1e6)
    return {
        "seconds": seconds,
        "events": events,
        "rate": rate,
        "share": rate / top.rate,
        "top_rate": top.rate,
        "alone_p99_ms": alone.p99_ms,
        "p50_ms": said["p50_us"] / 1e3,
        "p99_ms": said["p99_us"] / 1e3,
        "max_ms": said["max_us"] / 1e3,
        "refused": refused,
        "problems": found["differences"],
    }


def _fill(path: Path, events: int) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC)
    kinds = ("BASIC", "STANDARD", "PREMIUM")
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for statement in _TABLES:
            connection.execute(statement)
        connection.executemany(
            "INSERT INTO telemetry_device VALUES (?, ?, ?, ?, 1)",
            ((n, f"02:00:00:00:00:{n:02X}", f"old-{n}", f"old-token-{n:033d}") for n in range(DEVICES)),
        )
        connection.executemany(
            "INSERT INTO telemetry_telemetryevent VALUES (?, ?, ?, NULL, ?, ?, '{}')",
            (
                (n, f"old-{n % DEVICES}", kinds[n % 3], str(start + timedelta(seconds=30 * n))[:19], n // DEVICES)
                for n in range(events)
            ),
        )
