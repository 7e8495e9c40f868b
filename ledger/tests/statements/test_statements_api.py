"""/api/statements/: what a draft says, closing it, what is refused; exact bodies."""

import hashlib
import json
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from ledger.models import Books, Statement
from ledger.statements.months import Month
from ledger.statements.services import close_all
from ledger.tests.statements.conftest import cost
from ozone.wire.errors import Conflict
from telemetry.events.flushing import flush
from telemetry.machines.bindings import archive_outlet
from telemetry.tests.cast import DAY, NOON, Site, press

STATEMENTS = "/api/statements/"


def close(site: Site, month: str = "2026-02", outlet: int | None = None) -> Any:
    return site.olga.post(f"{STATEMENTS}{outlet or site.outlet.pk}-{month}/close/")


def read(site: Site, month: str = "2026-02", outlet: int | None = None) -> Any:
    return site.olga.read(f"{STATEMENTS}{outlet or site.outlet.pk}-{month}/")


def sums(presses: int, revenue: str, share: str, remainder: str) -> dict[str, Any]:
    return {"presses": presses, "revenue": revenue, "share": share, "remainder": remainder}


NOTHING = sums(0, "0.00", "0.00", "0.00")
FEBRUARY = sums(3, "23.50", "7.84", "15.66")


def line(treatment: str, first: int, last: int, presses: int, price: str, revenue: str, share: str) -> dict[str, Any]:
    days = [{"from": f"2026-02-{first:02}", "until": f"2026-02-{last:02}"}]
    money = {"presses": presses, "price": price, "revenue": revenue, "share_percent": "33.33", "share": share}
    return {"treatment": treatment, "days": days, "settled": 0, **money}


def test_it_works(sold: Site) -> None:
    name = f"{sold.outlet.pk}-2026-02"
    outlet = {"id": sold.outlet.pk, "name": "Chai Chee"}
    expected = {
        "id": name,
        "status": "draft",
        "number": None,
        "closed_at": None,
        "closed_by": None,
        "month": "2026-02",
        "is_over": True,
        "time_zone": "UTC",
        "currency": "EUR",
        "outlet": {**outlet, "region": "", "address": "", "contact_person": ""},
        "lines": [
            line("BASIC", 1, 15, 1, "5.00", "5.00", "1.67"),
            line("BASIC", 16, 28, 1, "6.00", "6.00", "2.00"),
            line("STANDARD", 1, 28, 0, "8.00", "0.00", "0.00"),
            line("PREMIUM", 1, 28, 1, "12.50", "12.50", "4.17"),
        ],
        "corrections": [],
        "unexplained": [],
        "unpriced": 0,
        "totals": {"month": FEBRUARY, "corrections": NOTHING, "statement": FEBRUARY},
    }
    assert read(sold) == expected
    said = close(sold)
    assert said.status == 200, said.body
    closing = {"status": "closed", "number": 1, "closed_at": "2026-03-01T12:00:00Z", "closed_by": "olga"}
    document = sold.olga.get(f"{STATEMENTS}{name}/").body
    sheet = sold.olga.get(f"{STATEMENTS}{name}/export.csv").body
    assert json.loads(document) == {**expected, **closing}
    hashes = {
        "json_sha256": hashlib.sha256(document).hexdigest(),
        "csv_sha256": hashlib.sha256(sheet).hexdigest(),
    }
    left_out = {"time_zone", "lines", "corrections"}
    shown = {name: value for name, value in expected.items() if name not in left_out}
    assert said.json() == {**shown, **closing, "outlet": outlet, **hashes}
    assert sold.olga.read(STATEMENTS) == [said.json()]
    assert sheet.decode().splitlines() == [
        "Statement,Outlet,Month,Kind,Of month,Treatment,Days,Presses,Price,Revenue,Share in percent,Share,Currency",
        "1,Chai Chee,2026-02,month,2026-02,BASIC,2026-02-01 to 2026-02-15,1,5.00,5.00,33.33,1.67,EUR",
        "1,Chai Chee,2026-02,month,2026-02,BASIC,2026-02-16 to 2026-02-28,1,6.00,6.00,33.33,2.00,EUR",
        "1,Chai Chee,2026-02,month,2026-02,STANDARD,2026-02-01 to 2026-02-28,0,8.00,0.00,33.33,0.00,EUR",
        "1,Chai Chee,2026-02,month,2026-02,PREMIUM,2026-02-01 to 2026-02-28,1,12.50,12.50,33.33,4.17,EUR",
        "1,Chai Chee,2026-02,total of month,,,,3,,23.50,,7.84,EUR",
        "1,Chai Chee,2026-02,total of corrections,,,,0,,0.00,,0.00,EUR",
        "1,Chai Chee,2026-02,total of statement,,,,3,,23.50,,7.84,EUR",
    ]
    assert sold.olga.get(f"{STATEMENTS}{name}/export.csv?bom=true").body == b"\xef\xbb\xbf" + sheet


