"""The database stands still, or another one takes its place: both nodes say 503 meanwhile, never 401, lose nothing they
have acknowledged, and go on by themselves."""

import contextlib
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from bench.postgres import PrivatePostgres, run_as
from tests.nodes.conftest import two_nodes
from tests.support.length import length
from tests.support.server import LiveServer, migrated_postgres
from tests.support.staff import Device, Staff

pytestmark = pytest.mark.real_server

FIRMWARE_WAITS = 5.0
STILL = 5.0
BACK = 10.0
"""Seconds within which it goes on; on a machine that does nothing else it is two."""


class Sender:
    """A meter at one node that sends on and on; which numbers were acknowledged, and what else it was told."""

    def __init__(self, node: LiveServer, device: Device) -> None:
        self._staff, self._device = Staff(node.url), device
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acked: list[int] = []
        self.acked_at = 0.0
        self.told: set[tuple[int, str | None]] = set()

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        number = 0
        while not self._end.is_set():
            number += 1
            body = {"number": number, "message_id": f"{number}"}
            answer = self._staff.send(self._device, body, timeout=FIRMWARE_WAITS + 3)
            if answer.status == 201:
                self.acked.append(number)
                self.acked_at = time.monotonic()
                time.sleep(0.02)  # it is to go on, not to go fast
            else:
                self.told.add((answer.status, answer.headers.get("retry-after") and "later"))
                time.sleep(0.02)

    def goes_on(self) -> float:
        """Waits until it is acknowledged again; returns how long that took."""
        began = time.monotonic()
        while self.acked_at < began:
            assert time.monotonic() < began + BACK, self.told
            time.sleep(0.01)
        return self.acked_at - began


def freeze(server: PrivatePostgres, how: signal.Signals) -> None:
    assert server.pid is not None
    main = psutil.Process(server.pid)
    for process in [main, *main.children(recursive=True)]:
        process.send_signal(how)


def people_are_served(node: LiveServer, access: str) -> bool:
    """Whether a person is answered, from the database, within the time in which it goes on."""
    until = time.monotonic() + BACK
    while time.monotonic() < until:
        with contextlib.suppress(OSError):
            if Staff(node.url).call("GET", "/api/devices/online/", bearer=access, timeout=BACK).status == 200:
                return True
        time.sleep(0.1)
    return False


def rows_of(url: str, devices: list[Device]) -> list[set[int]]:
    with psycopg.connect(url) as connection:
        query = "SELECT message_id FROM device_gateway_devicetelemetry WHERE device_id = %s"
        return [{int(row[0]) for row in connection.execute(query, [device.pk])} for device in devices]


def test_it_stands_still() -> None:
    with migrated_postgres() as server, two_nodes(server) as nodes:
        staff = Staff(nodes[0].url)
        devices, access = staff.enrol(2), staff.sign_in()
        with Sender(nodes[0], devices[0]) as one, Sender(nodes[1], devices[1]) as two:
            one.goes_on()
            two.goes_on()
            freeze(server, signal.SIGSTOP)
            try:
                asking = [
                    threading.Thread(target=people_are_served, args=[node, access]) for node in nodes for _ in range(10)
                ]
                for thread in asking:
                    thread.start()
                time.sleep(STILL)
            finally:
                freeze(server, signal.SIGCONT)
            print("goes on after", one.goes_on(), two.goes_on())
            assert one.told == two.told == {(503, "later")}
            for thread in asking:
                thread.join(3 * BACK)
            assert all(people_are_served(node, access) for node in nodes)
        stored = rows_of(server, devices)
        assert [set(sender.acked) - rows for sender, rows in zip((one, two), stored, strict=True)] == [set(), set()]


@contextmanager
def standby_of(primary: PrivatePostgres) -> Iterator[PrivatePostgres]:
    """A synchronous one: what the primary has acknowledged it has, too."""
    folder = Path(tempfile.mkdtemp(prefix="ozone-standby-"))
    standby = PrivatePostgres.create(folder)
    try:
        shutil.rmtree(folder / "data")
        command = [str(standby.binaries / "pg_basebackup"), "-D", str(folder / "data"), "-R", "-c", "fast"]
        command += ["-h", "127.0.0.1", "-p", str(primary.port), "-U", "ozone"]
        subprocess.run(command, check=True, capture_output=True, **run_as(folder))
        standby.start()
        with psycopg.connect(primary, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        yield standby
    finally:
        standby.stop_now()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("is_gone", [True, False][: length(1, 2)])
def test_another_takes_its_place(is_gone: bool) -> None:
    with migrated_postgres() as primary, standby_of(primary) as standby:
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        with two_nodes(f"postgres://ozone@{hosts}/ozone?target_session_attrs=read-write") as nodes:
            staff = Staff(nodes[0].url)
            devices, access = staff.enrol(2), staff.sign_in()
            with Sender(nodes[0], devices[0]) as one, Sender(nodes[1], devices[1]) as two:
                one.goes_on()
                two.goes_on()
                if is_gone:
                    primary.stop_now()
                else:
                    freeze(primary, signal.SIGSTOP)
                try:
                    time.sleep(1)
                    with psycopg.connect(standby, autocommit=True) as connection:
                        assert connection.execute("SELECT pg_promote()").fetchone() == (True,)
                    print("goes on after", one.goes_on(), two.goes_on())
                    # What waits when a frozen one is left is written to its successor, where that is there by then.
                    assert {(503, "later")} >= one.told | two.told >= ({(503, "later")} if is_gone else set())
                    assert all(people_are_served(node, access) for node in nodes)
                finally:
                    if not is_gone:
                        freeze(primary, signal.SIGCONT)
        stored = rows_of(standby.url_of("ozone"), devices)
        assert [set(sender.acked) - rows for sender, rows in zip((one, two), stored, strict=True)] == [set(), set()]
