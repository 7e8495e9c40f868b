"""What a device says of itself: firmware and vitals, by events, results and polls; how many commands wait for it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from device_gateway.models import Device
from device_gateway.tests.conftest import refusal
from ozone.wire.times import iso
from telemetry.models import Command
from telemetry.tests.conftest import EVENTS, MAC, NOON, Esp32
from tests.support.doors import Door

CREATE = f"/api/device/{MAC}/commands/create/"
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
EARLY = NOON - 2 * HOUR
BOOT = datetime(2021, 1, 1, 0, 0, 16, tzinfo=UTC)
VITALS: dict[str, Any] = {"reset_reason": "POWERON", "rssi": -61, "free_heap": 181_204, "queue_length": 3}


def vitals(esp32: Esp32) -> tuple[Any, ...]:
    status = esp32.status
    return status.reset_reason, status.rssi, status.free_heap, status.queue_length, status.vitals_at


@pytest.fixture(autouse=True)
def known_for_long(esp32: Esp32) -> None:
    Device.objects.filter(mac=MAC).update(created_at=NOON - timedelta(days=400))


@pytest.fixture
def order(door: Door, staff: str, esp32: Esp32) -> Callable[..., str]:
    def make(command_type: str = "GET_STATUS", **more: Any) -> str:
        return str(door.post(CREATE, {"command_type": command_type, **more}, staff).json()["command_id"])

    return make


@pytest.mark.both_doors
@pytest.mark.parametrize("way", ["event", "batch", "result", "poll"])
def test_it_works(door: Door, esp32: Esp32, order: Callable[..., str], way: str) -> None:
    with time_machine.travel(NOON, tick=False):
        if way == "event":
            assert esp32.press(**VITALS).status == 200
            assert esp32.events()[0].payload == VITALS
        elif way == "batch":
            assert door.post(EVENTS, [esp32.event(), esp32.event(**VITALS)], esp32.token).json()["ack"] is True
        elif way == "result":
            number = order()
            esp32.commands()
            assert esp32.report(number, success=True, **VITALS).status == 200
        else:
            assert esp32.poll(**VITALS).json()["commands"] == []
    assert vitals(esp32) == ("POWERON", -61, 181_204, 3, NOON)


def test_what_is_not_told_stays(esp32: Esp32) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        esp32.poll(**VITALS)
        clock.shift(30)
        esp32.poll(rssi=-70)
        esp32.poll()
    assert vitals(esp32) == ("POWERON", -70, 181_204, 3, NOON + 30 * SECOND)


@pytest.mark.parametrize("way", ["event", "poll"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"rssi": "loud"},
        {"rssi": 2**31},
        {"free_heap": -1},
        {"free_heap": 1.5},
        {"queue_length": "9" * 30},
        {"queue_length": ""},
        {"queue_length": None},
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_vital_says_nothing(esp32: Esp32, way: str, wrong: dict[str, Any]) -> None:
    answer = esp32.press(**wrong) if way == "event" else esp32.poll(**wrong)
    assert answer.status == 200
    assert vitals(esp32) == ("", None, None, None, None)


@pytest.mark.sqlite_only
def test_reasons_are_words_or_the_chips_numbers(esp32: Esp32) -> None:
    esp32.press(reset_reason=3)
    assert esp32.status.reset_reason == "3"
    esp32.poll(reset_reason="Task+watchdog")
    assert esp32.status.reset_reason == "Task watchdog"
    esp32.poll(reset_reason="x" * 65)
    assert esp32.status.reset_reason == "x" * 64
    esp32.poll(reset_reason="%00")
    assert esp32.status.reset_reason == "x" * 64


Word = tuple[str, datetime, datetime, str]
"""By what it is said, when it is said, when it arrives, what."""
WORDS: dict[str, tuple[list[Word], str]] = {
    "a queue after a poll": (
        [
            ("event", EARLY, EARLY, "1"),
            ("poll", NOON, NOON, "2"),
            ("event", NOON - HOUR, NOON, "1"),
        ],
        "2",
    ),
    "a queue after a live press": ([("event", NOON, NOON, "2"), ("event", NOON - HOUR, NOON + SECOND, "1")], "2"),
    "a queue after a handshake": ([("handshake", NOON, NOON, "2"), ("event", NOON - HOUR, NOON + SECOND, "1")], "2"),
    "a later press": ([("poll", NOON, NOON, "2"), ("event", NOON + SECOND, NOON + SECOND, "3")], "3"),
    "a later handshake": ([("event", NOON, NOON, "2"), ("handshake", NOON + SECOND, NOON + SECOND, "1")], "1"),
    "a later poll": ([("event", NOON, NOON, "2"), ("poll", NOON + SECOND, NOON + SECOND, "1")], "1"),
    "of one second": ([("poll", NOON, NOON, "1"), ("event", NOON, NOON + SECOND, "2")], "2"),
    "without a clock": ([("poll", NOON, NOON, "2"), ("unclocked", NOON, NOON + SECOND, "1")], "1"),
    "by a clock that was never set": ([("poll", NOON, NOON, "2"), ("event", BOOT, NOON + SECOND, "3")], "3"),
    "by a clock that was ahead": ([("poll", NOON + HOUR, NOON + HOUR, "2"), ("poll", NOON, NOON, "1")], "1"),
    "of a repeat": ([("event", NOON, NOON, "1"), ("poll", NOON, NOON, "2"), ("repeat", NOON, NOON + SECOND, "1")], "2"),
}


@pytest.mark.parametrize("case", WORDS)
def test_the_firmware_is_that_of_the_newest_word(esp32: Esp32, case: str) -> None:
    words, newest = WORDS[case]
    for way, said_at, arrives_at, firmware in words:
        with time_machine.travel(arrives_at, tick=False):
            if way == "poll":
                answer = esp32.poll(firmware=firmware)
            elif way == "handshake":
                answer = esp32.shake(token=esp32.token, firmware=firmware)
            else:
                more: dict[str, Any] = {} if way == "unclocked" else {"ts": iso(said_at)}
                more |= {"event_id": "same", "counter": 1} if case == "of a repeat" else {}
                answer = esp32.press(firmware=firmware, **more)
            assert answer.status == 200
    assert esp32.device.firmware == newest


def test_a_queue_that_comes_later_leaves_vitals_alone(door: Door, esp32: Esp32) -> None:
    with time_machine.travel(NOON, tick=False):
        esp32.press(ts=iso(NOON - 3 * HOUR), queue_length=1, wifi_status="far")
        esp32.poll(queue_length=7)
        queue = [esp32.event(ts=iso(NOON - HOUR), queue_length=5, firmware="1", wifi_connected=False) for _ in range(3)]
        assert door.post(EVENTS, queue, esp32.token).json()["ack"] is True
    status = esp32.status
    assert (status.queue_length, status.vitals_at, status.wifi_status, status.wifi_connected) == (7, NOON, "far", None)
    assert esp32.device.firmware == "1"  # nobody has told a newer one


def test_the_newest_of_one_batch_in_any_order(door: Door, esp32: Esp32) -> None:
    batch = [
        esp32.event(ts=iso(NOON - number * HOUR), firmware=str(number), queue_length=number) for number in (2, 1, 3)
    ]
    with time_machine.travel(NOON, tick=False):
        assert door.post(EVENTS, batch, esp32.token).json()["ack"] is True
    assert (esp32.device.firmware, esp32.status.queue_length) == ("1", 1)


def test_a_held_poll_tells_it_once_and_at_once(esp32: Esp32) -> None:
    assert esp32.poll(wait=0.05, firmware="2.0", rssi=-50).json()["count"] == 0
    assert (esp32.device.firmware, esp32.status.rssi) == ("2.0", -50)


@pytest.mark.parametrize(
    ("told", "firmware"), [("1.0.0+build.5", "1.0.0+build.5"), ("1.0%20b", "1.0 b"), ("1%2B2", "1+2"), ("", "")]
)
@pytest.mark.sqlite_only
def test_versions_as_sketches_write_them(esp32: Esp32, told: str, firmware: str) -> None:
    assert esp32.poll(firmware=told).status == 200
    assert esp32.device.firmware == firmware


@pytest.mark.parametrize("told", ["x" * 65, "1.0%00"])
@pytest.mark.both_doors
@pytest.mark.sqlite_only
def test_a_firmware_that_cannot_be_kept(esp32: Esp32, told: str) -> None:
    answer = esp32.poll(firmware=told)
    assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["firmware"])
    assert esp32.poll(firmware="x" * 64).status == 200
    assert esp32.device.firmware == "x" * 64


def test_a_command_that_the_firmware_told_by_the_poll_does_not_survive(esp32: Esp32, order: Callable[..., str]) -> None:
    order("REBOOT_DEVICE")
    assert esp32.poll(firmware="1.0.0-sim").json()["commands"] == []
    assert Command.objects.get().error_message.startswith("unsafe_for_firmware")


@pytest.mark.both_doors
class TestCommandsThatWait:
    def test_it_works(self, door: Door, esp32: Esp32, neighbour: Esp32, order: Callable[..., str]) -> None:
        first, second = order(), order("SYNC_TIME")
        event = esp32.event()
        for _ in range(2):  # a repeat hears of them, too
            answer = door.post(EVENTS, event, esp32.token)
            assert answer.json() == {"ack": True, "event_id": event["event_id"], "commands": 2}
        assert door.post(EVENTS, [esp32.event()], esp32.token).json()["commands"] == 2
        assert "commands" not in neighbour.press().json()
        assert {command["command_id"] for command in esp32.commands()} == {first, second}
        assert "commands" not in esp32.press().json()
        order()
        for _ in range(2):
            assert esp32.report(first, success=True).json() == {
                "status": "updated",
                "command_id": first,
                "success": True,
                "commands": 1,
            }
        esp32.commands()
        assert esp32.report(second, success=False).json() == {
            "status": "updated",
            "command_id": second,
            "success": False,
        }

    def test_what_has_expired_does_not_wait(self, esp32: Esp32, order: Callable[..., str]) -> None:
        with time_machine.travel(NOON, tick=False) as clock:
            order(expires_in_hours=1)
            assert esp32.press().json()["commands"] == 1
            clock.shift(HOUR)
            assert "commands" not in esp32.press().json()
