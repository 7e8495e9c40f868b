"""Readings older than RETENTION_READINGS go, and their figures by the hour stay what they were."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pytest_django import Settings

from device_gateway.models import Device, DeviceTelemetry, Lease, ReadingHour
from device_gateway.readings.queries import bucketed
from device_gateway.upkeep import following
from device_gateway.upkeep import retention as module
from device_gateway.upkeep.retention import Retention
from ozone.wire.errors import Invalid
from tests.support.length import IS_LONG
from tests.support.postgres import just_before

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
Told = tuple[timedelta, Any]
"""How long after it occurred a reading arrived is its own matter: here both at this time after NOON."""


@pytest.fixture(autouse=True)
def _thirty_days(db: None, settings: Settings) -> None:
    settings.RETENTION_READINGS = 30


@pytest.fixture
def meter() -> Device:
    return Device.objects.create(name="Meter")


def keep(device: Device, *told: Told) -> None:
    DeviceTelemetry.objects.bulk_create(
        DeviceTelemetry(device=device, occurred_at=NOON + after, received_at=NOON + after, payload=payload)
        for after, payload in told
    )


@contextmanager
def lately(now: datetime) -> Iterator[None]:
    other = Device.objects.create(name="Another")
    keep(other, (now - NOON - 2 * DAY, {}))
    yield
    other.telemetry.all().delete()


def run(now: datetime, ahead: int = module.AHEAD, rows: int = 50) -> int:
    """All that is to be done now, looked at and deleted so many at a time; how many are deleted. Another meter has sent
    something lately."""
    with pytest.MonkeyPatch.context() as patch, lately(now):
        patch.setattr(module, "AHEAD", ahead)
        patch.setattr(module, "ROWS", (rows, rows))
        retention = Retention()
        deleted, has_more = 0, True
        while has_more:
            number, has_more = retention.step(now)
            deleted += number
        return deleted


def history(device: Device, bucket: str = "hour", **span: datetime) -> list[dict[str, Any]]:
    found = bucketed(device, bucket=bucket, fields=["kwh", "volts"], start=span.get("start"), end=span.get("end"))
    return list(found)


def test_it_works(meter: Device) -> None:
    keep(
        meter,
        (0 * MINUTE, {"kwh": 1, "volts": 230.5, "note": "ok", "on": True}),
        (20 * MINUTE, {"kwh": 3, "volts": 229.5}),
        (70 * MINUTE, {"kwh": 4}),
        (DAY, {"kwh": 9}),
    )
    before = {bucket: history(meter, bucket) for bucket in ("hour", "day")}
    assert run(NOON + 30 * DAY + 90 * MINUTE) == 3
    assert [row.payload for row in DeviceTelemetry.objects.all()] == [{"kwh": 9}]
    assert list(ReadingHour.objects.values_list("device_id", "start", "count", "fields")) == [
        (
            meter.pk,
            NOON,
            2,
            {
                "kwh": [2, 1, 2.0, 3, 3, 1_200_000_000],
                "volts": [2, 229.5, 230.0, 230.5, 229.5, 1_200_000_000],
            },
        ),
        (meter.pk, NOON + 60 * MINUTE, 1, {"kwh": [1, 4, 4.0, 4, 4, 600_000_000]}),
    ]
    assert {bucket: history(meter, bucket) for bucket in ("hour", "day")} == before
    assert history(meter, "minute")[0]["start"] == "2026-03-02T12:00:00Z"


def test_to_the_second(meter: Device) -> None:
    keep(meter, (0 * MINUTE, {"kwh": 1}))
    assert run(NOON + 30 * DAY) == 0
    assert run(NOON + 30 * DAY + timedelta.resolution) == 1
    assert run(NOON + 30 * DAY + timedelta.resolution) == 0


def test_all_are_kept_unless_told(meter: Device, settings: Settings) -> None:
    settings.RETENTION_READINGS = 0
    keep(meter, (0 * MINUTE, {"kwh": 1}))
    assert run(NOON + 3000 * DAY) == 0
    assert DeviceTelemetry.objects.count() == 1


def test_only_whole_hours_of_deleted_ones(meter: Device) -> None:
    keep(meter, *((number * 30 * MINUTE, {"kwh": number}) for number in range(6)))
    assert run(NOON + 31 * DAY) == 6
    counts = [
        one["count"] for one in history(meter, start=NOON + MINUTE, end=NOON + 180 * MINUTE - timedelta.resolution)
    ]
    assert counts == [2, 2]
    assert [one["count"] for one in history(meter, start=NOON, end=NOON + 179 * MINUTE)] == [2, 2]


def test_hours_and_readings_have_one_bound(meter: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_gateway.readings.queries.MAX_BUCKET_ROWS", 2)
    keep(meter, (0 * MINUTE, {"kwh": 1}), (60 * MINUTE, {"kwh": 2}), (DAY, {"kwh": 3}))
    assert run(NOON + 30 * DAY + 120 * MINUTE) == 2
    assert len(history(meter, end=NOON + 120 * MINUTE)) == 2
    with pytest.raises(Invalid):
        history(meter)


def test_one_that_arrived_while_the_clock_was_wrong_holds_nothing_up(meter: Device) -> None:
    keep(meter, (3000 * DAY, {"kwh": 7}), (0 * MINUTE, {"kwh": 1}), (DAY, {"kwh": 2}))
    assert run(NOON + 40 * DAY, ahead=1) == 2
    assert [row.payload for row in DeviceTelemetry.objects.all()] == [{"kwh": 7}]


class TestClock:
    """One that is wrong makes all look old."""

    def test_set_ahead(self, meter: Device) -> None:
        keep(meter, *((number * DAY, {"kwh": number}) for number in range(60)))
        ahead = NOON + 1000 * DAY
        keep(meter, *((ahead - NOON + number * MINUTE, {"kwh": number}) for number in range(60)))
        retention = Retention()
        for hours in (1, 12, 24):
            assert retention.step(ahead + hours * 60 * MINUTE) == (0, False)
        assert DeviceTelemetry.objects.count() == 120
        # Set right again: what came meanwhile holds nothing up.
        assert run(NOON + 60 * DAY) == 30
        assert DeviceTelemetry.objects.count() == 90

    def test_nobody_has_sent_for_long(self, meter: Device) -> None:
        now = NOON + 100 * DAY
        keep(meter, *((number * DAY, {"kwh": number}) for number in range(60)))
        assert Retention().step(now) == (0, False)
        keep(meter, (100 * DAY, {"kwh": 0}))
        assert Retention().step(now + DAY) == (0, False)
        assert Retention().step(now + DAY + MINUTE) == (0, True)

    def test_set_back(self, meter: Device) -> None:
        keep(meter, *((number * DAY, {"kwh": number}) for number in range(60)))
        assert run(NOON - 1000 * DAY) == 0
        assert run(NOON + 40 * DAY) == 10


def test_what_is_stored_late_is_found_the_next_day(meter: Device) -> None:
    keep(meter, (0 * MINUTE, {"kwh": 1}), (38 * DAY, {"kwh": 2}))
    retention, now = Retention(), NOON + 40 * DAY
    first = DeviceTelemetry.objects.earliest("pk").pk
    assert [retention.step(now) for _ in range(3)] == [(0, True), (1, False), (0, False)]
    # A sequence gives keys out before rows are committed, in whatever order that is.
    DeviceTelemetry.objects.create(pk=first, device=meter, occurred_at=NOON, received_at=NOON, payload={"kwh": 5})
    assert retention.step(now + DAY / 2) == (0, False)
    assert DeviceTelemetry.objects.count() == 2
    assert [retention.step(now + DAY) for _ in range(2)] == [(0, True), (1, False)]
    assert [row.payload for row in DeviceTelemetry.objects.all()] == [{"kwh": 2}]


def test_two_that_lead_count_nothing_twice(meter: Device) -> None:
    keep(meter, *((number * MINUTE, {"kwh": number}) for number in range(4)))
    now, one = NOON + 40 * DAY, Retention()
    with lately(now):
        assert one.step(now) == (0, True)
    assert run(now, ahead=3, rows=2) == 4
    keep(meter, (5 * MINUTE, {"kwh": 5}))
    with lately(now):
        steps = [one.step(now) for _ in range(3)]
    assert steps == [(0, True), (0, True), (1, False)]
    assert [(hour.count, hour.fields["kwh"][:4]) for hour in ReadingHour.objects.all()] == [(5, [5, 0, 2.2, 5])]


def test_fields_without_end(meter: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("device_gateway.readings.figures.MOST_FIELDS", 3)
    keep(meter, *((number * MINUTE, {f"f{number}": number, "kwh": number}) for number in range(9)))
    assert run(NOON + 40 * DAY, rows=2, ahead=4) == 9
    (hour,) = ReadingHour.objects.all()
    assert hour.count == 9
    assert len(hour.fields) == 3
    assert hour.fields["kwh"][:1] == [9]


def test_of_large_readings_few_are_looked_at_at_once(meter: Device) -> None:
    """Two thousand as large as a body may be are half a gigabyte, and would be looked at again after every start."""
    keep(meter, *((number * MINUTE, {"kwh": number, "text": "x" * 250_000}) for number in range(50)))
    retention, now = Retention(), NOON + 40 * DAY
    with lately(now):
        assert retention.step(now) == (0, True)
        deleted = 0
        while number := retention.step(now).deleted:
            deleted += number
        assert 30 < deleted < 40
    assert run(now) == 50 - deleted
    assert [hour.count for hour in ReadingHour.objects.all()] == [50]


@pytest.mark.django_db(transaction=True)
def test_it_is_a_thread_of_its_own(meter: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following._Next, "look", 0.0)
    keep(meter, (0 * MINUTE, {"kwh": 1}))
    with lately(timezone.now()):
        following.upkeep.start()
        try:
            for _ in range(100):
                if not meter.telemetry.exists():
                    break
                time.sleep(0.1)
        finally:
            following.upkeep.stop()
    assert ReadingHour.objects.get().count == 1


def test_the_command(meter: Device, settings: Settings, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    """For servers that are not ours."""
    now, out = timezone.now(), StringIO()
    keep(meter, *((now - NOON - days * DAY, {"kwh": days}) for days in (32, 31, 29, 2)))
    call_command("prune_readings", stdout=out)
    assert len(pauses) > 1 and min(pauses[1:]) > 0
    assert out.getvalue() == "2 readings deleted.\n"
    assert [row.payload["kwh"] for row in DeviceTelemetry.objects.order_by("pk")] == [29, 2]
    settings.RETENTION_READINGS = 0
    with pytest.raises(CommandError, match="all readings are kept"):
        call_command("prune_readings")


def test_what_ends_between_two_statements_leaves_no_half(meter: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading is gone and its figures are there, or neither; whoever goes on counts each of them once."""
    keep(meter, *((number * 20 * MINUTE, {"kwh": number}) for number in range(9)))
    before = history(meter)

    def end(*_: Any) -> None:
        raise InterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(module, "_keep_figures", end)
        with pytest.raises(InterruptedError):
            run(NOON + 40 * DAY)
    assert (meter.telemetry.count(), ReadingHour.objects.count()) == (9, 0)
    Device.objects.exclude(pk=meter.pk).delete()  # the one that has sent something lately
    assert run(NOON + 40 * DAY) == 9
    assert history(meter) == before


