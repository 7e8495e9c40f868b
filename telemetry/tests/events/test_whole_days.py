"""A date is a day: whoever asks for March by dates gets its 31st, at every endpoint, in the server's zone."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django import Settings

from device_gateway.models import DeviceTelemetry
from telemetry.tests.cast import Site, press

MARCH = "start=2026-03-01&end=2026-03-31"
HOURS = {"UTC": 0, "Asia/Singapore": 8, "America/St_Johns": -3.5}  # in the first days of March, not daylight saving


@pytest.fixture
def march(site: Site, settings: Settings, request: pytest.FixtureRequest) -> int:
    """A press and a reading in the first and the last second of each day of March and the days around it."""
    settings.STATS_TIME_ZONE = request.param
    first = datetime(2026, 2, 28, tzinfo=UTC) - timedelta(hours=HOURS[request.param])
    moments = [first + timedelta(days=day, seconds=second) for day in range(8) for second in (0, 86_399)]
    for at in moments:
        press(site.device, at)
        DeviceTelemetry.objects.create(device=site.device, occurred_at=at, received_at=at, payload={})
    return 14  # seconds of the seven days of March among them


@pytest.mark.parametrize("march", HOURS, indirect=True)
def test_every_endpoint_counts_whole_days(site: Site, march: int) -> None:
    with time_machine.travel("2026-04-10T12:00:00Z", tick=False):
        read = site.olga.read
        assert len(read(f"/api/events/?{MARCH}")) == march
        assert read(f"/api/events/analytics/?{MARCH}")["totals"]["total"] == march
        assert site.olga.get(f"/api/export/?{MARCH}").body.count(b"\r\n") - 1 == march
        assert read(f"/api/stats/?{MARCH}")["kpi"]["total"] == march
        assert read(f"/api/stats/?{MARCH}&granularity=hour")["kpi"]["total"] == march
        assert len(read(f"/api/stats/?{MARCH}")["labels"]) == 31
        assert len(read(f"/gateway/devices/{site.device.pk}/telemetry?{MARCH}")["results"]) == march
        assert len(read("/api/events/?start=2026-03-02&end=2026-03-02")) == 2
        assert len(read("/api/events/?end=2026-03-01&days=300")) == 4


def test_days_count_by_arrival(site: Site) -> None:
    """What is told late shows, and two exports of a day each miss nothing between them."""
    now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    press(site.device, now - timedelta(days=9), received_at=now - timedelta(hours=23, minutes=59))
    press(site.device, now - timedelta(days=9), received_at=now - timedelta(hours=24, seconds=1))
    with time_machine.travel(now, tick=False):
        assert site.olga.get("/api/export/?days=1").body.count(b"\r\n") - 1 == 1
        assert len(site.olga.read("/api/events/?days=1")) == 1
