"""Two processes on one SQLite file: nobody is refused because the other one writes. PostgreSQL: tests/nodes."""

import sqlite3
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.support.server import live_server
from tests.support.staff import Device, Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

DEVICES = 6
SECONDS = 2.0


def test_devices_and_people_write_at_once() -> None:
    with live_server(WORKERS="2", LIMIT_DEVICE_WRITES="100000/1") as server:
        staff = Staff(server.url)
        bearer = staff.sign_in()
        devices = staff.enrol(DEVICES)
        until = time.monotonic() + SECONDS

        def send(device: Device) -> Counter[int]:
            told: Counter[int] = Counter()
            while time.monotonic() < until:
                told[staff.send(device, [{"kwh": number} for number in range(20)]).status] += 1
            return told

        def edit(device: Device) -> Counter[int]:
            told: Counter[int] = Counter()
            while time.monotonic() < until:
                path, notes = f"/api/devices/{device.pk}/", str(time.monotonic())
                told[staff.call("PATCH", path, {"notes": notes}, bearer=bearer).status] += 1
            return told

        with ThreadPoolExecutor(DEVICES + 1) as threads:
            editing = threads.submit(edit, devices[0])
            told = sum(threads.map(send, devices), Counter[int]())
        assert set(told) == {201}
        assert set(editing.result()) == {200}
        with closing(sqlite3.connect(server.database_url.removeprefix("sqlite:///"))) as connection:
            found = connection.execute("SELECT count(*) FROM device_gateway_devicetelemetry").fetchone()
        assert found == (told[201] * 20,)

        assert staff.call("POST", f"/api/devices/{devices[0].pk}/rotate/", {}, bearer=bearer).status == 200
        time.sleep(1)
        assert {staff.send(devices[0], {"kwh": 1}).status for _ in range(20)} == {401}  # whichever process it meets
        assert staff.send(devices[1], {"kwh": 1}).status == 201
