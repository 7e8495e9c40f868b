"""Two clients send the same 10,000 events at once, on PostgreSQL to two server processes: each counts once."""

import json
import multiprocessing
import random
import sqlite3
from typing import Any

import psycopg
import pytest

from tests.support.server import LiveServer, fresh_database, live_server
from tests.support.staff import Staff

DEVICES, EACH, BATCH = 20, 500, 50

pytestmark = pytest.mark.real_server


def _send(url: str, batches: list[tuple[str, list[dict[str, Any]]]], seed: int, acked: Any) -> None:
    """In a process of its own: every batch until it is acknowledged, in an order of its own."""
    staff = Staff(url)
    random.Random(seed).shuffle(batches)
    count = 0
    for token, batch in batches:
        answer = staff.call("POST", "/api/device/events/", batch, bearer=token)
        while answer.status == 503:
            answer = staff.call("POST", "/api/device/events/", batch, bearer=token)
        assert answer.status == 200, answer.body
        assert answer.json()["ack"] is True
        count += len(answer.json()["results"])
    acked.put(count)


def _rows(server: LiveServer, query: str) -> list[tuple[Any, ...]]:
    if server.database_url.startswith("sqlite"):
        with sqlite3.connect(server.database_url.removeprefix("sqlite:///")) as connection:
            return connection.execute(query).fetchall()
    with psycopg.connect(server.database_url) as postgres:
        return list(postgres.execute(query.encode()).fetchall())


def test_the_same_events_at_once() -> None:
    with fresh_database() as url, live_server(url) as server:
        staff = Staff(server.url)
        access = staff.sign_in()
        batches = []
        for number in range(DEVICES):
            mac = f"02:00:00:00:00:{number:02X}"
            token = staff.call("POST", "/api/handshake/", {"mac": mac}).json()["token"]
            assert staff.call("PATCH", f"/api/devices/{mac}/", {"assigned": True}, bearer=access).status == 200
            events = [
                {
                    "event_id": f"{mac}-{counter}",
                    "event": "treatment",
                    "treatment": ("BASIC", "STANDARD", "PREMIUM")[counter % 3],
                    "counter": counter,
                }
                for counter in range(1, EACH + 1)
            ]
            batches += [(token, events[first : first + BATCH]) for first in range(0, EACH, BATCH)]
        context = multiprocessing.get_context("spawn")
        acked = context.Queue()
        clients = [context.Process(target=_send, args=(server.url, list(batches), seed, acked)) for seed in (1, 2)]
        for client in clients:
            client.start()
        assert [acked.get(timeout=120) for _ in clients] == [DEVICES * EACH] * 2
        for client in clients:
            client.join(20)
            assert client.exitcode == 0
        assert _rows(server, "SELECT count(*), count(DISTINCT event_id) FROM telemetry_telemetryevent") == [
            (DEVICES * EACH, DEVICES * EACH)
        ]
        counted = (
            "SELECT device_id, sum(basic), sum(standard), sum(premium) FROM {} GROUP BY device_id ORDER BY device_id"
        )
        expected = [sum(1 for counter in range(1, EACH + 1) if counter % 3 == kind) for kind in range(3)]
        for table in ("telemetry_hourlycount", "telemetry_dailycount"):
            assert [tuple(map(int, row[1:])) for row in _rows(server, counted.format(table))] == [
                tuple(expected)
            ] * DEVICES
        # Without a clock the order of arrival decides, so a counter is one that was sent last by somebody.
        for row in _rows(
            server,
            "SELECT current_count_basic, current_count_standard, current_count_premium FROM telemetry_devicestatus",
        ):
            assert [counter % 3 for counter in row] == [0, 1, 2]
        assert json.loads(staff.call("GET", "/readyz").body) == {"status": "ok"}
