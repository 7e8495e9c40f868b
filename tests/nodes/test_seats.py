"""A device that polls anew does so because its older connection is gone: no command may go there, on whatever node."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.nodes.conftest import enrol
from tests.support.length import length
from tests.support.server import LiveServer
from tests.support.staff import Answer, Staff

pytestmark = pytest.mark.real_server

DEVICES = length(25, 100)
LONG = 10


def test_the_newest_poll_gets_the_command(nodes: tuple[LiveServer, LiveServer], staff: Staff) -> None:
    at = [Staff(node.url) for node in nodes]
    access = staff.sign_in()
    macs = [f"02:00:00:00:0A:{number:02X}" for number in range(DEVICES)]
    tokens = [enrol(staff, mac) for mac in macs]
    with ThreadPoolExecutor(2 * DEVICES) as threads:

        def poll(number: int, node: int) -> Answer:
            path = f"/api/device/{macs[number]}/commands/?wait={LONG}"
            return at[node].call("GET", path, bearer=tokens[number], timeout=LONG + 5)

        # Of half of the devices the older poll is held by the first node, of half by the second.
        older = [threads.submit(poll, number, number % 2) for number in range(DEVICES)]
        time.sleep(1)
        newer = [threads.submit(poll, number, 1 - number % 2) for number in range(DEVICES)]
        time.sleep(1)
        wanted = {"command_type": "RESET_COUNTERS", "device_ids": macs}
        made = staff.call("POST", "/api/commands/bulk/", wanted, bearer=access).json()
        numbers = {row["device_id"]: row["command_id"] for row in made["created_commands"]}
        got = [[command["id"] for command in waiting.result(2 * LONG).json()["commands"]] for waiting in newer]
        assert got == [[numbers[mac]] for mac in macs]
        # Ended by the command, or where the newer one took it first when its time is up.
        ended = [waiting.result(2 * LONG) for waiting in older]
        assert [(answer.status, answer.json()["commands"]) for answer in ended] == [(200, [])] * DEVICES
