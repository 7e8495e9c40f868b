"""Which epochs and lines belong to an outlet and a month: machines move, counters are reset, months end at midnight."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from telemetry.events.storing import store_once
from telemetry.models import Command, MachineDevice
from telemetry.statuses.storing import touch_statuses
from telemetry.tests.cast import DAY, HOUR, NOON, Site, event

MOVED = NOON + 35 * DAY
"""5 April."""


@pytest.fixture
def site(db: None) -> Site:
    """Its machine moves from Chai Chee to Bedok. At both a press is missing in April, at the first in March, too."""
    site = Site.laid()
    MachineDevice.objects.update(assigned_date=NOON - 200 * DAY)
    MachineDevice.objects.filter(machine=site.machine).update(deactivated_date=MOVED, is_active=False)
    MachineDevice.objects.create(
        machine=site.machine, device=site.device, outlet=site.other_outlet, assigned_date=MOVED
    )
    for days, number in ((0, 1), (1, 3), (32, 5), (40, 7)):
        tell(site, NOON + days * DAY, number)
    return site


def tell(site: Site, at: datetime, number: int) -> None:
    store_once(connection, [event(site.device, at, received_at=at + timedelta(seconds=2), counter=number)])


def read(site: Site, **query: Any) -> list[list[str]]:
    """Of each epoch its lines."""
    epochs = site.olga.read("/api/ledger/?" + "&".join(f"{name}={value}" for name, value in query.items()))["epochs"]
    return [[line["numbers"] for line in epoch["lines"]] for epoch in epochs]


@pytest.mark.parametrize(
    ("month", "here", "there"),
    [
        ("2026-02", [], []),
        ("2026-03", [["2"]], []),
        ("2026-04", [["4"]], [["6"]]),
        ("2026-05", [], [[]]),
    ],
)
def test_an_outlets_month(site: Site, month: str, here: list[list[str]], there: list[list[str]]) -> None:
    """An epoch is where its machine stood in the month; a line where it stood at the time."""
    assert read(site, outlet_id=site.outlet.pk, month=month) == here
    assert read(site, outlet_id=site.other_outlet.pk, month=month) == there


@pytest.mark.alike
def test_all_of_an_outlet(site: Site) -> None:
    assert read(site, outlet_id=site.outlet.pk) == [["2", "4"]]
    assert read(site, outlet_id=site.other_outlet.pk) == [["6"]]


@pytest.mark.alike
def test_a_conflict_stays_whatever_comes_after_it(site: Site) -> None:
    at = NOON + 41 * DAY
    for number in (8, 9):
        told = event(site.device, at, received_at=at + timedelta(seconds=number), counter=number, event_id="the-same")
        store_once(connection, [told])
    assert read(site) == [["2", "4", "6", "9"]]
    for number in (9, 10, 11):
        tell(site, at + number * HOUR, number)
        assert read(site) == [["2", "4", "6", "9"]]


def test_an_epoch_that_ended_before_the_month(site: Site) -> None:
    at = NOON + 42 * DAY
    Command.objects.create(
        device=site.device, command_type="RESET_COUNTERS", status="executed", expires_at=at, executed_at=at,
        counters={"basic": 0, "standard": 0, "premium": 0},
    )  # fmt: skip
    touch_statuses(connection, {site.device.pk: at})
    tell(site, at + HOUR, 2)
    assert read(site, month="2026-04") == [["1"], ["4", "6"]]
    assert read(site, month="2026-05") == [[]]


def test_a_line_at_midnight_is_of_the_month_that_begins(site: Site) -> None:
    tell(site, datetime(2026, 5, 1, tzinfo=NOON.tzinfo), 9)
    assert read(site, month="2026-04") == [["4", "6"]]
    assert read(site, month="2026-05") == [["8"]]
