"""POST iot: the legacy form, which carries no credential."""

from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from pytest_django import Settings

from conftest import MonotonicClock
from device_gateway.models import Device, DeviceState
from device_gateway.tests.conftest import at_once, refusal
from telemetry.models import DailyCount, DeviceStatus, TelemetryEvent
from telemetry.tests.conftest import MAC, NOON, Esp32
from tests.support.doors import Answer, Door

IOT = "/api/iot/"
PRESS = {
    "mode": "BASIC",
    "macaddr": MAC,
    "type1": "10",
    "type2": "20",
    "type3": "30",
    "count1": "5",
    "count2": "6",
    "count3": "7",
    "timestamp": "2026-03-01 11:30:25",
}


@pytest.fixture(autouse=True)
def _on(settings: Settings) -> None:
    settings.LEGACY_INGEST = "on"


def send(door: Door, **fields: Any) -> Answer:
    form = urlencode({name: value for name, value in {**PRESS, **fields}.items() if value is not None})
    return door.send("POST", IOT, form.encode(), {"Content-Type": "application/x-www-form-urlencoded"})


def test_it_works(door: Door, write_path: None) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = send(door, rtc_available="true", sd_available="false", extra="e")
    row = TelemetryEvent.objects.get()
    assert (answer.status, answer.json()) == (200, {"status": "ok", "id": row.pk})
    assert (row.event, row.event_type, row.treatment, row.counter, row.source) == (
        "treatment",
        "BASIC",
        "BASIC",
        5,
        "legacy",
    )
    assert (row.count_basic, row.count_standard, row.count_premium, row.payload) == (
        5,
        6,
        7,
        {"type1": "10", "type2": "20", "type3": "30", "rtc_available": "true", "sd_available": "false", "extra": "e"},
    )
    assert (row.occurred_at.hour, row.device_timestamp, row.received_at) == (11, "2026-03-01 11:30:25", NOON)
    status = DeviceStatus.objects.get()
    assert (status.counts, status.on_time) == ({"basic": 5, "standard": 6, "premium": 7}, [10, 20, 30])
    assert (status.rtc_available, status.sd_card_available, status.mode) == (True, False, "BASIC")
    device = Device.objects.get()
    assert (device.mac, device.assigned, device.state.last_seen) == (MAC, False, NOON)
    assert [row.basic for row in DailyCount.objects.all()] == [1]


@pytest.mark.both_doors
def test_json_too_and_both_slashes(door: Door, write_path: None) -> None:
    first = door.post("/api/iot", PRESS)
    assert (first.status, send(door).json()) == (200, first.json())
    assert refusal(door.send("POST", IOT, b"x", {"Content-Type": "text/plain"})) == (415, "wrong_content_type")
    said = door.send("POST", IOT, b"x", {"Content-Type": "text/plain"}).json()["detail"]
    assert "application/x-www-form-urlencoded" in said


def test_status_makes_a_row_that_is_no_treatment(door: Door, write_path: None) -> None:
    assert send(door, mode="status").status == 200
    row = TelemetryEvent.objects.get()
    assert (row.event_type, row.treatment, row.counter) == ("status", None, None)
    assert DeviceStatus.objects.get().counts == {"basic": 5, "standard": 6, "premium": 7}
    assert DailyCount.objects.count() == 0


def test_a_repeat_returns_the_first_id_and_moves_last_seen(door: Door, write_path: None) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        first = send(door).json()["id"]
        clock.shift(60)
        assert send(door).json()["id"] == first
    assert TelemetryEvent.objects.count() == 1
    assert DeviceState.objects.get().last_seen is not None
    assert (DeviceState.objects.get().last_seen - NOON).total_seconds() == 60  # type: ignore[operator]


