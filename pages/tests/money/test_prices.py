"""/prices/ and its forms: what holds today, what was set, and setting it."""

import re
from datetime import date

import pytest
from django.test import Client
from pytest_django import Settings

from ledger.models import Price, Share
from telemetry.tests.cast import Site


def rows(client: Client, name: str) -> list[str]:
    html = client.get("/prices/").content.decode()
    found = re.search(rf'<tbody data-list="{name}">(.*?)</tbody>', html, re.DOTALL)
    assert found
    return [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in re.findall("<tr.*?</tr>", found[1], re.DOTALL)]


def test_it_works(site: Site, staff: Client, settings: Settings) -> None:
    settings.CURRENCY = "MYR"
    assert rows(staff, "places") == ["Everywhere — — — — Set"]
    told = {"outlet": "", "valid_from": "2026-03-01", "basic": "5", "standard": "1250,50", "premium": ""}
    assert staff.post("/prices/set/", told).status_code == 302
    told = {"outlet": str(site.outlet.pk), "valid_from": "2026-02-01", "basic": "4.00"}
    assert staff.post("/prices/set/", told).status_code == 302
    told = {"outlet": str(site.outlet.pk), "valid_from": "2026-03-02", "basic": "4.20"}
    assert staff.post("/prices/set/", told).status_code == 302
    assert rows(staff, "places") == [
        "Everywhere 5.00 1,250.50 — — Set",
        "Chai Chee 4.00 1,250.50 — — Set",
    ]
    said = rows(staff, "changes")
    assert said[0].startswith("2026-03-02 ahead Chai Chee Basic 4.20 MYR olga")
    assert [row.split(" MYR")[0] for row in said[1:]] == [
        "2026-03-01 Everywhere Standard 1,250.50",
        "2026-03-01 Everywhere Basic 5.00",
        "2026-02-01 Chai Chee Basic 4.00",
    ]


def test_prices_of_an_outlet_end(site: Site, staff: Client) -> None:
    staff.post("/prices/set/", {"outlet": str(site.outlet.pk), "valid_from": "2026-02-01", "basic": "4.00"})
    told = {"outlet": str(site.outlet.pk), "valid_from": "2026-03-01", "ends": "ends"}
    assert staff.post("/prices/set/", told).status_code == 302
    assert rows(staff, "places") == ["Everywhere — — — — Set"]
    ends = Price.objects.filter(valid_from=date(2026, 3, 1))
    assert sorted(ends.values_list("treatment", "amount")) == [("BASIC", None), ("PREMIUM", None), ("STANDARD", None)]


def test_what_is_wrong_stands_on_the_form(site: Site, staff: Client) -> None:
    for told, words in [
        ({"valid_from": "2026-03-01"}, "Fill in at least one price."),
        ({"valid_from": "2026-03-01", "basic": "1.234"}, "An amount of EUR, with at most 2 decimal places."),
        ({"valid_from": "1999-01-01", "basic": "1"}, "A day of the years 2000 to 2199."),
        ({"valid_from": "2026-03-01", "ends": "ends"}, "Prices end at an outlet, and without new ones."),
    ]:
        reply = staff.post("/prices/set/", {"outlet": "", **told})
        assert words in reply.content.decode(), told
    assert not Price.objects.exists()


@pytest.mark.alike
def test_the_form_says_what_holds(site: Site, staff: Client) -> None:
    staff.post("/prices/set/", {"outlet": "", "valid_from": "2026-01-01", "basic": "5"})
    html = staff.get(f"/prices/set/?outlet={site.outlet.pk}").content.decode()
    assert 'placeholder="5.00"' in html
    assert f'<option value="{site.outlet.pk}" selected>' in html
    assert staff.get("/prices/set/?outlet=99999999").status_code == 200


@pytest.mark.alike
def test_a_share(site: Site, staff: Client) -> None:
    told = {"outlet": str(site.outlet.pk), "valid_from": "2026-03-01", "percent": "33,3"}
    assert staff.post("/prices/share/", told).status_code == 302
    assert Share.objects.get().hundredths == 3330
    assert rows(staff, "places")[1] == "Chai Chee — — — 33.30 % Set"
    reply = staff.post("/prices/share/", {**told, "percent": "101"})
    assert "A percentage from 0 to 100" in reply.content.decode()


@pytest.mark.alike
def test_what_was_mistyped_is_taken_back(site: Site, staff: Client) -> None:
    staff.post("/prices/set/", {"outlet": str(site.outlet.pk), "valid_from": "2026-03-01", "basic": "50"})
    staff.post("/prices/share/", {"outlet": str(site.outlet.pk), "valid_from": "2026-03-01", "percent": "30"})
    html = staff.get("/prices/").content.decode()
    paths = re.findall(r'href="(/prices/\S*delete/?)"', html)
    assert len(paths) == 2
    asked = [staff.get(path).content.decode() for path in paths]
    assert sum("Basic 50.00 EUR, Chai Chee, from 2026-03-01 on." in html for html in asked) == 1
    assert sum("Share 30.00 %, Chai Chee, from 2026-03-01 on." in html for html in asked) == 1
    assert [staff.post(path).status_code for path in paths] == [302, 302]
    assert (rows(staff, "changes"), rows(staff, "places")) == ([], ["Everywhere — — — — Set"])


def test_what_a_closed_statement_used_stays(site: Site, staff: Client) -> None:
    staff.post("/prices/set/", {"outlet": "", "valid_from": "2026-01-01", "basic": "5"})
    assert staff.post(f"/statements/{site.outlet.pk}-2026-01/close/").status_code == 302
    reply = staff.post(f"/prices/{Price.objects.get().pk}/delete/")
    assert (reply.status_code, Price.objects.count()) == (409, 1)
    assert "2026-01 of Chai Chee is closed" in reply.content.decode()
