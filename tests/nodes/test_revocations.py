"""What an operator changes at one node holds at the other, within a second, and for nobody else."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.server import LiveServer
from tests.support.staff import Device, Staff

pytestmark = pytest.mark.real_server

DEVICES = 12


def test_revoked_at_the_other_node(nodes: tuple[LiveServer, LiveServer], staff: Staff) -> None:
    access = staff.sign_in()
    other = Staff(nodes[1].url)
    devices = staff.enrol(DEVICES)
    doomed, left = devices[: DEVICES // 2], devices[DEVICES // 2 :]
    assert {other.send(device, {"kwh": 1}).status for device in devices} == {201}
    ended = False

    def send_on(device: Device) -> set[int]:
        found = set()
        while not ended:
            found.add(other.send(device, {"kwh": 2}).status)
        return found

    with ThreadPoolExecutor(len(left)) as threads:
        sending = [threads.submit(send_on, device) for device in left]
        for device in doomed:
            assert staff.call("POST", f"/api/devices/{device.pk}/rotate/", {}, bearer=access).status == 200
            until = time.monotonic() + 10
            while other.send(device, {"kwh": 3}).status != 401:
                assert time.monotonic() < until
            # A change that is none of theirs.
            assert staff.call("PATCH", f"/api/devices/{device.pk}/", {"name": "was"}, bearer=access).status == 200
        ended = True
        assert [one.result(20) for one in sending] == [{201}] * len(left)
