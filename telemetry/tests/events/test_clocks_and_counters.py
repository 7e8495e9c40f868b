"""When an event happened, whether its clock can be believed, and what it does to the counters."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from device_gateway.models import Device, DeviceState
from device_gateway.tests.conftest import refusal
from ozone.wire.times import iso
from telemetry.models import DailyCount, HourlyCount, MachineDevice
from telemetry.tests.conftest import EVENTS, MAC, NOON, Esp32
from tests.support.doors import Door

SECOND = timedelta(seconds=1)


def registered(esp32: Esp32, at: datetime) -> None:
    """As if the device had been registered, and its machine had had it, since then."""
    Device.objects.filter(mac=MAC).update(created_at=at)
    MachineDevice.objects.update(assigned_date=at)


@pytest.fixture
def old(esp32: Esp32) -> Esp32:
    registered(esp32, NOON - timedelta(days=365))
    return esp32


@pytest.mark.parametrize(
    ("ts", "occurred_at", "suspect", "words"),
    [
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00", False, "2026-03-01T10:00:00Z"),
        ("2026-03-01T18:00:00+08:00", "2026-03-01T10:00:00", False, "2026-03-01T18:00:00+08:00"),
        ("2026-03-01 10:00:00", "2026-03-01T02:00:00", False, "2026-03-01 10:00:00"),  # in the fleet's own zone
        (1772359200, "2026-03-01T10:00:00", False, "1772359200"),
        ("1772359200", "2026-03-01T10:00:00", False, "1772359200"),
        (None, "2026-03-01T12:00:00", False, None),
        ("", "2026-03-01T12:00:00", False, None),
        ("soon", "2026-03-01T12:00:00", True, "soon"),
        (16, "2026-03-01T12:00:00", True, "16"),
        ("2019-12-31T23:59:59Z", "2026-03-01T12:00:00", True, "2019-12-31T23:59:59Z"),
        ("2026-03-01T12:10:00Z", "2026-03-01T12:10:00", False, "2026-03-01T12:10:00Z"),
        ("2026-03-01T12:10:01Z", "2026-03-01T12:00:00", True, "2026-03-01T12:10:01Z"),
        ({"a": 1}, "2026-03-01T12:00:00", True, '{"a":1}'),
    ],
)
def test_ts(old: Esp32, settings: Settings, ts: Any, occurred_at: str, suspect: bool, words: str | None) -> None:
    settings.DEVICE_TIME_ZONE = "Asia/Singapore"
    with time_machine.travel(NOON, tick=False):
        assert old.press(ts=ts).status == 200
    (row,) = old.events()
    assert row.occurred_at.astimezone(UTC).replace(tzinfo=None).isoformat() == occurred_at
    assert (row.clock_suspect, row.device_timestamp, row.received_at) == (suspect, words, NOON)


@pytest.mark.parametrize(("earlier", "suspect"), [(-SECOND, False), (timedelta(0), False), (SECOND, True)])
def test_thirty_days_before_the_device_was_registered(esp32: Esp32, earlier: timedelta, suspect: bool) -> None:
    registered(esp32, NOON)
    told = NOON - timedelta(days=30) - earlier
    with time_machine.travel(NOON, tick=False):
        esp32.press(ts=iso(told))
    (row,) = esp32.events()
    assert (row.clock_suspect, row.occurred_at) == (suspect, told)  # the time is kept as told


@pytest.mark.parametrize(("back", "suspect"), [(599, False), (600, False), (601, True)])
def test_a_clock_that_falls_back_behind_an_earlier_event(old: Esp32, back: int, suspect: bool) -> None:
    with time_machine.travel(NOON, tick=False):
        old.press(ts=iso(NOON - timedelta(hours=1)))
        old.press(ts=iso(NOON - timedelta(hours=1, seconds=back)))
    assert [row.clock_suspect for row in old.events()] == [False, suspect]


def test_an_old_queue_is_dated_as_it_happened(old: Esp32) -> None:
    with time_machine.travel(NOON, tick=False):
        for hours in (300, 200, 100, 1):
            old.press(ts=iso(NOON - timedelta(hours=hours)))
    assert [row.clock_suspect for row in old.events()] == [False] * 4
    assert old.events()[0].occurred_at == NOON - timedelta(hours=300)


# --- Counters ---


def counts(esp32: Esp32) -> tuple[int, ...]:
    return tuple(esp32.status.counts.values())


def test_current_counters_are_taken_whole_and_else_the_treatments_own(old: Esp32) -> None:
    old.press(current_counters={"basic": 10, "standard": 20, "premium": 30})
    assert counts(old) == (10, 20, 30)
    old.press("STANDARD", counter=21)
    assert counts(old) == (10, 21, 30)
    assert [row.count_standard for row in old.events()] == [20, None]


def test_a_late_event_leaves_them_alone(old: Esp32) -> None:
    with time_machine.travel(NOON, tick=False):
        old.press(counter=9, ts=iso(NOON - timedelta(minutes=1)))
        old.press(counter=7, ts=iso(NOON - timedelta(minutes=2)))
        assert counts(old) == (9, 0, 0)
        old.press(counter=8, ts=iso(NOON - timedelta(minutes=1)))  # the same second: they never go back
    assert counts(old) == (9, 0, 0)


def test_a_suspect_event_moves_them_by_its_arrival(old: Esp32) -> None:
    with time_machine.travel(NOON, tick=False):
        old.press(counter=9, ts=iso(NOON - timedelta(hours=1)))
        old.press(counter=10, ts="2021-01-01T00:00:16Z")
    assert [row.clock_suspect for row in old.events()] == [False, True]
    assert counts(old) == (10, 0, 0)
    assert old.events()[1].machine_id is not None


def test_what_was_pressed_before_a_reset_and_sent_after_it(old: Esp32, door: Door, staff: str) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        old.press(counter=50, ts=iso(NOON))
        made = door.post(f"/api/device/{MAC}/commands/create/", {"command_type": "RESET_COUNTERS"}, staff).json()
        clock.shift(60)
        old.commands()
        assert old.report(made["command_id"], success=True).status == 200
        assert counts(old) == (0, 0, 0)
        old.press(counter=51, ts=iso(NOON + timedelta(seconds=59)))
        assert counts(old) == (0, 0, 0)
        clock.shift(60)
        old.press(counter=1, ts=iso(NOON + timedelta(seconds=100)))
    assert counts(old) == (1, 0, 0)


# --- Roll-ups ---


def hours() -> list[tuple[str, int, int, int]]:
    rows = HourlyCount.objects.order_by("starts_at", "pk")
    return [(f"{row.starts_at:%m-%d %H:%M}", row.basic, row.standard, row.premium) for row in rows]


def days() -> list[tuple[str, int, int, int]]:
    rows = DailyCount.objects.order_by("starts_at", "pk")
    return [(f"{row.starts_at:%m-%d %H:%M}", row.basic, row.standard, row.premium) for row in rows]


@pytest.mark.parametrize(
    ("zone", "ts", "hour", "day"),
    [
        ("UTC", "2026-02-10T05:59:59Z", "02-10 05:00", "02-10 00:00"),
        ("Asia/Kathmandu", "2026-02-10T05:20:00Z", "02-10 05:15", "02-09 18:15"),
        ("Asia/Kathmandu", "2026-02-10T05:10:00Z", "02-10 04:15", "02-09 18:15"),
        ("Europe/Berlin", "2025-10-26T00:30:00Z", "10-26 00:00", "10-25 22:00"),  # 02:30, before the clocks go back
        ("Europe/Berlin", "2025-10-26T01:30:00Z", "10-26 01:00", "10-25 22:00"),  # 02:30 once more
        ("Europe/Berlin", "2025-10-26T23:30:00Z", "10-26 23:00", "10-26 23:00"),
        ("America/Asuncion", "2024-10-06T05:00:00Z", "10-06 05:00", "10-06 04:00"),  # its midnight was skipped
    ],
)
def test_hours_and_days_of_a_zone(esp32: Esp32, settings: Settings, zone: str, ts: str, hour: str, day: str) -> None:
    registered(esp32, datetime(2024, 1, 1, tzinfo=UTC))
    settings.STATS_TIME_ZONE = zone
    with time_machine.travel(NOON, tick=False):
        esp32.press("PREMIUM", ts=ts)
    assert (hours(), days()) == ([(hour, 0, 0, 1)], [(day, 0, 0, 1)])


def test_an_event_belongs_to_who_held_its_device_when_it_occurred(esp32: Esp32) -> None:
    binding = MachineDevice.objects.get()
    machine, outlet = binding.machine_id, binding.outlet_id
    registered(esp32, NOON - timedelta(days=2))
    MachineDevice.objects.update(is_active=False, deactivated_date=NOON - timedelta(days=1))
    with time_machine.travel(NOON, tick=False):
        for seconds in (-1, 0, 1):
            esp32.press(ts=iso(NOON - timedelta(days=1) + timedelta(seconds=seconds)))
        esp32.press(ts=iso(NOON))
    assert [(row.machine_id, row.outlet_id) for row in esp32.events()] == [(machine, outlet), *[(None, None)] * 3]
    assert sorted(DailyCount.objects.values_list("machine_id", "outlet_id", "basic")) == [
        (0, 0, 1),
        (0, 0, 2),
        (machine, outlet, 1),
    ]


# --- Redating ---


def test_suspect_events_get_their_arrival_time_and_the_counts_follow(old: Esp32, door: Door, staff: str) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        old.press(ts=iso(NOON))
        for _ in range(3):
            clock.shift(3600)
            old.press("PREMIUM", ts="2025-01-01T00:00:16Z")
    assert days() == [("01-01 00:00", 0, 0, 3), ("03-01 00:00", 1, 0, 0)]
    until = iso(NOON + timedelta(hours=2))
    answer = door.post(f"/api/devices/{MAC}/redate/", {"until": until}, staff)
    assert (answer.status, answer.json()) == (200, {"status": "redated", "count": 2})
    assert [day for day in days() if any(day[1:])] == [("01-01 00:00", 0, 0, 1), ("03-01 00:00", 1, 0, 2)]
    assert door.post(f"/api/devices/{MAC}/redate/", {}, staff).json()["count"] == 1
    assert [hour for hour in hours() if any(hour[1:])] == [
        ("03-01 12:00", 1, 0, 0),
        ("03-01 13:00", 0, 0, 1),
        ("03-01 14:00", 0, 0, 1),
        ("03-01 15:00", 0, 0, 1),
    ]
    rows = old.events()
    assert [row.occurred_at == row.received_at for row in rows] == [True] * 4
    assert [row.clock_suspect for row in rows] == [False] * 4
    assert [row.device_timestamp for row in rows][1:] == ["2025-01-01T00:00:16Z"] * 3
    assert door.post(f"/api/devices/{MAC}/redate/", {}, staff).json()["count"] == 0
    assert refusal(door.post(f"/api/devices/{MAC}/redate/", {"until": "noon"}, staff)) == (400, "invalid")


def test_more_than_one_step_of_them(old: Esp32, door: Door, staff: str) -> None:
    for _ in range(2):
        door.post(EVENTS, [old.event(ts="2019-01-01T00:00:00Z") for _ in range(400)], old.token)
    assert door.post(f"/api/devices/{MAC}/redate/", {}, staff).json()["count"] == 800


def test_a_press_of_the_same_second_as_a_result_or_a_suspect_event(old: Esp32, door: Door, staff: str) -> None:
    with time_machine.travel(NOON + timedelta(milliseconds=400), tick=False) as clock:
        made = door.post(f"/api/device/{MAC}/commands/create/", {"command_type": "GET_STATUS"}, staff).json()
        old.commands()
        told = {"basic": 5, "standard": 0, "premium": 0}
        assert old.report(made["command_id"], success=True, current_counters=told).status == 200
        old.press(counter=6, ts=iso(NOON))  # devices tell whole seconds
        assert counts(old) == (6, 0, 0)
        old.press(counter=7, ts="2021-01-01T00:00:16Z")
        old.press(counter=8, ts=iso(NOON))
        assert counts(old) == (8, 0, 0)
        old.press(counter=4, ts=iso(NOON))
        assert counts(old) == (8, 0, 0)
        clock.shift(1)
        old.press(counter=9, ts=iso(NOON + SECOND))
    assert counts(old) == (9, 0, 0)


def test_a_slow_clocks_press_after_a_result_moves_the_counters(old: Esp32, door: Door, staff: str) -> None:
    with time_machine.travel(NOON, tick=False):
        made = door.post(f"/api/device/{MAC}/commands/create/", {"command_type": "GET_STATUS"}, staff).json()
        old.commands()
        told = {"basic": 5, "standard": 0, "premium": 0}
        assert old.report(made["command_id"], success=True, current_counters=told).status == 200
        old.press(counter=6, ts=iso(NOON - 60 * SECOND))
    assert counts(old) == (6, 0, 0)


class TestTheServersClockIsSetBack:
    """By three hours: what it stored before lies ahead of now, and holds nothing back."""

    LATER = NOON + timedelta(hours=3)

    def test_last_seen_last_poll_and_counters_go_on(self, old: Esp32) -> None:
        with time_machine.travel(self.LATER, tick=False):
            old.press(counter=7)
            old.poll()
            state = DeviceState.objects.get(device__mac=MAC)
            assert (state.last_seen, state.last_poll) == (self.LATER, self.LATER)
        with time_machine.travel(NOON, tick=False):
            old.press(counter=8)
            old.poll()
            state = DeviceState.objects.get(device__mac=MAC)
            assert (state.last_seen, state.last_poll) == (NOON, NOON)
            assert old.status.current_count_basic == 8
        with time_machine.travel(NOON - 30 * SECOND, tick=False):  # as another process's clock may be
            old.press(counter=9)
            assert DeviceState.objects.get(device__mac=MAC).last_seen == NOON

    def test_counters_after_a_reset(self, old: Esp32, staff: str) -> None:
        with time_machine.travel(self.LATER, tick=False):
            old.press(counter=7)
            created = old.door.post(f"/api/device/{MAC}/commands/create/", {"command_type": "RESET_COUNTERS"}, staff)
            assert created.status == 201
            (command,) = old.commands()
            assert old.report(command["command_id"], success=True).status == 200
        with time_machine.travel(NOON, tick=False):
            old.press(ts=iso(NOON), counter=1)
        assert old.status.current_count_basic == 1

    def test_the_newest_event_casts_no_doubt(self, old: Esp32) -> None:
        with time_machine.travel(self.LATER, tick=False):
            old.press(ts=iso(self.LATER))
        with time_machine.travel(NOON, tick=False):
            old.press(ts=iso(NOON))
        assert [row.clock_suspect for row in old.events()] == [False, False]

    def test_a_sent_command_does_not_wait_three_hours(self, old: Esp32, staff: str) -> None:
        with time_machine.travel(self.LATER, tick=False):
            old.door.post(f"/api/device/{MAC}/commands/create/", {"command_type": "GET_STATUS"}, staff)
            (first,) = old.commands()
        with time_machine.travel(NOON, tick=False):
            (again,) = old.commands()
        assert again["command_id"] == first["command_id"]
