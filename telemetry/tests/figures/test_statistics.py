"""Statistics are a plain count of the events, whatever zone, granularity, window, place and person ask for them.

What is expected is counted here: the wall clock is walked in steps of which each hour, day or month takes several, and
by minutes for those.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import override_settings
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device_gateway.models import Device
from ozone.wire.times import iso
from telemetry.events.payloads import read_event
from telemetry.events.storing import store_once
from telemetry.figures.statistics import Filters, statistics
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.treatments import TREATMENTS
from tests.support.length import length

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NAMES = ("basic", "standard", "premium")
FORMATS = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d", "month": "%Y-%m"}
STEPS = {"minute": MINUTE, "hour": 15 * MINUTE, "day": DAY / 4, "month": DAY}

CENTRES = [
    datetime(2026, 1, 31, 20, tzinfo=UTC),  # a month ends
    datetime(2026, 3, 8, 7, tzinfo=UTC),  # New York skips an hour
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # and repeats one
    datetime(2026, 10, 3, 15, 30, tzinfo=UTC),  # Lord Howe skips half of one
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # and repeats it
    datetime(2026, 9, 6, 4, tzinfo=UTC),  # Santiago skips midnight
    datetime(2026, 4, 23, 22, tzinfo=UTC),  # Cairo skips midnight
    datetime(2026, 10, 29, 21, tzinfo=UTC),  # and repeats the hour before it
    datetime(2020, 10, 3, 16, tzinfo=UTC),  # Casey goes from 00:01 to 03:01
]
ZONES = st.sampled_from(
    [
        "UTC",
        "Asia/Singapore",
        "Asia/Kuala_Lumpur",
        "Asia/Kathmandu",
        "America/New_York",
        "America/Toronto",
        "America/Santiago",
        "Africa/Cairo",
        "Australia/Lord_Howe",
        "Antarctica/Casey",
        "Europe/Berlin",
    ]
)
PRESSES = st.lists(
    st.tuples(
        st.integers(0, 1),  # which device
        st.sampled_from(TREATMENTS),
        st.one_of(st.integers(-240, 240), st.integers(-6000, 6000)),  # minutes from the centre
        st.sampled_from([0, 1, 59_999_999]),  # and microseconds
        st.integers(1, 3),  # how often it is sent
    ),
    max_size=30,
)


def labels_of(zone: ZoneInfo, granularity: str, first: str, last: str, near: datetime) -> tuple[list[str], list[str]]:
    """What a clock shows from `first` to `last`, and as many labels before. It shows `last` before `near`."""
    step = STEPS[granularity]
    near = near.replace(minute=0)
    shown: set[str] = set()
    before: set[str] = set()
    while not shown or len(before) < len(shown):
        label = near.astimezone(zone).strftime(FORMATS[granularity])
        shown |= {label} if first <= label <= last else set()
        before |= {label} if label < first else set()
        near -= step
    return sorted(shown), sorted(before)[-len(shown) :]


@dataclass
class Place:
    """Vera's device moves from one machine and outlet to another at `moved`; Sam's stands nowhere."""

    moved: datetime

    def __post_init__(self) -> None:
        self.people = [User.objects.create_user(name) for name in ("vera", "sam")]
        self.people.append(User.objects.create_user("olga", is_staff=True))
        since = self.moved - 400 * DAY
        self.devices = [Device.objects.create(owner=owner, created_at=since) for owner in self.people[:2]]
        self.outlets = [Outlet.objects.create(name=name) for name in ("first", "second")]
        self.machines = [Machine.objects.create(name=outlet.name, outlet=outlet) for outlet in self.outlets]
        held = {"device": self.devices[0]}
        MachineDevice.objects.create(
            machine=self.machines[0],
            outlet=self.outlets[0],
            assigned_date=since,
            deactivated_date=self.moved,
            is_active=False,
            **held,
        )
        MachineDevice.objects.create(machine=self.machines[1], outlet=self.outlets[1], assigned_date=self.moved, **held)

    def store(self, presses: list[Any], centre: datetime) -> "Told":
        """When, what, by which device, at which place: 0, 1 or None."""
        told, events = [], []
        for number, (device, treatment, minutes, microseconds, times) in enumerate(sorted(presses, key=itemgetter(2))):
            at = centre + timedelta(minutes=minutes, microseconds=microseconds)
            body = {"event_id": str(number), "event": "treatment", "treatment": treatment, "counter": 1, "ts": iso(at)}
            events.append((times, read_event(body, self.devices[device].pk, centre + 10 * DAY)))
            told.append((at, treatment, device, int(at >= self.moved) if device == 0 else None))
        for sent in range(3):
            store_once(connection, [event for times, event in events if times > sent])
        return told


Told = list[tuple[datetime, str, int, int | None]]


def assert_counted(place: Place, told: Told, filters: Filters, now: datetime, who: int = 2, index: int = 0) -> None:
    """That the person's statistics are those of the presses; `index`: which outlet, machine or device is asked for."""
    assert filters.zone
    clock, form = filters.zone, FORMATS[filters.granularity]
    local = now.astimezone(clock)
    midnight = datetime.combine(local.date() - (filters.days - 1) * DAY, time.min)
    since = filters.start or now - DAY
    # Where the clock goes back, the least and the greatest that it shows are not those of the two ends.
    first = min(
        (since + number * MINUTE).astimezone(clock).strftime(form)
        for number in range(240)
        if since + number * MINUTE <= now
    )
    last = max(
        (now - number * MINUTE).astimezone(clock).strftime(form)
        for number in range(240)
        if now - number * MINUTE >= since
    )
    if not filters.start:
        first = midnight.strftime(form)
    labels, before = labels_of(clock, filters.granularity, first, last, now + DAY)
    numbers: Counter[tuple[str, str]] = Counter()
    for at, treatment, device, stood in told:
        at_place = (filters.outlet_id is None and filters.machine_id is None) or stood == index
        if at_place and (filters.device_id is None or device == index) and (who == 2 or device == who):
            numbers[at.astimezone(clock).strftime(form), treatment.lower()] += 1

    found = statistics(place.people[who], filters, now)
    assert found["labels"] == labels
    for series, names in ((found["series"], labels), (found["prev_series"], before)):
        for treatment in NAMES:
            assert series[treatment] == [numbers[label, treatment] for label in names]
        assert series["total"] == [sum(numbers[label, name] for name in NAMES) for label in names]
    totals = [sum(numbers[label, name] for name in NAMES) for label in labels]
    kpi = found["kpi"]
    assert (kpi["total"], kpi["min"], kpi["max"]) == (sum(totals), min(totals), max(totals))
    assert kpi["prev_total"] == sum(numbers[label, name] for label in before for name in NAMES)