def test_the_same_again_after_a_counter_reset_is_another_press(door: Door, write_path: None) -> None:
    unset = {"timestamp": "2000-01-01 00:00:16", "count2": 0, "count3": 0}
    first = send(door, count1=1, **unset).json()["id"]
    second = send(door, count1=2, **unset).json()["id"]
    assert send(door, count1=1, **unset).json()["id"] == first  # so far it can only be a late copy
    assert send(door, mode="status", count1=0, **unset).status == 200
    again = send(door, count1=1, **unset).json()["id"]
    assert len({first, second, again}) == 3
    assert send(door, count1=1, **unset).json()["id"] == again
    assert DeviceStatus.objects.get().counts["basic"] == 1
    assert [row.basic for row in DailyCount.objects.all()] == [3]


@pytest.mark.alike
def test_a_late_message_is_no_reset(door: Door, write_path: None) -> None:
    with time_machine.travel(NOON, tick=False):
        send(door, count1=6, timestamp="2026-03-01 11:31:00")
        send(door, count1=5, timestamp="2026-03-01 11:30:00")
    status = DeviceStatus.objects.get()
    assert (status.counts["basic"], status.resets) == (6, 0)


@pytest.mark.both_doors
def test_two_at_once_make_one_row(door: Door, write_path: None) -> None:
    answers = at_once(8, lambda _: send(door))
    assert len({answer.body for answer in answers}) == 1
    assert TelemetryEvent.objects.count() == Device.objects.count() == 1


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"macaddr": None}, "macaddr"),
        ({"macaddr": "EC:E3"}, "macaddr"),
        ({"mode": "GOLD"}, "mode"),
        ({"mode": None}, "mode"),
        ({"count1": "-1"}, "count1"),
        ({"count2": "many"}, "count2"),
        ({"count3": str(2**31)}, "count3"),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_message(door: Door, write_path: None, change: dict[str, Any], field: str) -> None:
    answer = send(door, **change)
    assert refusal(answer) == (400, "invalid")
    assert list(answer.json()["errors"]) == [field]
    assert Device.objects.count() == 0


@pytest.mark.both_doors
def test_bad_encodings(door: Door, write_path: None) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert refusal(door.send("POST", IOT, b"mode=\xff", form)) == (400, "malformed_json")
    assert refusal(door.send("POST", IOT, b"mode=%00", form)) == (400, "nul_character")
    many = "&".join(f"f{number}=1" for number in range(101)).encode()
    assert refusal(door.send("POST", IOT, many, form)) == (400, "too_many_fields")
    assert door.send("POST", IOT, b"a=" + b"x" * 300_000, form).status == 413


@pytest.mark.alike
@pytest.mark.both_doors
def test_who_may(door: Door, stranger: Esp32, settings: Settings) -> None:
    settings.LEGACY_INGEST = "assigned"
    assert refusal(send(door)) == (403, "not_assigned")
    stranger.shake()
    assert refusal(send(door)) == (403, "not_assigned")
    stranger.assign()
    assert send(door).status == 200
    settings.LEGACY_INGEST = "off"
    assert refusal(send(door)) == (404, "not_found")


def test_the_default_of_production_is_assigned(door: Door, write_path: None, settings: Settings) -> None:
    settings.LEGACY_INGEST = ""
    assert refusal(send(door)) == (403, "not_assigned")
    settings.DEBUG = True
    assert send(door).status == 200


@pytest.mark.alike
def test_a_device_that_has_used_a_token_is_not_to_be_forged(door: Door, esp32: Esp32) -> None:
    assert send(door).status == 200  # it has a token, and has never used it
    esp32.press(event_id="with-a-token")
    assert refusal(send(door, count1="6")) == (403, "token_required")
    assert TelemetryEvent.objects.count() == 2


@pytest.mark.both_doors
def test_messages_of_an_address_are_limited(
    door: Door, write_path: None, settings: Settings, limits_clock: MonotonicClock
) -> None:
    settings.LIMIT_LEGACY = "2/10"
    assert [send(door).status for _ in range(3)] == [200, 200, 429]
