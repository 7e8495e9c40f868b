"""What is usual of a machine, and whether it has stopped to sell: in the opening hours of its outlet."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device
from telemetry.figures.rhythm import rhythm_of, rhythms, selling_nothing
from telemetry.machines.bindings import assign_device, unassign_device
from telemetry.models import MachineDevice
from telemetry.opening import read_opening_hours
from telemetry.tests.cast import DAY, HOUR, NOON, Site, press

ALWAYS = read_opening_hours("")
MIDNIGHT = NOON - 12 * HOUR


@pytest.fixture
def site(db: None) -> Site:
    site = Site.laid()
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    return site


def told(site: Site, hours: str = "") -> list[tuple[int, int, str]]:
    return [(site.machine.pk, site.device.pk, hours)]


def sell(site: Site, hours: range, days: int = 14) -> None:
    """One in each of these hours of the last days."""
    for day in range(days, 0, -1):
        for hour in hours:
            press(site.device, MIDNIGHT - day * DAY + hour * HOUR)


def test_of_hours() -> None:
    every_two = [(NOON + place * 2 * HOUR, 1) for place in range(30)]
    usual = rhythm_of(every_two, ALWAYS)
    assert usual and usual.usual_gap == 2 * HOUR
    assert usual.a_day == 10  # in three days
    assert rhythm_of(every_two[:19], ALWAYS) is None
    busy = rhythm_of([(NOON + place * HOUR, 20) for place in range(30)], ALWAYS)
    assert busy and (busy.usual_gap, busy.a_day) == (HOUR, 300)
    assert rhythm_of([(NOON, 100)], ALWAYS) is None


@pytest.mark.parametrize(
    ("since", "stopped"), [(timedelta(hours=5, minutes=59), False), (timedelta(hours=6, minutes=1), True)]
)
def test_it_works(site: Site, since: timedelta, stopped: bool) -> None:
    """Every two hours, day and night: three of these gaps."""
    sell(site, range(0, 24, 2))
    last = press(site.device, NOON - since).occurred_at
    found = selling_nothing(told(site), NOON)
    assert [(one.machine, one.last_press, one.rhythm and one.rhythm.usual_gap) for one in found] == (
        [(site.machine.pk, last, 2 * HOUR)] if stopped else []
    )


def test_closed_hours_do_not_count(site: Site) -> None:
    """Open from eight to eighteen, it sells each hour; the last was at closing time."""
    sell(site, range(8, 18))
    hours = "08:00-18:00"

    def stopped(hour: float) -> bool:
        rhythms.forget()
        return bool(selling_nothing(told(site, hours), MIDNIGHT + hour * HOUR))

    assert [stopped(hour) for hour in (2, 8, 9.9, 10.1)] == [False, False, False, True]
    assert selling_nothing(told(site, "08:00-18:00; Su off"), MIDNIGHT + 15 * HOUR) == []  # 1 March is a Sunday


def test_nights_are_usual_without_opening_hours(site: Site) -> None:
    """The longest gap of each day is the night: it is not taken for silence, three of it are."""
    sell(site, range(8, 18))
    assert selling_nothing(told(site), MIDNIGHT + 8 * HOUR) == []
    assert selling_nothing(told(site), MIDNIGHT - 7 * HOUR + 45 * HOUR) == []
    assert selling_nothing(told(site), MIDNIGHT - 7 * HOUR + 46 * HOUR) != []


def test_nothing_is_usual_of_few(site: Site) -> None:
    """Then two weeks are long."""
    for day in range(1, 15):
        press(site.device, NOON - day * DAY)
    assert selling_nothing(told(site), NOON + 12 * DAY) == []
    found = selling_nothing(told(site), NOON + 14 * DAY)
    assert [(one.machine, one.last_press, one.rhythm) for one in found] == [(site.machine.pk, NOON - DAY, None)]


def test_it_has_never_sold_anything(site: Site) -> None:
    """A firmware that polls and tells no press: with another device it had sold."""
    sell(site, range(0, 24, 2))
    unassign_device(machine=site.machine)
    assign_device(machine=site.machine, device=Device.objects.create(device_id="new"))
    MachineDevice.objects.filter(is_active=True, machine=site.machine).update(assigned_date=NOON)
    here = [(site.machine.pk, Device.objects.get(device_id="new").pk, "")]
    assert selling_nothing(here, NOON + 12 * HOUR) == []
    found = selling_nothing(here, NOON + 12 * HOUR + timedelta(minutes=1))
    assert [(one.machine, one.last_press, one.rhythm) for one in found] == [(site.machine.pk, None, None)]


def test_what_is_long_dead_stays(site: Site) -> None:
    """After four weeks nothing is usual of it any more."""
    sell(site, range(0, 24, 2))
    assert [one.rhythm for one in selling_nothing(told(site), NOON + 60 * DAY)] == [None]


def test_it_is_worked_out_once_a_day(site: Site) -> None:
    sell(site, range(0, 24, 2))
    with CaptureQueriesContext(connection) as first:
        assert rhythms.of(told(site), NOON)
    with CaptureQueriesContext(connection) as second:
        assert rhythms.of(told(site), NOON + HOUR)
    with CaptureQueriesContext(connection) as next_day:
        assert rhythms.of(told(site), NOON + DAY)
    assert [len(one.captured_queries) for one in (first, second, next_day)] == [1, 0, 1]