def test_a_month_has_one_of_every_outlet(sold: Site) -> None:
    close(sold)
    found = sold.olga.read(f"{STATEMENTS}?month=2026-02")
    assert [(one["outlet"]["name"], one["status"], one["totals"]["statement"]["revenue"]) for one in found] == [
        ("Bedok", "draft", "8.00"),
        ("Chai Chee", "closed", "23.50"),
    ]
    assert sold.olga.read(f"{STATEMENTS}?month=2026-02&outlet_id={sold.outlet.pk}") == found[1:]
    assert sold.olga.read(f"{STATEMENTS}?outlet_id={sold.other_outlet.pk}") == []
    archive_outlet(outlet=sold.outlet)
    archive_outlet(outlet=sold.other_outlet)
    assert [one["status"] for one in sold.olga.read(f"{STATEMENTS}?month=2026-02")] == ["draft", "closed"]
    assert sold.olga.read(f"{STATEMENTS}?month=2025-12") == []


def test_the_running_month_is_a_draft(sold: Site) -> None:
    press(sold.device, NOON)
    said = read(sold, "2026-03")
    assert (said["is_over"], said["totals"]["month"]) == (False, sums(1, "6.00", "2.00", "4.00"))
    refused = close(sold, "2026-03")
    assert (refused.status, refused.json()["code"]) == (409, "month_not_over")


def test_a_month_ends_at_local_midnight(sold: Site, settings: Settings) -> None:
    settings.STATS_TIME_ZONE = "Pacific/Honolulu"  # ten hours behind
    with time_machine.travel(NOON - DAY / 12 - DAY / 8640, tick=False):
        assert close(sold).json()["code"] == "month_not_over"
    with time_machine.travel(NOON - DAY / 12, tick=False):
        assert close(sold).status == 200


def test_numbers_have_no_gap(sold: Site) -> None:
    assert close(sold, "2026-01").json()["number"] == 1
    assert close(sold, "2026-01").json()["code"] == "statement_closed"
    assert close(sold, "2026-04").json()["code"] == "month_not_over"
    assert close(sold, outlet=sold.other_outlet.pk).json()["number"] == 2
    assert close(sold).json()["number"] == 3
    assert list(Statement.objects.order_by("number").values_list("number", flat=True)) == [1, 2, 3]
    assert Books.objects.get().last_number == 3


def test_months_are_closed_in_their_order(sold: Site) -> None:
    assert close(sold, "2025-12").status == 200
    refused = close(sold)
    assert (refused.status, refused.json()["code"]) == (409, "months_out_of_order")
    assert refused.json()["detail"] == "Close 2026-01 of Chai Chee first."
    assert close(sold, "2025-11").json()["code"] == "months_out_of_order"
    assert close(sold, "2026-01").status == close(sold).status == 200


def test_of_all_those_that_are_closed_are_no_trouble(sold: Site) -> None:
    close(sold)
    outlets = [sold.outlet, sold.other_outlet]
    assert close_all(outlets=outlets, month=Month(2026, 2), actor=sold.olga.user, now=NOON) == (1, {})
    closed, refused = close_all(outlets=outlets, month=Month(2026, 3), actor=sold.olga.user, now=NOON)
    assert (closed, {reason.code for reason in refused.values()}) == (0, {"month_not_over"})


@pytest.mark.alike
def test_what_has_no_price_is_not_closed(site: Site) -> None:
    press(site.device, NOON - 70 * DAY)
    refused = close(site, "2025-12")
    assert (refused.status, refused.json()["code"]) == (409, "price_missing")
    assert read(site, "2025-12")["unpriced"] == 1
    assert read(site, "2025-12")["lines"][0]["price"] is None
    cost("BASIC", 400, "2025-01-01")
    assert close(site, "2025-12").json()["totals"]["statement"]["revenue"] == "4.00"


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("name", "status"),
    [("{pk}-2026-13", 404), ("{pk}-1999-12", 404), ("999999-2026-02", 404), ("{pk}-2026-2", 404), ("x", 404)],
)
def test_what_there_is_not(sold: Site, name: str, status: int) -> None:
    name = name.format(pk=sold.outlet.pk)
    assert sold.olga.get(f"{STATEMENTS}{name}/").status == status
    assert sold.olga.post(f"{STATEMENTS}{name}/close/").status == status


@pytest.mark.parametrize("query", ["month=2026-2", "month=x", "outlet_id=x", "month=1999-01"])
@pytest.mark.alike
def test_bad_parameters(sold: Site, query: str) -> None:
    said = sold.olga.get(f"{STATEMENTS}?{query}")
    assert (said.status, list(said.json()["errors"])) == (400, [query.partition("=")[0]])


def test_a_name_is_no_formula(sold: Site) -> None:
    sold.outlet.name = '=HYPERLINK("x")'
    sold.outlet.save()
    sheet = sold.olga.get(f"{STATEMENTS}{sold.outlet.pk}-2026-02/export.csv").body.decode()
    assert sheet.splitlines()[1].startswith('draft,"\'=HYPERLINK(""x"")",2026-02')


@pytest.mark.alike
def test_nothing_is_flushed_once_a_statement_is_closed(sold: Site) -> None:
    close(sold)
    with pytest.raises(Conflict) as refused:
        flush(actor=sold.olga.user, now=NOON)
    assert refused.value.code == "statements_closed"
    assert read(sold)["totals"]["month"] == FEBRUARY
