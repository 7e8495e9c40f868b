"""The export and the flush against the real server: clients that leave, a database that fails, devices meanwhile."""

import http.client
import json
import socket
import sqlite3
import stat
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.server import ADMIN, PASSWORD, LiveServer, fresh_database, live_server
from tests.support.staff import Staff
from tests.support.traffic import FIRMWARE_SECONDS

DEVICES = 8
EVENTS = 35_000
LONG_ID = "x" * 110
"""With it so many are more than the buffers of a connection take while its client does not read."""
EXPORT = "/api/export/"
COLUMNS = "device_id, event, event_type, treatment, counter, occurred_at, received_at, clock_suspect, source, payload"

pytestmark = pytest.mark.real_server


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database())
        yield stack.enter_context(live_server(url))


@pytest.fixture(scope="module")
def staff(server: LiveServer) -> Staff:
    return Staff(server.url)


@pytest.fixture(scope="module")
def keys(staff: Staff) -> list[str]:
    """The tokens of machines that may send."""
    found = []
    for number in range(DEVICES):
        mac = f"02:00:00:00:00:{number:02X}"
        found.append(staff.call("POST", "/api/handshake/", {"mac": mac}).json()["token"])
        assert staff.call("PATCH", f"/api/devices/{mac}/", {"assigned": True}, bearer=staff.sign_in()).status == 200
    return found


def press(staff: Staff, key: str, number: int) -> int:
    body = {"event_id": f"e-{number}", "event": "treatment", "treatment": "BASIC", "counter": number}
    return staff.call("POST", "/api/device/events/", body, bearer=key).status


def execute(server: LiveServer, statement: str) -> list[tuple[Any, ...]]:
    """In the server's database, as somebody else."""
    if server.database_url.startswith("sqlite"):
        path = server.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(path, timeout=20, isolation_level=None)) as connection:
            return connection.execute(statement).fetchall()
    with psycopg.connect(server.database_url, autocommit=True) as postgres:
        cursor = postgres.execute(statement.encode())
        return list(cursor.fetchall()) if cursor.description else []


@pytest.fixture(scope="module")
def many(server: LiveServer, staff: Staff, keys: list[str]) -> int:
    """So many events are stored."""
    assert press(staff, keys[0], 1) == 200
    execute(
        server,
        f"INSERT INTO telemetry_telemetryevent (event_id, {COLUMNS})"
        f" SELECT 'e-{LONG_ID}-' || n.i, {COLUMNS} FROM telemetry_telemetryevent"
        f" CROSS JOIN (WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {EVENTS})"
        " SELECT i FROM n) AS n",
    )
    return EVENTS


def begun(server: LiveServer, staff: Staff) -> http.client.HTTPResponse:
    """An export of which only the status has been read."""
    connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
    connection.connect()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
    connection.request("GET", EXPORT, headers={"Authorization": f"Bearer {staff.sign_in()}"})
    return connection.getresponse()


def test_all_of_it(server: LiveServer, staff: Staff, many: int) -> None:
    reply = begun(server, staff)
    assert (reply.status, reply.getheader("transfer-encoding")) == (200, "chunked")
    assert reply.read().count(b"\r\n") == many + 1


def test_a_client_that_leaves_ends_it(server: LiveServer, staff: Staff, many: int) -> None:
    begun_ones = [begun(server, staff) for _ in range(2 * (1 if "sqlite" in server.database_url else 2))]
    assert {reply.status for reply in begun_ones} <= {200, 429}
    assert staff.call("GET", "/api/devices/", bearer=staff.sign_in()).status == 200  # others are served
    if "sqlite" in server.database_url:  # one process
        assert begun(server, staff).status == 429
    for reply in begun_ones:
        reply.close()
    until = time.monotonic() + 10
    while (reply := begun(server, staff)).status != 200:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert reply.read().count(b"\r\n") == many + 1


def test_a_database_that_fails_cuts_it_short(server: LiveServer, staff: Staff, many: int) -> None:
    reply = begun(server, staff)
    assert reply.status == 200
    execute(server, "ALTER TABLE telemetry_telemetryevent RENAME TO gone")
    with pytest.raises(http.client.IncompleteRead) as cut:
        reply.read()
    assert 0 < cut.value.partial.count(b"\r\n") < many
    execute(server, "ALTER TABLE gone RENAME TO telemetry_telemetryevent")
    assert begun(server, staff).read().count(b"\r\n") == many + 1


class Machines:
    """Devices that press, tell readings and poll without a pause, until told to end."""

    def __init__(self, staff: Staff, keys: list[str]) -> None:
        self.statuses: Counter[int] = Counter()
        self.slowest = 0.0
        self._staff = staff
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._live, args=[n, key]) for n, key in enumerate(keys)]
        for thread in self._threads:
            thread.start()

    def _live(self, number: int, key: str) -> None:
        counter = 1_000_000
        while not self._stop.is_set():
            counter += 1
            for act in (
                lambda: press(self._staff, key, counter),  # noqa: B023
                lambda: self._staff.call("POST", "/gateway/device-data/ingest", {"kwh": 1}, bearer=key).status,
                lambda: (
                    self._staff.call("GET", f"/api/device/02:00:00:00:00:{number:02X}/commands/", bearer=key).status
                ),
            ):
                began = time.monotonic()
                self.statuses[act()] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


def test_a_flush_beside_devices(server: LiveServer, staff: Staff, keys: list[str], many: int) -> None:
    session = staff.call("POST", "/api/auth/login/", {"username": ADMIN, "password": PASSWORD})
    cookie = {"Cookie": session.headers["set-cookie"].partition(";")[0]}
    machines = Machines(staff, keys)
    try:
        time.sleep(1)
        answers = [staff.call("POST", "/api/flush/", headers=cookie, timeout=120) for _ in range(2)]
        time.sleep(1)
    finally:
        machines.end()
    assert [answer.status for answer in answers] == [200, 200]
    first, second = (answer.json()["deleted"] for answer in answers)
    assert first["telemetry_telemetryevent"] >= many > second["telemetry_telemetryevent"] > 0
    assert second["device_gateway_devicetelemetry"] > 0
    assert set(machines.statuses) == {200, 201}
    assert machines.slowest < FIRMWARE_SECONDS
    # What arrived after it: events, counts and counters of each device agree.
    counted = "SELECT device_id, sum(basic) FROM telemetry_{} GROUP BY device_id ORDER BY device_id".format
    events = execute(
        server,
        "SELECT device_id, count(*), max(counter) FROM telemetry_telemetryevent GROUP BY device_id ORDER BY device_id",
    )
    assert len(events) == DEVICES
    for table in ("hourlycount", "dailycount"):
        assert execute(server, counted(table)) == [row[:2] for row in events]
    status = "SELECT device_id, current_count_basic FROM telemetry_devicestatus ORDER BY device_id"
    assert execute(server, status) == [(device, counter) for device, _, counter in events]
    newest = "SELECT count(*) FROM device_gateway_devicestate WHERE latest_payload IS NOT NULL"
    assert execute(server, newest) == [(DEVICES,)]
    if "sqlite" in server.database_url:
        path = Path(server.database_url.removeprefix("sqlite:///")).with_name(answers[0].json()["backup"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with closing(sqlite3.connect(path)) as copy:
            assert copy.execute("PRAGMA quick_check").fetchone() == ("ok",)
            assert copy.execute("SELECT count(*) FROM telemetry_telemetryevent").fetchone()[0] >= many
    assert json.loads(staff.call("GET", "/readyz").body) == {"status": "ok"}
