"""Another PostgreSQL answers at the address of the one that the server knows: nothing is stored there until an operator
has looked."""

import contextlib
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from bench.postgres import PrivatePostgres
from tests.live.test_database_replaced import nothing_is_stored
from tests.support.server import live_server, migrated_postgres
from tests.support.staff import Device, Staff

pytestmark = pytest.mark.real_server


def test_another_server_of_postgresql() -> None:
    with migrated_postgres() as first, tempfile.TemporaryDirectory() as folder:
        second = PrivatePostgres.create(Path(folder))
        second.port = first.port
        with live_server(str(first), production=True) as server, contextlib.ExitStack() as ends:
            ends.callback(second.stop_now)
            staff = Staff(server.url)
            (device,) = staff.enrol(1)
            assert staff.send(device, {"kwh": 1}).status == 201
            copy = _dump(first)
            _change(first, second, copy)
            until = time.monotonic() + 10
            while staff.send(device, {"kwh": 2}).json()["code"] != "database_replaced":
                assert time.monotonic() < until
            nothing_is_stored(server, staff, device)
            assert "another PostgreSQL server answers" in server.log.read_text()
            second.stop_now()
            first.start()
            _good_again(staff, device)
            first.stop()
            second.start()
            server.restart()
            assert staff.send(device, {"kwh": 4}).status == 201


def _good_again(staff: Staff, device: Device) -> None:
    until = time.monotonic() + 10
    while staff.send(device, {"kwh": 3}).status != 201:
        assert time.monotonic() < until
        time.sleep(0.1)


def _dump(server: PrivatePostgres) -> bytes:
    command = [str(server.binaries / "pg_dump"), "-h", "127.0.0.1", "-p", str(server.port), "-U", "ozone", "ozone"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def _change(old: PrivatePostgres, new: PrivatePostgres, copy: bytes) -> None:
    old.stop_now()
    new.start()
    new.create_database("ozone")
    command = [str(new.binaries / "psql"), "-q", "-h", "127.0.0.1", "-p", str(new.port), "-U", "ozone", "ozone"]
    subprocess.run(command, check=True, capture_output=True, input=copy)
