"""Old readings are deleted while meters send at half of the rate that the server could take: they hardly notice it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench import servers
from bench.databases import connect
from bench.load import PACED, paced, run_wrk, write_script

OLD = 600_000
DEVICES = 200
CONNECTIONS = 64
SECONDS = 20
_INSERT = "INSERT INTO device_gateway_devicetelemetry (device_id, occurred_at, received_at, payload) VALUES "


def measure(folder: Path, *, url: str) -> dict[str, Any]:
    """A figure. `url`: a database of the product with meters that send.

    `rate`: of readings, half of the `top_rate`; `alone_p99_ms`: theirs without anything to delete; `p99_ms`, `refused`:
    theirs beside it, and `growth` of the p99; `deleted_rate`: of old readings, as long as both went on.
    """
    _fill(url)
    full = write_script(folder, "full", devices=DEVICES, batch=1)
    with servers.product(url) as server:
        top = run_wrk(full, server.port, connections=CONNECTIONS, seconds=5)
        half = paced(full, top.rate / 2)
        alone = run_wrk(half, server.port, connections=PACED, seconds=SECONDS)
    with servers.product(url, RETENTION_READINGS="30") as server:
        beside = run_wrk(half, server.port, connections=PACED, seconds=SECONDS)
        deleted = OLD - _left(url)
        refused = beside.errors["bad_status"] + sum(server.refusals().values())
    return {
        "top_rate": top.rate,
        "rate": beside.rate,
        "alone_p99_ms": alone.p99_ms,
        "p50_ms": beside.p50_ms,
        "p99_ms": beside.p99_ms,
        "growth": beside.p99_ms / alone.p99_ms,
        "deleted_rate": deleted / beside.seconds,
        "refused": refused,
        "problems": [] if 0 < deleted < OLD else [f"{deleted} of {OLD} deleted: the two were not beside each other"],
    }


def _fill(url: str) -> None:
    """Of each device a reading a minute, all of them old."""
    start = datetime.now(UTC) - timedelta(days=90)
    payload = json.dumps({"voltage": 229.5, "current": 3.2, "power_factor": 0.97, "kwh": 1234.5, "rssi": -61})
    connection = connect(url)
    try:
        devices = [
            pk for (pk,) in connection.execute(f"SELECT id FROM device_gateway_device ORDER BY id LIMIT {DEVICES}")
        ]
        for first in range(0, OLD // DEVICES, 50):
            moments = [str(start + timedelta(minutes=first + number))[:19] for number in range(50)]
            rows = [f"({pk}, '{at}', '{at}', '{payload}')" for at in moments for pk in devices]
            connection.execute(_INSERT + ", ".join(rows))
        lately = str(datetime.now(UTC) - timedelta(days=2))[:19]  # without it, the last to come, the clock looks wrong
        connection.execute(f"{_INSERT} ({devices[0]}, '{lately}', '{lately}', '{payload}')")
    finally:
        connection.close()


def _left(url: str) -> int:
    connection = connect(url)
    try:
        since = str(datetime.now(UTC) - timedelta(days=30))[:19]
        query = f"SELECT count(*) FROM device_gateway_devicetelemetry WHERE received_at < '{since}'"
        return int(connection.execute(query).fetchone()[0])
    finally:
        connection.close()
