"""Limits that both nodes count in one Redis; and what it means for devices that it stands still, or is gone."""

import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest

from bench.ports import free_port
from tests.nodes.conftest import enrol, two_nodes
from tests.support import needs
from tests.support.server import LiveServer, fresh_database
from tests.support.staff import Staff

pytestmark = pytest.mark.real_server

PORT = free_port()


@pytest.fixture
def redis() -> Iterator["subprocess.Popen[bytes]"]:
    program = needs.redis()
    if program is None:
        pytest.skip("there is no redis-server")
    with tempfile.TemporaryDirectory() as folder:
        command = [program, "--port", str(PORT), "--bind", "127.0.0.1", "--dir", folder, "--save", ""]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


@pytest.fixture
def limited(redis: "subprocess.Popen[bytes]") -> Iterator[tuple[LiveServer, LiveServer]]:
    with fresh_database() as url:
        assert url is not None
        with two_nodes(url, LIMITS_STORAGE=f"redis://127.0.0.1:{PORT}/0", LIMIT_FAILED_CLAIMS="4/60") as nodes:
            yield nodes


def test_it_stands_still_and_is_gone(limited: tuple[LiveServer, LiveServer], redis: "subprocess.Popen[bytes]") -> None:
    at = [Staff(node.url) for node in limited]
    mac = "02:00:00:00:0C:01"
    key = enrol(at[0], mac)
    meters = at[0].enrol(2)
    failed = [at[n % 2].call("POST", "/api/devices/claim", {"token": "guess"}).status for n in range(6)]
    assert failed == [400] * 4 + [429] * 2  # one count

    def devices_are_served() -> None:
        for number, meter in enumerate(meters):
            assert [staff.send(meter, {"kwh": number}).status for staff in at] == [201, 201]
        press = {"event_id": f"{time.monotonic()}", "event": "treatment", "treatment": "BASIC", "counter": 1}
        assert [staff.call("POST", "/api/events/", press, bearer=key).status for staff in at] == [200, 200]

    def asks_for_a_token() -> list[int]:
        return [staff.call("POST", "/api/handshake/", {"mac": mac}, bearer=key).status for staff in at]

    redis.send_signal(signal.SIGSTOP)
    assert asks_for_a_token() == [503, 503]
    for _ in range(5):
        devices_are_served()
    redis.send_signal(signal.SIGCONT)
    until = time.monotonic() + 30
    while asks_for_a_token() != [200, 200]:
        assert time.monotonic() < until
        time.sleep(0.2)
    redis.kill()
    assert asks_for_a_token() == [503, 503]
    devices_are_served()
