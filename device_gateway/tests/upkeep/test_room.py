"""How large the database is, what a day adds, and when there is no room left."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.utils import timezone
from prometheus_client import REGISTRY
from pytest_django import Settings

from device_gateway.models import Device, DeviceTelemetry, RoomSample
from device_gateway.room import forecast, look, sample

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
GB = 10**9

pytestmark = pytest.mark.django_db


def note(ago: timedelta, used: int, free: int | None = None, told: int = 0) -> None:
    RoomSample.objects.create(at=NOW - ago, used=used, free=free, rows=told, told=told)


def test_it_works() -> None:
    note(8 * DAY, 1 * GB, told=100)  # older than a week
    note(4 * DAY, 6 * GB, told=1_000)
    note(HOUR, 9 * GB, told=1_700)
    note(0 * DAY, 10 * GB, 41 * GB, told=1_800)
    assert forecast() == (NOW, 10 * GB, 41 * GB, 1_800, 1 * GB, 200, 41.0)


@pytest.mark.parametrize(
    ("before", "free", "expected"),
    [
        ((5 * HOUR, 9 * GB), 40 * GB, (None, None)),  # too short a time
        ((6 * HOUR, 10 * GB - 1), 40 * GB, (4, 10 * GB)),
        ((2 * DAY, 10 * GB), 40 * GB, (0, None)),
        ((2 * DAY, 12 * GB), 40 * GB, (-GB, None)),
        ((2 * DAY, 8 * GB), None, (GB, None)),
        ((2 * DAY, 8 * GB), 0, (GB, 0)),
    ],
)
def test_what_is_not_known(before: tuple[timedelta, int], free: int | None, expected: tuple[Any, Any]) -> None:
    note(*before)
    note(0 * DAY, 10 * GB, free)
    found = forecast()
    assert found
    assert (found.bytes_a_day, found.days) == expected


def test_nothing_was_noted() -> None:
    assert forecast() is None


def test_the_warning_comes_in_time() -> None:
    note(DAY, 9 * GB)
    note(0 * DAY, 10 * GB, 30 * GB)
    assert not forecast().is_soon  # type: ignore[union-attr]
    note(timedelta(0), 10 * GB, 29 * GB)
    assert forecast().is_soon  # type: ignore[union-attr]


def test_it_grows_by_what_is_stored() -> None:
    before = sample(NOW)
    device = Device.objects.create(name="Meter")
    DeviceTelemetry.objects.bulk_create(
        DeviceTelemetry(device=device, occurred_at=NOW, received_at=NOW, payload={"words": "a" * 500})
        for _ in range(2_000)
    )
    after = sample(NOW)
    assert 1_000_000 < after.used - before.used < 5_000_000
    assert after.rows - before.rows == after.told - before.told + (0 if before.rows else 2_000 - after.told)
    assert after.rows == 2_000 + before.rows
    DeviceTelemetry.objects.filter(pk__lte=after.told - 500).delete()
    if connection.vendor == "sqlite":
        assert sample(NOW).used < after.used - 500_000
        assert after.free and after.free > GB // 10
    assert sample(NOW).rows == 500


def test_what_it_may_take_in_all(settings: Settings) -> None:
    used = sample(NOW).used
    settings.DATABASE_ROOM = used + 5_000_000
    found = sample(NOW)
    assert found.free == settings.DATABASE_ROOM - found.used
    settings.DATABASE_ROOM = 1
    assert sample(NOW).free == 0


def test_it_is_noted_once_an_hour_and_kept_for_a_week() -> None:
    for minutes in range(0, 9 * 24 * 60, 45):
        look(NOW + minutes * timedelta(minutes=1))
    times = sorted(RoomSample.objects.values_list("at", flat=True))
    assert all(later - earlier >= HOUR for earlier, later in pairwise(times))
    assert timedelta(days=7) <= times[-1] - times[0] <= timedelta(days=7, hours=2)


def test_a_clock_that_was_set_back() -> None:
    look(NOW + 100 * DAY)
    look(NOW)
    assert [*RoomSample.objects.values_list("at", flat=True)] == [NOW]


def test_the_metrics() -> None:
    note(2 * DAY, 8 * GB, told=1_000)
    note(timedelta(0), 10 * GB, 41 * GB, told=3_000)
    look(NOW)
    figures = {
        (metric, label): REGISTRY.get_sample_value(metric, {name: label})
        for metric, name, labels in (
            ("ozone_database_bytes", "part", ("used", "free", "a_day")),
            ("ozone_database_rows", "part", ("now", "a_day")),
            ("ozone_database_days", "until", ("full",)),
        )
        for label in labels
    }
    assert [*figures.values()] == [10 * GB, 41 * GB, GB, 3_000, 1_000, 41]
    note(timedelta(0), 8 * GB, 41 * GB, told=3_000)
    look(NOW)
    assert REGISTRY.get_sample_value("ozone_database_days", {"until": "full"}) == float("inf")


class TestCommand:
    @staticmethod
    def run() -> list[str]:
        out = StringIO()
        call_command("forecast", stdout=out)
        return out.getvalue().splitlines()

    def test_at_first(self) -> None:
        (first, second) = self.run()
        assert first.startswith("The database holds ") and " and some 0 readings and events; " in first
        assert second == "What a day adds is known when a server has run for 6 hours."

    def test_in_time(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        now = timezone.now()
        RoomSample.objects.create(at=now - 2 * DAY, used=8 * 2**30, free=None, rows=0, told=1_000_000)
        taken = RoomSample(at=now, used=10 * 2**30, free=41 * 2**30, rows=3_000_000, told=3_000_000)
        monkeypatch.setattr("device_gateway.management.commands.forecast.sample", lambda _: taken)
        assert self.run() == [
            "The database holds 10.0 GB and some 3,000,000 readings and events; 41.0 GB free.",
            "A day adds 1.0 GB and 1,000,000 readings and events.",
            "Full in 41 days.",
        ]
        taken.free = None
        assert self.run()[0].endswith("; how much is free is not known here: set DATABASE_ROOM.")
        taken.used = 8 * 2**30
        assert self.run()[1:] == ["A day adds 0 bytes and 1,000,000 readings and events.", "It does not grow."]