@pytest.mark.django_db
@pytest.mark.thorough
@settings(
    max_examples=length(30, 300), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data(), centre=st.sampled_from(CENTRES), presses=PRESSES, kept=ZONES, zone=ZONES)
def test_they_are_a_plain_count(data: Any, centre: datetime, presses: list[Any], kept: str, zone: str) -> None:
    with transaction.atomic(), override_settings(STATS_TIME_ZONE=kept):
        place = Place(moved=centre + timedelta(minutes=data.draw(st.integers(-3000, 3000), "moved")))
        told = place.store(presses, centre)
        who = data.draw(st.sampled_from([0, 2]), "who")
        which = data.draw(st.sampled_from([None, "outlet_id", "machine_id", "device_id"]), "filter")
        index = data.draw(st.integers(0, 1 if who == 2 or which != "device_id" else 0), "of")
        granularity = data.draw(st.sampled_from(list(FORMATS)), "granularity")
        days = data.draw(st.integers(1, 2 if granularity == "minute" else 9), "days")
        now = centre + timedelta(minutes=data.draw(st.integers(-1000, 3000), "now"))
        window: dict[str, Any] = {"days": days}
        if days % 2:
            window = {"start": now - timedelta(minutes=data.draw(st.integers(0, 2000), "start")), "end": now}
        chosen: dict[str, Any] = {}
        if which == "device_id":
            chosen[which] = str(place.devices[index].pk)
        elif which is not None:
            chosen[which] = (place.outlets if which == "outlet_id" else place.machines)[index].pk
        filters = Filters(granularity=granularity, zone=ZoneInfo(zone), compare=True, **window, **chosen)
        assert_counted(place, told, filters, now, who, index)
        transaction.set_rollback(True)