@pytest.mark.django_db(transaction=True)
def test_of_two_that_lead_at_once_neither_counts_without_the_other(
    meter: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them stood still for longer than its lease; each has found another reading of the hour."""
    monkeypatch.setattr(module, "AHEAD", 1)
    keep(meter, (0 * MINUTE, {"kwh": 1}), (1 * MINUTE, {"kwh": 2}))
    now, late, one, other = NOON + 40 * DAY, meter.telemetry.earliest("pk"), Retention(), Retention()
    with lately(now):
        meter.telemetry.filter(pk=late.pk).delete()
        assert one.step(now).has_more
        late.save(force_insert=True)  # it had its number before the second, and is committed after it
        assert other.step(now).has_more
        assert Lease.take(module.LEASE, "other")
        with just_before(lambda: other.step(now)):
            assert one.step(now).deleted == 1
    assert not meter.telemetry.exists()
    assert [hour.count for hour in ReadingHour.objects.all()] == [2]


@pytest.mark.thorough
@pytest.mark.sqlite_only
def test_a_year_takes_no_more_room_than_two_months(meter: Device) -> None:
    pages = []
    for month in range(12):
        begin, seconds = month * 30 * DAY, timedelta(seconds=10)
        keep(meter, *((begin + number * seconds, {"kwh": number, "words": "a" * 300}) for number in range(1_000)))
        run(NOON + begin + 25 * DAY)
        with connection.cursor() as cursor:
            pages.append(cursor.execute("PRAGMA page_count").fetchone()[0])
    assert DeviceTelemetry.objects.count() == 1_000
    assert pages[1] - pages[0] > 60
    assert pages[-1] - pages[1] < 15
    assert sum(one["count"] for one in history(meter, "day")) == 12_000


# --- whatever is told ---

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([0.1, 1e300])
)
PAYLOADS = st.fixed_dictionaries(
    {}, optional={"kwh": NUMBERS, "volts": st.one_of(NUMBERS, st.booleans(), st.none(), st.just("high"))}
)
TOLD = st.lists(st.tuples(st.integers(0, 180).map(lambda number: number * MINUTE), PAYLOADS), max_size=25)


@given(told=TOLD, ahead=st.integers(1, 12), rows=st.integers(1, 5), kept=st.integers(0, 200))
@examples(max_examples=200 if IS_LONG else 15, deadline=None)
def test_history_stays_what_it_was(told: list[Told], ahead: int, rows: int, kept: int) -> None:
    """In whatever steps it went."""
    device = Device.objects.create(name="Meter")
    keep(device, *sorted(told, key=lambda one: one[0]))
    before = {bucket: history(device, bucket) for bucket in ("hour", "day")}
    run(NOON + 30 * DAY + kept * MINUTE, ahead, rows)
    for bucket, expected in before.items():
        found = history(device, bucket)
        for one, other in zip(found, expected, strict=True):
            assert {name: one[name] for name in ("start", "end", "count")} == {
                name: other[name] for name in ("start", "end", "count")
            }
            assert one["fields"].keys() == other["fields"].keys()
            for field, figures in other["fields"].items():
                mean = one["fields"][field].pop("mean")
                assert math.isclose(
                    mean, figures["mean"], rel_tol=1e-9, abs_tol=1e-9 * abs(figures["max"] - figures["min"])
                )
                assert one["fields"][field] == {name: value for name, value in figures.items() if name != "mean"}
    DeviceTelemetry.objects.all().delete()
