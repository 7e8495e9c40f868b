"""/api/prices/ and /api/shares/: what is stored, what is refused, what is taken back."""

from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from ledger.models import Price, Share
from telemetry.machines.bindings import archive_outlet
from telemetry.tests.cast import NOON, Site

PRICES = "/api/prices/"
SHARES = "/api/shares/"
PRICE = {"outlet": None, "treatment": "BASIC", "price": "5.00", "valid_from": "2026-03-01"}


@pytest.fixture(autouse=True)
def _noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def test_it_works(site: Site, settings: Settings) -> None:
    settings.CURRENCY = "MYR"
    said = site.olga.post(PRICES, PRICE)
    expected = {
        "id": said.json()["id"],
        "outlet": None,
        "treatment": "BASIC",
        "price": "5.00",
        "currency": "MYR",
        "valid_from": "2026-03-01",
        "set_at": "2026-03-01T12:00:00Z",
        "set_by": "olga",
    }
    assert (said.status, said.json()) == (201, expected)
    own = site.olga.post(PRICES, {**PRICE, "outlet": site.outlet.pk, "price": "4.5"})
    assert (own.status, own.json()["outlet"], own.json()["price"]) == (201, site.outlet.pk, "4.50")
    assert site.olga.read(PRICES) == [expected, own.json()]
    assert site.olga.read(f"{PRICES}?outlet_id={site.outlet.pk}") == [own.json()]
    assert site.olga.read(f"{PRICES}?treatment=PREMIUM") == []


def test_it_comes_in_pages(site: Site) -> None:
    for day in ("2026-03-03", "2026-03-01", "2026-03-02"):
        site.olga.post(PRICES, {**PRICE, "valid_from": day})
        site.olga.post(SHARES, {"outlet": site.outlet.pk, "percent": "30", "valid_from": day})
    for path, query in ((PRICES, "treatment=BASIC"), (SHARES, f"outlet_id={site.outlet.pk}")):
        first = site.olga.get(f"{path}?{query}&limit=2")
        assert [row["valid_from"][-2:] for row in first.json()] == ["01", "02"]
        assert first.headers["link"] == f'<http://testserver{path}?{query}&limit=2&offset=2>; rel="next"'
        rest = site.olga.get(f"{path}?{query}&limit=2&offset=2")
        assert [row["valid_from"][-2:] for row in rest.json()] == ["03"]
        assert "link" not in rest.headers
        assert site.olga.get(f"{path}?limit=0").json()["errors"].keys() == {"limit"}
        assert site.olga.get(f"{path}?offset=-1").json()["errors"].keys() == {"offset"}


def test_one_of_the_same_day_is_replaced(site: Site) -> None:
    first = site.olga.post(PRICES, PRICE)
    second = site.olga.post(PRICES, {**PRICE, "price": "6.00"})
    assert (second.status, second.json()["id"], second.json()["price"]) == (200, first.json()["id"], "6.00")
    assert Price.objects.count() == 1
    assert site.olga.post(PRICES, {**PRICE, "valid_from": "2026-03-02"}).status == 201


def test_without_a_price_it_ends(site: Site) -> None:
    said = site.olga.post(PRICES, {**PRICE, "outlet": site.outlet.pk, "price": None})
    assert (said.status, said.json()["price"]) == (201, None)


@pytest.mark.alike
def test_a_price_keeps_its_currency(site: Site, settings: Settings) -> None:
    site.olga.post(PRICES, PRICE)
    settings.CURRENCY = "JPY"
    assert site.olga.post(PRICES, {**PRICE, "price": "700"}).status == 201
    assert [(row["price"], row["currency"]) for row in site.olga.read(PRICES)] == [("5.00", "EUR"), ("700", "JPY")]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"price": 5}, "price"),
        ({"price": 5.0}, "price"),
        ({"price": "-5"}, "price"),
        ({"price": "5.005"}, "price"),
        ({"price": "1e2"}, "price"),
        ({"treatment": "GOLD"}, "treatment"),
        ({"treatment": None}, "treatment"),
        ({"valid_from": "2026-02-30"}, "valid_from"),
        ({"valid_from": "2026-03-01T00:00:00Z"}, "valid_from"),
        ({"valid_from": "1999-12-31"}, "valid_from"),
        ({"valid_from": 20260301}, "valid_from"),
        ({"outlet": 999_999}, "outlet"),
        ({"outlet": "1"}, "outlet"),
        ({"currency": "USD"}, "currency"),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_refused(site: Site, change: dict[str, Any], field: str) -> None:
    said = site.olga.post(PRICES, {**PRICE, **change})
    assert (said.status, list(said.json()["errors"])) == (400, [field])
    assert not Price.objects.exists()


def test_everywhere_is_said(site: Site) -> None:
    """A client that forgets the outlet would set the price of all."""
    said = site.olga.post(PRICES, {name: value for name, value in PRICE.items() if name != "outlet"})
    assert (said.status, said.json()["errors"]) == (400, {"outlet": ["This field is required."]})


def test_a_deleted_outlet_gets_no_price(site: Site) -> None:
    archive_outlet(outlet=site.outlet)
    assert site.olga.post(PRICES, {**PRICE, "outlet": site.outlet.pk}).status == 400


def test_shares(site: Site) -> None:
    said = site.olga.post(SHARES, {"outlet": site.outlet.pk, "percent": "12.5", "valid_from": "2026-03-01"})
    expected = {
        "id": said.json()["id"],
        "outlet": site.outlet.pk,
        "percent": "12.50",
        "valid_from": "2026-03-01",
        "set_at": "2026-03-01T12:00:00Z",
        "set_by": "olga",
    }
    assert (said.status, said.json()) == (201, expected)
    again = site.olga.post(SHARES, {"outlet": site.outlet.pk, "percent": "0", "valid_from": "2026-03-01"})
    assert (again.status, again.json()["percent"], Share.objects.count()) == (200, "0.00", 1)
    assert site.olga.read(f"{SHARES}?outlet_id={site.other_outlet.pk}") == []


@pytest.mark.sqlite_only
@pytest.mark.parametrize(
    ("change", "field"),
    [({"percent": 30}, "percent"), ({"percent": "100.5"}, "percent"), ({"outlet": None}, "outlet"), ({"x": 1}, "x")],
)
def test_what_is_no_share(site: Site, change: dict[str, Any], field: str) -> None:
    told = {"outlet": site.outlet.pk, "percent": "30", "valid_from": "2026-03-01", **change}
    said = site.olga.post(SHARES, told)
    assert (said.status, list(said.json()["errors"])) == (400, [field])
    assert not Share.objects.exists()


def test_what_was_mistyped_is_taken_back(site: Site) -> None:
    kept = site.olga.post(PRICES, PRICE).json()
    wrong = site.olga.post(PRICES, {**PRICE, "price": "50.00", "valid_from": "2026-03-02"}).json()
    assert site.olga.delete(f"{PRICES}{wrong['id']}/").status == 204
    assert site.olga.read(PRICES) == [kept]
    gone = site.olga.delete(f"{PRICES}{wrong['id']}/")
    assert (gone.status, gone.json()["code"]) == (404, "unknown_price")
    told = {"outlet": site.outlet.pk, "percent": "99", "valid_from": "2026-03-01"}
    share = site.olga.post(SHARES, told).json()
    assert site.olga.delete(f"{SHARES}{share['id']}").status == 204
    assert not Share.objects.exists()
    gone = site.olga.delete(f"{SHARES}{'9' * 19}/")
    assert (gone.status, gone.json()["code"]) == (404, "unknown_share")
    assert site.olga.get(f"{PRICES}{kept['id']}/").status == 405
