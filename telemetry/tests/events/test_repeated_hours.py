"""Local times around a change of the clocks: what daylight saving repeats or skips is dated as it happened."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from pytest_django import Settings

from ozone.wire.times import believed
from telemetry.tests.conftest import EVENTS, Esp32
from telemetry.tests.events.test_clocks_and_counters import counts, registered

MINUTE = timedelta(minutes=1)
ZONES = (
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "Europe/Berlin",
    "Europe/London",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Australia/Sydney",
    "Australia/Lord_Howe",  # by half an hour
    "Pacific/Auckland",
    "Pacific/Chatham",  # 12:45 from UTC
)


def changes(zone: str, year: int) -> list[datetime]:
    """The instants, to the minute, at which the zone's clock is moved in that year: by day, then by its quarters."""
    days = moved([datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=number) for number in range(367)], zone)
    return [at for day in days for at in moved([day - 15 * MINUTE * number for number in range(96, -1, -1)], zone)]


def moved(moments: list[datetime], zone: str) -> list[datetime]:
    """Those at which the clock stands otherwise to UTC than at the one before."""
    offsets = [moment.astimezone(ZoneInfo(zone)).utcoffset() for moment in moments]
    return [moments[place] for place in range(1, len(moments)) if offsets[place] != offsets[place - 1]]


def local(moment: datetime, zone: str, spelling: str = "%Y-%m-%d %H:%M:%S") -> str:
    return moment.astimezone(ZoneInfo(zone)).strftime(spelling)


def pressed_around(change: datetime) -> list[datetime]:
    return [change + 13 * MINUTE * number for number in range(-20, 21)]


@pytest.fixture
def old(esp32: Esp32) -> Esp32:
    registered(esp32, datetime(2025, 1, 1, tzinfo=UTC))
    return esp32


def test_live_presses_of_the_second_pass(old: Esp32, settings: Settings) -> None:
    settings.DEVICE_TIME_ZONE = "America/New_York"
    presses = ["05:40", "05:55", "06:10", "06:30", "06:50", "07:10"]
    told = ["01:40", "01:55", "01:10", "01:30", "01:50", "02:10"]
    for number, (at, words) in enumerate(zip(presses, told, strict=True), 1):
        with time_machine.travel(f"2026-11-01T{at}:00Z", tick=False):
            counters = {"basic": number, "standard": 0, "premium": 0}
            assert old.press(ts=f"2026-11-01 {words}:00", current_counters=counters).status == 200
    rows = old.events()
    assert [f"{row.occurred_at:%H:%M}" for row in rows] == presses
    assert [row.clock_suspect for row in rows] == [False] * 6
    assert counts(old) == (6, 0, 0)


@pytest.mark.parametrize("spelling", ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%dT%H%M%S"])
def test_a_queue_that_comes_hours_later(old: Esp32, settings: Settings, spelling: str) -> None:
    settings.DEVICE_TIME_ZONE = "America/New_York"
    presses = pressed_around(datetime(2026, 11, 1, 6, tzinfo=UTC))
    queue = [old.event(ts=local(at, "America/New_York", spelling)) for at in presses]
    with time_machine.travel("2026-11-02T00:00:00Z", tick=False):
        assert old.door.post(EVENTS, queue, old.token).json()["ack"] is True
    rows = old.events()
    assert [row.occurred_at for row in rows] == presses
    assert not any(row.clock_suspect for row in rows)


def test_the_last_stored_event_counts_for_the_next_request(old: Esp32, settings: Settings) -> None:
    settings.DEVICE_TIME_ZONE = "Europe/Berlin"
    presses = pressed_around(datetime(2025, 10, 26, 1, tzinfo=UTC))
    with time_machine.travel("2025-10-27T00:00:00Z", tick=False):
        for at in presses:
            assert old.press(ts=local(at, "Europe/Berlin")).status == 200
    assert [row.occurred_at for row in old.events()] == presses


@pytest.mark.thorough
@pytest.mark.parametrize("zone", ZONES)
def test_every_change_of_two_years(old: Esp32, settings: Settings, zone: str) -> None:
    """Live and as a queue, each from its own device's point of view: exact to the second."""
    settings.DEVICE_TIME_ZONE = zone
    changed = [change for year in (2025, 2026) for change in changes(zone, year)]
    assert changed
    for number, change in enumerate(changed):
        presses = pressed_around(change)
        for at in presses:
            assert believed(local(at, zone), at + MINUTE) == (at, None), "live"
        queue: list[Any] = [
            old.event(event_id=f"{number}-{index}", ts=local(at, zone)) for index, at in enumerate(presses)
        ]
        with time_machine.travel(change + timedelta(hours=30), tick=False):
            for part in (queue[:25], queue[25:]):
                assert old.door.post(EVENTS, part, old.token).json()["ack"] is True
        rows = [row for row in old.events() if row.event_id.startswith(f"{number}-")]
        assert [row.occurred_at for row in rows] == presses
        assert not any(row.clock_suspect for row in rows)
