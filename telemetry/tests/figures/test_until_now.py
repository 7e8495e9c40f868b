"""`until_now`, and the same hours of days before: until the same time on the wall, wherever the clock goes back or on.

What is expected is counted here: instants are walked a minute after the other until the wall shows more than it may.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test.utils import override_settings

from telemetry.figures.comparison import compared
from telemetry.figures.statistics import Filters, statistics
from telemetry.tests.figures.test_statistics import DAY, FORMATS, MINUTE, Place, Told, labels_of
from telemetry.treatments import TREATMENTS

HOUR = timedelta(hours=1)
CHANGES = [
    ("UTC", "UTC", "2026-03-01T00:00"),
    ("America/New_York", "America/New_York", "2026-03-08T07:00"),
    ("America/New_York", "America/New_York", "2026-11-01T06:00"),
    ("UTC", "America/New_York", "2026-11-01T06:00"),
    ("America/New_York", "UTC", "2026-03-08T07:00"),
    ("America/Santiago", "America/Santiago", "2026-09-06T04:00"),  # no midnight
    ("Africa/Cairo", "Africa/Cairo", "2026-10-29T21:00"),  # 23:00 to 24:00 twice
    ("UTC", "Asia/Kathmandu", "2026-03-01T18:15"),
    ("Australia/Lord_Howe", "Australia/Lord_Howe", "2026-10-03T15:30"),
    ("UTC", "Australia/Lord_Howe", "2026-04-04T15:00"),
    ("UTC", "Antarctica/Casey", "2020-10-03T16:01"),  # from 00:01 to 03:01
]
AROUND = pytest.mark.parametrize(("kept", "zone", "change"), CHANGES)


Stored = tuple[Place, Told, datetime]


def stored(change: str) -> Stored:
    """A press each 13 minutes from three days before the change until a day after it, and one long before."""
    centre = datetime.fromisoformat(change).replace(tzinfo=UTC)
    place = Place(moved=centre)
    minutes = (-60 * 24 * 60, *range(-4300, 1500, 13))
    return place, place.store([(0, TREATMENTS[one % 3], one, 0, 1) for one in minutes], centre), centre


def wall(at: datetime, zone: str) -> datetime:
    return at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def first_after(shown: datetime, zone: str, *, again: bool = False) -> datetime:
    """The first instant at which the wall shows more than that, by the minute; `again`: for good."""
    if again:
        at = (shown + DAY).replace(tzinfo=UTC, second=0)
        while wall(at, zone) > shown:
            at -= MINUTE
        return at + MINUTE
    at = (shown - DAY).replace(tzinfo=UTC, second=0)
    while wall(at, zone) <= shown:
        at += MINUTE
    return at


def begin_of(label: str) -> datetime:
    return datetime.fromisoformat(f"{label}-01" if len(label) == len("2026-03") else label)


def numbers(told: Told, granularity: str, zone: str, stop: datetime) -> "Counter[str]":
    """By bucket, before `stop`."""
    return Counter(wall(at, zone).strftime(FORMATS[granularity]) for at, *_ in told if at < stop)


@pytest.mark.thorough
@pytest.mark.django_db
@AROUND
def test_both_end_at_the_same_elapsed_time(kept: str, zone: str, change: str) -> None:
    with override_settings(STATS_TIME_ZONE=kept):
        place, told, centre = stored(change)
        for granularity in FORMATS:
            for days, later in ((1, 3 * HOUR), (1, 9.1 * HOUR), (2, 24 * HOUR)):
                now = centre + later
                filters = Filters(granularity, ZoneInfo(zone), days=days, compare=True)
                whole = statistics(place.people[2], filters, now)
                found = statistics(place.people[2], replace(filters, until_now=True), now)
                labels, before = labels_of(
                    ZoneInfo(zone), granularity, whole["labels"][0], whole["labels"][-1], now + DAY
                )
                begun, begun_before = (begin_of(one[-1]) for one in (labels, before))
                shown = begun_before + (wall(now, zone) - begun)
                stop = first_after(shown, zone, again=granularity == "minute")
                last = numbers(told, granularity, zone, now + MINUTE / 60)[labels[-1]]
                last_before = numbers(told, granularity, zone, stop)[before[-1]]
                assert found["labels"] == labels
                assert found["series"]["total"] == [*whole["series"]["total"][:-1], last]
                assert found["prev_series"]["total"] == [*whole["prev_series"]["total"][:-1], last_before]
                assert found["kpi"]["prev_total"] == sum(found["prev_series"]["total"])


@pytest.mark.thorough
@pytest.mark.django_db
@AROUND
def test_an_hour_stands_beside_the_same_one_of_days_before(kept: str, zone: str, change: str) -> None:
    with override_settings(STATS_TIME_ZONE=kept):
        place, told, centre = stored(change)
        for days, later in ((1, 3 * HOUR), (1, 9.1 * HOUR), (1, 24 * HOUR), (2, 24 * HOUR)):
            now = centre + later
            found = compared(place.people[2], Filters("hour", ZoneInfo(zone), days=days), now)
            stop = first_after(wall(now, zone) - days * DAY, zone)
            begins = begin_of(found.labels[0]).replace(hour=0) - days * DAY
            there = [begin_of(label) - days * DAY for label in found.labels]
            shown, counted = hours_shown(there, zone), numbers(told, "hour", zone, stop)
            assert found.before == [counted[f"{one:%Y-%m-%d %H:00}"] if one in shown else None for one in there]
            # All of it, an hour too that today's clock has skipped.
            expected = sum(wall(at, zone) >= begins and at < stop for at, *_ in told)
            assert (found.total_before, found.theirs, found.no_data_before) == (expected, expected, "")
            assert found.total == sum(wall(at, zone) >= begins + days * DAY and at <= now for at, *_ in told)


def hours_shown(hours: list[datetime], zone: str) -> set[datetime]:
    """Those about `hours` of which the clock shows any minute."""
    start, minutes = (hours[0] - DAY).replace(tzinfo=UTC), (hours[-1] - hours[0] + 2 * DAY) // MINUTE
    return {wall(start + number * MINUTE, zone).replace(minute=0) for number in range(minutes)}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("now", "label", "expected"),
    [
        ("2026-03-10T12:30", "2026-03", [2, 1]),  # until 10 February 12:30
        ("2026-03-28T23:59", "2026-03", [3, 2]),
        ("2026-03-31T12:00", "2026-03", [4, 2]),  # all of February
        ("2026-02-28T23:59", "2026-02", [2, 1]),  # until 28 January
    ],
)
def test_a_month_that_is_shorter(now: str, label: str, expected: list[int]) -> None:
    centre = datetime(2026, 4, 1, tzinfo=UTC)
    place = Place(moved=centre)
    times = ["2026-01-28T09:00", "2026-01-29T09:00", "2026-02-10T12:30", "2026-02-28T23:59", "2026-03-01T00:00",
             "2026-03-10T12:30", "2026-03-11T00:00", "2026-03-31T12:00"]  # fmt: skip
    minutes = [(datetime.fromisoformat(one).replace(tzinfo=UTC) - centre) // MINUTE for one in times]
    place.store([(0, "BASIC", one, 0, 1) for one in minutes], centre)
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    filters = Filters("month", ZoneInfo("UTC"), days=1, compare=True, until_now=True)
    found = statistics(place.people[2], filters, at)
    assert found["labels"] == [label]
    assert [found["series"]["total"][0], found["prev_series"]["total"][0]] == expected
