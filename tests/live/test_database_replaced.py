"""The database is removed, replaced or restored while the server runs: nothing is acknowledged that nobody can find.

Another PostgreSQL: tests/nodes/test_another_server.py.
"""

import os
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.server import LiveServer, live_server
from tests.support.staff import Device, Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(production=True, folder=tmp_path_factory.mktemp("database")) as server:
        yield server


@pytest.fixture
def server(running: LiveServer) -> LiveServer:
    """Sound again after each of the tests, but for the last; its log says nothing yet."""
    assert running.is_ready()
    running.log.write_bytes(b"")
    file_of(running).with_name("backup.sqlite3").unlink(missing_ok=True)
    return running


def file_of(server: LiveServer) -> Path:
    return Path(server.database_url.removeprefix("sqlite:///"))


def backup_of(server: LiveServer) -> Path:
    """As docs/operations.md has it."""
    target = file_of(server).with_name("backup.sqlite3")
    with closing(sqlite3.connect(file_of(server), timeout=10)) as connection:
        connection.execute("VACUUM INTO ?", [str(target)])
    return target


def rows_in(server: LiveServer) -> int:
    """Readings that whoever opens the database now finds."""
    with closing(sqlite3.connect(file_of(server), timeout=10)) as connection:
        found: int = connection.execute("SELECT count(*) FROM device_gateway_devicetelemetry").fetchone()[0]
        return found


class Sender:
    """A device that sends all the time: when each reading went out, and what it was told."""

    def __init__(self, staff: Staff, device: Device) -> None:
        self._staff, self._device = staff, device
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.told: list[tuple[float, int, str | None]] = []

    def __enter__(self) -> "Sender":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(20)

    def _run(self) -> None:
        while not self._end.wait(0.02):
            sent_at = time.monotonic()
            answer = self._staff.send(self._device, {"kwh": 1})
            code = answer.json().get("code")
            if answer.status == 503:
                assert answer.headers["retry-after"].isdigit()
            self.told.append((sent_at, answer.status, code))

    def after(self, moment: float) -> set[tuple[int, str | None]]:
        """What readings were told that went out after the moment."""
        return {(status, code) for sent_at, status, code in self.told if sent_at > moment}


def nothing_is_stored(server: LiveServer, staff: Staff, device: Device) -> None:
    """Whatever writes is 503, and says so; what was stored can be read."""
    bearer = staff.sign_in()
    for _ in range(25):
        answer = staff.send(device, {"kwh": 2})
        assert (answer.status, answer.json()["code"]) == (503, "database_replaced")
    for method, path, value in [
        ("POST", "/api/devices/", {"name": "x"}),
        ("PATCH", f"/api/devices/dev-{device.pk}/", {"notes": "x"}),
        ("POST", "/api/auth/register/", {"username": "nora", "password": "a short ride to the mill"}),
        ("POST", "/api/devices/claim", {"token": "x"}),
        ("POST", "/api/iot/handshake/", {"mac": "24:6F:28:AA:BB:CC"}),
    ]:
        answer = staff.call(method, path, value, bearer=bearer)
        assert (path, answer.status, answer.json()["code"]) == (path, 503, "database_replaced")
    assert staff.call("GET", "/readyz").status == 503
    assert staff.call("GET", "/healthz").status == 200  # nobody is to restart it before an operator has looked
    latest = staff.call("GET", f"/gateway/devices/{device.pk}/telemetry/latest", bearer=device.api_key)
    assert latest.status == 200
    assert "Nothing is stored until" in server.log.read_text()


def remove(file: Path, _: Path) -> None:
    file.rename(file.with_name("away.sqlite3"))


def replace(file: Path, backup: Path) -> None:
    """The commands of docs/operations.md, by somebody who has forgotten to stop the server."""
    for ending in ("-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    os.replace(backup, file)


def replace_the_file_alone(file: Path, backup: Path) -> None:
    os.replace(backup, file)


@pytest.mark.parametrize("trouble", [remove, replace, replace_the_file_alone])
def test_a_file_that_is_gone(server: LiveServer, trouble: Callable[[Path, Path], None]) -> None:
    staff = Staff(server.url)
    device, other = staff.enrol(2)
    assert staff.send(device, {"kwh": 1}).status == 201
    file, backup = file_of(server), backup_of(server)
    stored = rows_in(server)
    with Sender(staff, other) as sender:
        time.sleep(0.3)
        trouble(file, backup)
        moment = time.monotonic()
        time.sleep(0.7)
    assert sender.after(moment) == {(503, "database_replaced")}
    assert Counter(status for _, status, _ in sender.told)[201] > 0
    nothing_is_stored(server, staff, device)
    # As documented: stop, put the right file there without what belonged to the other, start.
    server.stop()
    if trouble is remove:
        file.with_name("away.sqlite3").rename(file)
    else:
        for ending in ("-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
    server.start()
    before = rows_in(server)
    if trouble is not remove:
        assert before == stored
    assert staff.send(device, {"kwh": 3}).status == 201
    assert rows_in(server) == before + 1


def test_the_same_file_comes_back(server: LiveServer) -> None:
    staff = Staff(server.url)
    (device,) = staff.enrol(1)
    assert staff.send(device, {"kwh": 1}).status == 201
    file = file_of(server)
    remove(file, file)
    nothing_is_stored(server, staff, device)
    file.with_name("away.sqlite3").rename(file)
    assert staff.send(device, {"kwh": 3}).status == 201
    assert staff.call("GET", "/readyz").status == 200
    time.sleep(0.2)
    assert "it is the one that was opened again" in server.log.read_text()


def test_restored_while_it_runs(server: LiveServer) -> None:
    """`sqlite3 db.sqlite3 ".restore backup.sqlite3"`: through SQLite itself, into the file that is open."""
    staff = Staff(server.url)
    (device,) = staff.enrol(1)
    assert staff.send(device, {"kwh": 1}).status == 201
    backup, stored = backup_of(server), rows_in(server)
    (late,) = staff.enrol(1)
    assert staff.send(late, {"kwh": 1}).status == 201
    with Sender(staff, device) as sender:
        time.sleep(0.3)
        with (
            closing(sqlite3.connect(backup)) as source,
            closing(sqlite3.connect(file_of(server), timeout=10)) as target,
        ):
            source.backup(target)
        moment = time.monotonic()
        time.sleep(0.7)
    assert {status for status, _ in sender.after(moment)} == {201}
    assert {status for _, status, _ in sender.told} <= {201, 503}
    acknowledged = sum(1 for sent_at, *_ in sender.told if sent_at > moment)
    # One may have been under way when the restore ended.
    assert rows_in(server) - stored - acknowledged in (0, 1)
    time.sleep(1)
    assert staff.send(late, {"kwh": 2}).status == 401  # claimed after the backup
    assert staff.call("GET", "/readyz").status == 200


def test_the_log_beside_it_is_removed(server: LiveServer) -> None:
    """What is committed after that goes into a file without a name."""
    staff = Staff(server.url)
    (device,) = staff.enrol(1)
    assert staff.send(device, {"kwh": 1}).status == 201
    file_of(server).with_name(file_of(server).name + "-wal").unlink()
    for _ in range(3):
        answer = staff.send(device, {"kwh": 2})
        assert (answer.status, answer.json()["code"]) == (503, "database_replaced")
    assert "-wal file was removed or replaced" in server.log.read_text()