@pytest.mark.thorough
@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kept", "zone", "change"),
    [
        ("UTC", "UTC", "2026-03-01T00:00"),
        ("UTC", "America/New_York", "2026-03-08T07:00"),
        ("America/New_York", "America/New_York", "2026-11-01T06:00"),
        ("America/New_York", "UTC", "2026-11-01T06:00"),
        ("Asia/Singapore", "Asia/Kuala_Lumpur", "2026-03-01T00:00"),
        ("America/New_York", "America/Santiago", "2026-09-06T04:00"),  # the same clock until then
        ("America/Santiago", "America/Santiago", "2026-09-06T04:00"),  # no midnight
        ("America/Santiago", "America/Santiago", "2026-04-05T03:00"),
        ("Africa/Cairo", "Europe/Berlin", "2026-04-23T22:00"),
        ("UTC", "Asia/Kathmandu", "2026-03-01T18:15"),
        ("Asia/Kathmandu", "Asia/Kathmandu", "2026-03-01T18:15"),
        ("UTC", "Australia/Lord_Howe", "2026-10-03T15:30"),  # from 10:30 to 11 hours ahead
        ("Australia/Lord_Howe", "Australia/Lord_Howe", "2026-10-03T15:30"),
        ("Australia/Lord_Howe", "Australia/Lord_Howe", "2026-04-04T15:00"),
        ("Australia/Lord_Howe", "UTC", "2026-04-04T15:00"),
        ("UTC", "Antarctica/Casey", "2020-10-03T16:01"),  # it goes from 00:01 to 03:01
        ("Antarctica/Casey", "Antarctica/Casey", "2020-10-03T16:01"),
        ("Asia/Kathmandu", "Antarctica/Casey", "2020-10-03T16:01"),
        ("America/Havana", "America/Panama", "2026-11-01T05:00"),  # the same clock from then on
    ],
)
def test_around_a_change_of_the_clock(kept: str, zone: str, change: str) -> None:
    centre = datetime.fromisoformat(change).replace(tzinfo=UTC)
    dense = [(0, TREATMENTS[number % 3], minutes, 0, 1) for number, minutes in enumerate(range(-4300, 1500, 13))]
    with override_settings(STATS_TIME_ZONE=kept):
        place = Place(moved=centre)
        told = place.store([*dense, *((0, "BASIC", minutes, 1, 1) for minutes in (-1, 0))], centre)
        for granularity in FORMATS:
            for days, later in ((1, 0), (1, 24 * 60), (3, 60)):
                filters = Filters(granularity=granularity, zone=ZoneInfo(zone), days=days, compare=True)
                assert_counted(place, told, filters, centre + later * MINUTE)


@pytest.mark.django_db
@pytest.mark.parametrize("granularity", ["minute", "hour"])
def test_within_an_hour_that_is_repeated(granularity: str) -> None:
    centre = datetime(2026, 11, 1, 6, tzinfo=UTC)  # New York shows 1:00 for the second time
    place = Place(moved=centre)
    told = place.store([(0, "BASIC", minutes, 0, 1) for minutes in range(-120, 120, 7)], centre)
    for begin, end in ((-15, 10), (-90, 10), (-15, 90), (0, 30), (-60, -1), (-60, 0), (5, 5)):
        start, now = centre + begin * MINUTE, centre + end * MINUTE
        for window in ({"start": start, "end": now}, {"start": start}, {"days": 1}, {"days": 1, "end": now}):
            filters = Filters(granularity=granularity, zone=ZoneInfo("America/New_York"), compare=True, **window)
            assert_counted(place, told, filters, now)


@pytest.mark.django_db
def test_nothing_that_was_inside_is_left_out() -> None:
    centre = datetime(2026, 11, 1, 6, tzinfo=UTC)
    place = Place(moved=centre)
    place.store([(0, "BASIC", -5, 0, 1), (0, "BASIC", 5, 0, 1)], centre)  # 1:55, and then 1:05
    start, end = centre - 10 * MINUTE, centre + 10 * MINUTE
    filters = Filters("minute", ZoneInfo("America/New_York"), start=start, end=end)
    found = statistics(place.people[2], filters, centre)
    assert (found["labels"][0], found["labels"][-1]) == ("2026-11-01 01:00", "2026-11-01 01:59")
    assert found["kpi"]["total"] == 2
