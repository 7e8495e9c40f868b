"""What people read of statistics: neither an unfinished day nor a time without data makes a number that lies."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from telemetry.events.services import redate_some
from telemetry.figures.comparison import Comparison, compared
from telemetry.figures.statistics import Filters
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, press

MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def bound(site: Site) -> None:
    MachineDevice.objects.update(assigned_date=NOON - 900 * DAY)


def seen(site: Site, **filters: Any) -> Comparison:
    return compared(site.olga.user, Filters(zone=ZoneInfo("UTC"), **filters), NOON)


def give(site: Site, *ago: timedelta) -> None:
    for one in ago:
        press(site.device, NOON - one)


def test_the_unfinished_day_is_in_no_average_and_no_change(site: Site) -> None:
    days = [*range(13, 6, -1), 7, *(6, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1), 0]  # a day: 1 and 2; this day 1
    give(site, *(one * DAY for one in days))
    found = seen(site)
    assert found.series["total"] == [3, 2, 2, 2, 2, 2, 1]
    assert found.before == [1, 1, 1, 1, 1, 1, 2]
    assert (found.total, found.unfinished, found.most) == (14, 1, 3)
    assert (found.average, found.fewest) == (2.17, 2)
    assert (found.ours, found.theirs, found.pairs) == (13, 6, 6)
    assert found.change == pytest.approx(100 * 7 / 6)


def test_the_last_day_before_ends_where_it_is_now(site: Site) -> None:
    give(site, 8 * DAY, 7 * DAY + SECOND, 7 * DAY, 7 * DAY - SECOND, 7 * DAY - 11 * HOUR)
    found = seen(site)
    assert found.before == [None, None, None, None, None, 1, 2]
    assert (found.total_before, found.span_before) == (3, ("2026-02-16", "2026-02-22 12:00"))


@pytest.mark.parametrize(("granularity", "places"), [("hour", 13), ("minute", 721)])
def test_today_by_the_clock_beside_yesterday(site: Site, granularity: str, places: int) -> None:
    give(site, 2 * DAY, DAY + 12 * HOUR, DAY + HOUR, DAY, DAY - SECOND, DAY - MINUTE, HOUR, HOUR, timedelta())
    found = seen(site, granularity=granularity, days=1)
    step = len(found.labels) // 12
    assert len(found.labels) == len(found.before) == places
    assert (found.before[0], found.before[-1 - step], found.before[-1]) == (1, 1, 1)
    assert (found.total, found.total_before, found.change, found.is_until_now) == (3, 3, 0, True)
    assert found.span_before == (found.labels[0].replace("03-01", "02-28"), "2026-02-28 12:00")


def test_this_day_alone_is_compared_until_now(site: Site) -> None:
    give(site, 2 * DAY, DAY, DAY - SECOND, HOUR, HOUR, HOUR)
    found = seen(site, days=1)
    assert (found.average, found.fewest, found.most) == (None, None, 3)
    assert (found.ours, found.theirs, found.change, found.is_until_now) == (3, 1, 200, True)


@pytest.mark.parametrize(
    ("first", "before", "no_data_before", "told"),
    [  # the first one 60 days ago is of 31 December
        (60, [None, None, 0], "2025-12-31", (2, 0, 0)),
        (119, [None, 1, 0], "2025-11-02", (2, 0, 0)),  # a month that began before the data does not count
        (120, [None, 1, 0], "2025-11-01", (2, 2, 1)),
        (150, [1, 0, 0], "2025-10-02", (2, 2, 0)),
        (400, [0, 0, 0], "", (2, 4, 0)),
    ],
)
def test_months_stand_beside_months(
    site: Site, first: int, before: list[int | None], no_data_before: str, told: tuple[int, int, int]
) -> None:
    """20 and 25 January, 9 and 19 February, 1 March."""
    give(site, *(one * DAY for one in (first, 40, 35, 20, 10, 0)))
    found = seen(site, granularity="month", days=60)
    assert (found.labels, found.series["total"]) == (["2026-01", "2026-02", "2026-03"], [2, 2, 1])
    assert (found.before, found.no_data_before) == (before, no_data_before)
    assert (found.average, found.ours, found.theirs) == told


def test_a_month_that_began_before_the_data_is_in_no_average(site: Site) -> None:
    give(site, *(one * DAY for one in (40, 35, 20, 10, 5, 0)))
    found = seen(site, granularity="month", days=60)
    assert (found.series["total"], found.average, found.fewest) == ([2, 3, 1], 3, 3)
    assert (found.total_before, found.pairs, found.no_data_before) == (None, 0, "2026-01-20")


def test_what_is_over_is_whole(site: Site) -> None:
    give(site, 30 * DAY, 5 * DAY, 4 * DAY, 3 * DAY, 3 * DAY)
    found = seen(site, start=NOON - 4 * DAY, end=NOON - 3 * DAY)
    assert (found.unfinished, found.average, found.fewest, found.pairs) == (0, 1.5, 1, 2)
    assert (found.total_before, found.span_before) == (1, ("2026-02-23", "2026-02-24"))


def test_what_is_still_to_come_is_unfinished(site: Site) -> None:
    give(site, 30 * DAY, HOUR)
    found = seen(site, start=NOON - DAY, end=NOON + DAY)
    assert (found.unfinished, found.average, found.fewest, found.pairs) == (2, 0, 0, 1)


class TestNoDataBefore:
    def test_nothing_at_all(self, site: Site) -> None:
        found = seen(site)
        assert found.series["total"] == [None] * 6 + [0]
        assert (found.before, found.total, found.total_before, found.change) == ([None] * 7, 0, None, None)
        assert (found.average, found.fewest, found.most) == (None, None, 0)
        assert found.no_data_before == "2026-03-01"

    def test_it_began_in_these_days(self, site: Site) -> None:
        give(site, 2 * DAY, 2 * DAY, DAY)
        found = seen(site)
        assert found.series["basic"] == [None, None, None, None, 2, 1, 0]
        assert (found.average, found.fewest, found.total) == (1.5, 1, 3)
        assert (found.total_before, found.no_data_before) == (None, "2026-02-27")

    @pytest.mark.alike
    def test_it_began_in_those_before(self, site: Site) -> None:
        give(site, 9 * DAY, 8 * DAY, 8 * DAY, 6 * DAY, 2 * DAY, DAY)
        found = seen(site)
        assert found.before == [None, None, None, None, 1, 2, 0]
        assert found.series["total"] == [1, 0, 0, 0, 1, 1, 0]
        # Only days that both have: 27 and 28 February.
        assert (found.ours, found.theirs, found.pairs, found.total_before) == (2, 3, 2, 3)

    def test_it_began_yesterday_by_the_hour(self, site: Site) -> None:
        give(site, DAY + HOUR, HOUR, 3 * HOUR)
        found = seen(site, granularity="hour", days=1)
        assert found.before == [None] * 11 + [1, 0]
        assert (found.no_data_before, found.ours, found.theirs) == ("2026-02-28 11:00", 1, 1)

    def test_it_began_on_the_first_of_those_days(self, site: Site) -> None:
        give(site, 13 * DAY)
        found = seen(site)
        assert (found.before[0], found.no_data_before, found.pairs) == (1, "", 6)

    @pytest.mark.each_case
    @pytest.mark.parametrize("which", ["machine_id", "outlet_id", "device_id", "owner"])
    def test_of_what_is_asked_for(self, site: Site, which: str) -> None:
        """That others have data says nothing of this one."""
        press(site.other_device, NOON - 50 * DAY)
        give(site, DAY)
        assert seen(site).no_data_before == ""
        asked: dict[str, Any] = {"machine_id": site.machine.pk, "outlet_id": site.outlet.pk, "device_id": "esp32-001"}
        filters = Filters(zone=ZoneInfo("UTC"), **({which: asked[which]} if which in asked else {}))
        who = site.vera if which == "owner" else site.olga
        assert compared(who.user, filters, NOON).no_data_before == "2026-02-28"

    def test_a_suspect_first_day_is_taken_back(self, site: Site) -> None:
        give(site, HOUR)
        assert press(site.device, NOON - 300 * DAY, received_at=NOON - HOUR).clock_suspect
        assert seen(site).no_data_before == ""
        redate_some(device=site.device.pk, until=None)
        assert seen(site).no_data_before == "2026-03-01"


def test_a_long_past_costs_no_query_more(site: Site) -> None:
    give(site, *(one * DAY for one in range(0, 200, 9)))
    for filters in ({}, {"granularity": "hour", "days": 1}, {"granularity": "month", "days": 30}):
        with CaptureQueriesContext(connection) as captured:
            seen(site, **filters)
        # For either side days, hours and the rest of an hour; whether there were any before.
        assert len(captured) <= 7, [one["sql"] for one in captured.captured_queries]
