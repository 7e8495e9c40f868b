"""GET /api/revenue/ and its CSV: by the price of the day, at the outlet that held the machine, exact, one's own."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from ledger.models import Price
from telemetry.machines.bindings import change_machine
from telemetry.models import MachineDevice, Outlet
from telemetry.tests.cast import DAY, HOUR, NOON, Site, press

REVENUE = "/api/revenue/"


@pytest.fixture
def site(db: None) -> Any:
    site = Site.laid()
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    with time_machine.travel(NOON, tick=False):
        yield site


def cost(outlet: Outlet | None, treatment: str, amount: int | None, valid_from: str) -> None:
    Price.objects.create(
        outlet=outlet, treatment=treatment, currency="EUR", amount=amount, valid_from=date.fromisoformat(valid_from)
    )


@pytest.fixture
def priced(site: Site) -> Site:
    """Everywhere BASIC 5.00, from 28 February 6.00; STANDARD 8.00. At Chai Chee BASIC 4.50 from 27 February."""
    cost(None, "BASIC", 500, "2026-01-01")
    cost(None, "BASIC", 600, "2026-02-28")
    cost(None, "STANDARD", 800, "2026-01-01")
    cost(site.outlet, "BASIC", 450, "2026-02-27")
    for days, treatment in ((4, "BASIC"), (2, "BASIC"), (2, "PREMIUM"), (1, "STANDARD"), (0, "BASIC"), (0, "BASIC")):
        press(site.device, NOON - days * DAY, treatment=treatment)
    for days in (2, 1):
        press(site.other_device, NOON - days * DAY, treatment="BASIC")
    return site


def test_it_works(priced: Site) -> None:
    labels = ["2026-02-25", "2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"]
    assert priced.olga.read(f"{REVENUE}?days=5") == {
        "labels": labels,
        "currency": "EUR",
        "series": {
            "basic": ["5.00", "0.00", "9.50", "6.00", "9.00"],
            "standard": ["0.00", "0.00", "0.00", "8.00", "0.00"],
            "premium": ["0.00"] * 5,
            "total": ["5.00", "0.00", "9.50", "14.00", "9.00"],
        },
        "prev_series": None,
        "kpi": {"total": "37.50", "prev_total": "0.00", "delta_pct": None, "unpriced": 1},
    }
    csv = priced.olga.get(f"{REVENUE}export.csv?days=2").body.decode()
    assert csv.splitlines() == [
        "label,basic,standard,premium,total,revenue_basic,revenue_standard,revenue_premium,revenue_total,currency",
        "2026-02-28,1,1,0,2,6.00,8.00,0.00,14.00,EUR",
        "2026-03-01,2,0,0,2,9.00,0.00,0.00,9.00,EUR",
    ]


def test_the_parameters_are_those_of_statistics(priced: Site) -> None:
    found = priced.olga.read(f"{REVENUE}?days=2&compare=true&cumulative=true")
    assert found["series"]["total"] == ["14.00", "23.00"]
    assert found["prev_series"]["total"] == ["0.00", "9.50"]
    assert found["kpi"] == {"total": "23.00", "prev_total": "9.50", "delta_pct": 142.11, "unpriced": 0}
    by_outlet = priced.olga.read(f"{REVENUE}?outlet_id={priced.outlet.pk}&granularity=month&days=1")
    assert (by_outlet["labels"], by_outlet["series"]["total"]) == (["2026-03"], ["9.00"])
    assert priced.olga.get(f"{REVENUE}?days=x").status == 400
    assert priced.olga.get(f"{REVENUE}?outlet_id=999").status == 404


@pytest.mark.parametrize("granularity", ["hour", "minute"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "Asia/Singapore"])
def test_the_day_of_the_price_is_the_servers(priced: Site, zone: str, granularity: str) -> None:
    """Whatever zone the buckets are of, and whatever they are counted from."""
    found = priced.olga.read(f"{REVENUE}?start=2026-02-24&end=2026-03-01&granularity={granularity}&tz={zone}")
    assert found["kpi"]["total"] == "37.50"


def test_a_price_changes_at_local_midnight(site: Site, settings: Settings) -> None:
    settings.STATS_TIME_ZONE = "Asia/Singapore"
    cost(None, "BASIC", 500, "2026-01-01")
    cost(None, "BASIC", 600, "2026-02-28")
    midnight = datetime(2026, 2, 27, 16, tzinfo=UTC)
    press(site.device, midnight - HOUR / 3600)
    press(site.device, midnight)
    assert site.olga.read(f"{REVENUE}?days=3")["series"]["basic"] == ["5.00", "6.00", "0.00"]


@pytest.mark.alike
def test_of_the_outlet_that_held_the_machine(priced: Site) -> None:
    """A press stays what it was worth where it occurred, wherever the machine stands now."""
    before = priced.olga.read(f"{REVENUE}?days=5")
    change_machine(machine=priced.machine, fields={"outlet": priced.other_outlet})
    assert priced.olga.read(f"{REVENUE}?days=5") == before
    assert priced.olga.read(f"{REVENUE}?days=5&outlet_id={priced.outlet.pk}")["kpi"]["total"] == "26.50"


def test_one_sees_ones_own(priced: Site) -> None:
    assert priced.vera.read(f"{REVENUE}?days=5")["kpi"]["total"] == "26.50"
    assert priced.mallory.read(f"{REVENUE}?days=5")["kpi"] == {
        "total": "0.00", "prev_total": "0.00", "delta_pct": None, "unpriced": 0,
    }  # fmt: skip
    assert priced.nobody.get(REVENUE).status == 401


@pytest.mark.alike
def test_another_currency_has_no_prices(priced: Site, settings: Settings) -> None:
    settings.CURRENCY = "JPY"
    assert priced.olga.read(f"{REVENUE}?days=5")["kpi"]["total"] == "0"
    assert priced.olga.read(f"{REVENUE}?days=5")["kpi"]["unpriced"] == 8


OUTLETS = f"{REVENUE}outlets/"


def test_by_outlet(priced: Site) -> None:
    found = priced.olga.read(f"{OUTLETS}?start=2026-02-25&end=2026-02-27")
    chai_chee = {
        "outlet_id": priced.outlet.pk, "name": "Chai Chee", "presses": 3, "revenue": "9.50", "prev_presses": 0,
        "prev_revenue": "0.00", "unpriced": 1, "unexplained": 0,
    }  # fmt: skip
    bedok = {**chai_chee, "outlet_id": priced.other_outlet.pk, "name": "Bedok", "presses": 1, "revenue": "5.00"}
    bedok["unpriced"] = 0
    total = {"presses": 4, "revenue": "14.50", "prev_presses": 0, "prev_revenue": "0.00", "unpriced": 1}
    assert found == {
        "start": "2026-02-25",
        "end": "2026-02-27",
        "currency": "EUR",
        "total": {**total, "unexplained": 0},
        "outlets": [chai_chee, bedok],
    }
    csv = priced.olga.get(f"{REVENUE}outlets.csv?start=2026-02-25&end=2026-02-27").body.decode()
    assert csv.splitlines() == [
        "Outlet,Name,Presses,Revenue,Presses before,Revenue before,Without a price,Unexplained,Currency",
        f"{priced.outlet.pk},Chai Chee,3,9.50,0,0.00,1,0,EUR",
        f"{priced.other_outlet.pk},Bedok,1,5.00,0,0.00,0,0,EUR",
        ",Total,4,14.50,0,0.00,1,0,EUR",
    ]


def test_beside_the_same_weekdays(priced: Site) -> None:
    press(priced.device, NOON - 8 * DAY)
    found = priced.olga.read(OUTLETS)
    assert (found["start"], found["end"]) == ("2026-02-28", "2026-02-28")
    assert (found["total"]["revenue"], found["total"]["prev_revenue"]) == ("14.00", "5.00")


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("start=x", "start"),
        ("end=1999-01-01", "end"),
        ("start=2026-02-02&end=2026-02-01", "end"),
        ("start=2020-01-01&end=2026-01-01", "start"),
    ],
)
def test_days_that_cannot_be(priced: Site, query: str, field: str) -> None:
    said = priced.olga.get(f"{OUTLETS}?{query}")
    assert (said.status, list(said.json()["errors"])) == (400, [field])


@pytest.mark.alike
def test_outlets_of_ones_own_devices(priced: Site) -> None:
    found = priced.vera.read(f"{OUTLETS}?start=2026-02-25&end=2026-02-27")
    assert [one["name"] for one in found["outlets"]] == ["Chai Chee"]
    assert priced.mallory.read(OUTLETS)["outlets"] == []
