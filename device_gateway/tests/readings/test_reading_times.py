"""When a reading happened: its timestamp against the server's clock, and which one is the latest."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from pytest_django import Settings

from device_gateway.models import DeviceState
from device_gateway.tests.conftest import Meter
from ozone.wire.times import iso
from tests.support.doors import Door

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENT = datetime(2025, 9, 16, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "occurred_at", "kept"),
    [
        ("2025-09-16T12:34:56Z", MOMENT, "2025-09-16T12:34:56Z"),
        ("2025-09-16T20:34:56+08:00", MOMENT, "2025-09-16T20:34:56+08:00"),
        ("2025-09-16 12:34:56", MOMENT, "2025-09-16 12:34:56"),
        (1758026096, MOMENT, "1758026096"),
        (1758026096.5, MOMENT + SECOND / 2, "1758026096.5"),
        ("1758026096", MOMENT, "1758026096"),
        (iso(NOW + timedelta(minutes=10)), NOW + timedelta(minutes=10), "2026-03-01T12:10:00Z"),
        (iso(NOW + timedelta(minutes=10) + SECOND), NOW, "2026-03-01T12:10:01Z"),
        ("2020-01-01T00:00:00Z", datetime(2020, 1, 1, tzinfo=UTC), "2020-01-01T00:00:00Z"),
        ("2019-12-31T23:59:59Z", NOW, "2019-12-31T23:59:59Z"),
        ("soon", NOW, "soon"),
        ("", NOW, ""),
        (True, NOW, "true"),
        ({"at": 1}, NOW, '{"at":1}'),
        (None, NOW, None),
    ],
)
def test_what_becomes_of_a_timestamp(
    door: Door, meter: Meter, words: Any, occurred_at: datetime, kept: str | None
) -> None:
    with time_machine.travel(NOW, tick=False):
        assert meter.send(door, {"timestamp": words}).status == 201
        assert meter.send(door, [{"timestamp": words}]).status == 201
    for row in meter.rows():
        assert (row.occurred_at, row.received_at, row.device_timestamp) == (occurred_at, NOW, kept)
        assert row.payload == {"timestamp": words}


def test_local_words_are_read_in_the_devices_zone(door: Door, meter: Meter, settings: Settings) -> None:
    settings.DEVICE_TIME_ZONE = "Asia/Singapore"
    assert meter.send(door, {"timestamp": "2025-09-16 20:34:56"}).status == 201
    assert meter.rows()[0].occurred_at == MOMENT


class TestAnHourThatIsRepeated:
    """In Berlin's autumn 02:00 to 03:00 comes twice; the second time it is 01:00 UTC."""

    MOMENTS = [datetime(2025, 10, 26, 1, tzinfo=UTC) + timedelta(minutes=13) * number for number in range(-9, 10)]

    @pytest.fixture(autouse=True)
    def berlin(self, settings: Settings) -> None:
        settings.DEVICE_TIME_ZONE = "Europe/Berlin"

    def told(self, *, ids: bool = False) -> list[dict[str, Any]]:
        zone = ZoneInfo("Europe/Berlin")
        words = [f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S}" for moment in self.MOMENTS]
        return [{"timestamp": text, "n": n, **({"message_id": f"{n}"} if ids else {})} for n, text in enumerate(words)]

    @pytest.mark.parametrize("ids", [False, True])
    @pytest.mark.parametrize("size", [1, 5, 19])
    def test_a_queue_that_comes_hours_later(self, door: Door, meter: Meter, size: int, ids: bool) -> None:
        queue = self.told(ids=ids)
        with time_machine.travel(NOW, tick=False):
            for start in range(0, len(queue), size):
                part = queue[start : start + size]
                assert meter.send(door, part[0] if size == 1 else part).status == 201
        assert [row.occurred_at for row in meter.rows()] == self.MOMENTS

    def test_live(self, door: Door, meter: Meter) -> None:
        for moment, reading in zip(self.MOMENTS, self.told(), strict=True):
            with time_machine.travel(moment + SECOND, tick=False):
                assert meter.send(door, reading).status == 201
        assert [row.occurred_at for row in meter.rows()] == self.MOMENTS

    def test_a_repeat_is_none_the_less_one(self, door: Door, meter: Meter) -> None:
        with time_machine.travel(NOW, tick=False):
            for _ in range(2):
                assert meter.send(door, self.told(ids=True)).status == 201
        assert [row.occurred_at for row in meter.rows()] == self.MOMENTS

    def test_another_devices_readings_decide_nothing(self, door: Door, meter: Meter, other_meter: Meter) -> None:
        with time_machine.travel(NOW, tick=False):
            other_meter.send(door, {"n": 1})
            assert meter.send(door, {"timestamp": "2025-10-26 02:30:00"}).status == 201
        assert meter.rows()[0].occurred_at == datetime(2025, 10, 26, 0, 30, tzinfo=UTC)


def latest() -> Any:
    return DeviceState.objects.get().latest_payload


class TestLatest:
    """The reading with the greatest (occurred_at, id)."""

    def test_a_late_upload_is_not_the_latest(self, door: Door, meter: Meter) -> None:
        meter.send(door, {"n": 1})
        meter.send(door, {"n": 2, "timestamp": "2025-09-16T12:34:56Z"})
        assert latest() == {"n": 1}
        meter.send(door, {"n": 3})
        assert latest() == {"n": 3}

    def test_of_equal_times_the_one_stored_later(self, door: Door, meter: Meter) -> None:
        for n in (1, 2):
            meter.send(door, {"n": n, "timestamp": iso(MOMENT)})
            assert latest()["n"] == n

    def test_within_a_batch(self, door: Door, meter: Meter) -> None:
        meter.send(door, [{"n": n, "timestamp": iso(MOMENT + n * SECOND)} for n in (3, 9, 5)])
        assert latest()["n"] == 9
        meter.send(door, [{"n": n, "timestamp": iso(MOMENT + 9 * SECOND)} for n in (20, 21)])
        assert latest()["n"] == 21

    @pytest.mark.parametrize("ids", [("b", "a"), ("a", "b"), (None, "a"), ("a", None)])
    def test_equal_times_with_message_ids_go_by_id(
        self, door: Door, meter: Meter, ids: tuple[str | None, str | None]
    ) -> None:
        meter.send(door, [{"n": n, "message_id": mark, "timestamp": iso(MOMENT)} for n, mark in enumerate(ids)])
        assert latest() == meter.rows()[-1].payload

    def test_a_fraction_of_a_second_counts(self, door: Door, meter: Meter) -> None:
        for n, text in ((1, "2025-09-16T12:34:56.5Z"), (2, "2025-09-16T12:34:56Z"), (3, "2025-09-16T12:34:56.499999Z")):
            meter.send(door, {"n": n, "timestamp": text})
        assert latest()["n"] == 1

    def test_last_seen_is_arrival(self, door: Door, meter: Meter) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            meter.send(door, {"timestamp": iso(MOMENT)})
            assert DeviceState.objects.get().last_seen == NOW
            clock.shift(-5)  # the server's clock was set back
            meter.send(door, {"timestamp": iso(MOMENT)})
            assert DeviceState.objects.get().last_seen == NOW
