"""All that devices send, of the same devices to both nodes at once: no transaction waits for another in a circle."""

import itertools
import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

import psycopg
import pytest

from tests.nodes.conftest import enrol
from tests.support.length import IS_LONG
from tests.support.server import LiveServer
from tests.support.staff import Staff

pytestmark = pytest.mark.real_server

DEVICES, THREADS = 12, 12
SECONDS = 30.0 if IS_LONG else 6.0


class Sender:
    """One of many clients: whatever device, whatever message, whatever node."""

    def __init__(self, nodes: tuple[LiveServer, LiveServer], devices: list[tuple[str, str]], seed: int) -> None:
        self._at = [Staff(node.url) for node in nodes]
        self._devices = devices
        self._seed = seed
        self._chance = random.Random(seed)
        self._count = 0
        self.answers: Counter[tuple[str, int]] = Counter()
        self.failed: SimpleQueue[str] = SimpleQueue()
        """Commands that are to be retried."""

    def run(self, until: float) -> None:
        while time.monotonic() < until:
            self._count += 1
            mac, token = self._chance.choice(self._devices)
            what = self._chance.choice((self._readings, self._events, self._polls, self._refused, self._handshakes))
            what(mac, token)

    def _send(self, what: str, *request: Any, **more: Any) -> Any:
        answer = self._chance.choice(self._at).call(*request, **more)
        self.answers[what, answer.status] += 1
        return answer

    def _readings(self, mac: str, token: str) -> None:
        body = [{"kwh": n, "message_id": f"{self._count % 50}-{n}"} for n in range(self._chance.choice((1, 20)))]
        self._send("reading", "POST", "/gateway/device-data/ingest", body, bearer=token)

    def _events(self, mac: str, token: str) -> None:
        numbers = [self._count * 100 + n for n in range(self._chance.choice((1, 20)))]
        rows = [
            {"event_id": f"{self._seed}-{n}", "event": "treatment", "treatment": "BASIC", "counter": n, "firmware": "1"}
            for n in numbers
        ]
        rows.append({"event_id": f"refused-{self._count % 5}", "event": "treatment", "treatment": "NONE"})
        self._send("event", "POST", "/api/device/events/", rows, bearer=token)

    def _polls(self, mac: str, token: str) -> None:
        vitals = self._chance.choice(("", f"?rssi=-60&uptime_seconds={self._count}"))
        answer = self._send("poll", "GET", f"/api/device/{mac}/commands/{vitals}", bearer=token)
        for command in answer.json().get("commands", ()):
            path = f"/api/device/{mac}/commands/{command['id']}/"
            counters = {"basic": 1, "standard": 2, "premium": 3}
            result = {"success": self._chance.random() < 0.5, "rssi": -70, "current_counters": counters}
            self._send("result", "POST", path, result, bearer=token)
            if not result["success"]:
                self.failed.put(command["id"])

    def _refused(self, mac: str, token: str) -> None:
        self._send("refused", "POST", "/gateway/device-data/ingest", [1], bearer=token)

    def _handshakes(self, mac: str, token: str) -> None:
        self._send("handshake", "POST", "/api/handshake/", {"mac": mac, "firmware": "1"}, bearer=token)


def deadlocks(url: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_stat_clear_snapshot()")
        row = connection.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()").fetchone()
        assert row is not None
        return int(row[0])


def test_no_deadlocks(nodes: tuple[LiveServer, LiveServer], staff: Staff) -> None:
    access = staff.sign_in()
    macs = [f"02:00:00:00:0B:{number:02X}" for number in range(DEVICES)]
    devices = [(mac, enrol(staff, mac)) for mac in macs]
    before = deadlocks(nodes[0].database_url)
    until = time.monotonic() + SECONDS
    senders = [Sender(nodes, devices, seed) for seed in range(THREADS)]
    ended = threading.Event()

    retried: Counter[int] = Counter()

    def order() -> None:
        types = itertools.cycle(("GET_STATUS", "CLEAR_MEMORY"))
        while not ended.wait(0.2):
            staff.call("POST", "/api/commands/bulk/", {"command_type": next(types), "device_ids": macs}, bearer=access)
            for sender in senders:
                with suppress(Empty):
                    path = f"/api/commands/{sender.failed.get_nowait()}/retry/"
                    retried[staff.call("POST", path, bearer=access).status] += 1

    with ThreadPoolExecutor(THREADS + 1) as threads:
        ordering = threads.submit(order)
        sending = [threads.submit(sender.run, until) for sender in senders]
        for one in sending:
            one.result(SECONDS + 30)
        ended.set()
        ordering.result(30)
    answers = sum((sender.answers for sender in senders), Counter[tuple[str, int]]())
    expected = {("reading", 201), ("event", 200), ("poll", 200), ("result", 200), ("refused", 400), ("handshake", 200)}
    assert set(answers) == expected
    assert retried[200]
    time.sleep(1.1)  # PostgreSQL's processes tell their figures once a second
    assert deadlocks(nodes[0].database_url) == before
