"""/statements/: those of a month, one of them, closing one and all."""

import re
from datetime import date

import pytest
from django.test import Client

from ledger.models import Price, Share, Statement
from telemetry.models import MachineDevice, Outlet
from telemetry.tests.cast import DAY, NOON, Site, press


@pytest.fixture
def february(site: Site) -> Site:
    """A BASIC at 1,200.00 at Chai Chee, of which it gets 30 %; a PREMIUM at Bedok that has no price."""
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    Price.objects.create(treatment="BASIC", currency="EUR", amount=120_000, valid_from=date(2026, 1, 1))
    Share.objects.create(outlet=site.outlet, hundredths=3000, valid_from=date(2026, 1, 1))
    press(site.device, NOON - 5 * DAY)
    press(site.other_device, NOON - 5 * DAY, treatment="PREMIUM")
    return site


def words(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def rows(client: Client, path: str = "/statements/") -> list[str]:
    html = client.get(path).content.decode()
    found = re.search(r'<tbody data-list="statements">(.*?)</tbody>', html, re.DOTALL)
    assert found
    return [words(row) for row in re.findall("<tr.*?</tr>", found[1], re.DOTALL)]


def test_it_works(february: Site, staff: Client) -> None:
    assert rows(staff) == [
        "Bedok 1 without a price 1 0.00 0.00 0.00 — —",
        "Chai Chee draft 1 1,200.00 360.00 840.00 — —",
    ]
    page = staff.get("/statements/").content.decode()
    assert "Close all of 2026-02" in page
    assert "Treatments 2 Revenue in EUR 1,200.00 Outlets’ shares 360.00 Remainder 840.00" in words(page)
    path = f"/statements/{february.outlet.pk}-2026-02/"
    said = words(staff.get(path).content.decode())
    assert "Draft of a statement 2026-02 Chai Chee" in said
    assert "Basic 1–28 1 1,200.00 1,200.00 30.00 % 360.00" in said
    assert staff.post(f"{path}close/").status_code == 302
    said = words(staff.get(path).content.decode())
    assert "Statement no. 1 2026-02" in said
    assert f"SHA-256 of the JSON {Statement.objects.get().json_sha256}" in said
    assert rows(staff)[1] == "Chai Chee No. 1 1 1,200.00 360.00 840.00 — —"
    again = staff.post(f"{path}close/")
    assert (again.status_code, "is closed already" in again.content.decode()) == (409, True)


@pytest.mark.alike
def test_a_correction(february: Site, staff: Client) -> None:
    staff.post(f"/statements/{february.outlet.pk}-2026-02/close/")
    press(february.device, NOON - 6 * DAY, received_at=NOON)
    assert rows(staff, "/statements/?month=2026-03")[1] == "Chai Chee running 1 1,200.00 360.00 840.00 1,200.00 —"
    said = words(staff.get(f"/statements/{february.outlet.pk}-2026-03/").content.decode())
    assert "so far: the month is not over" in said
    assert "Corrections of earlier months, in EUR" in said
    assert "Basic 2026-02 1 1,200.00 1,200.00 30.00 % 360.00" in said


def test_all_of_a_month(february: Site, staff: Client) -> None:
    assert staff.post("/statements/close/2026-02/").status_code == 302
    said = words(staff.get("/statements/?month=2026-02").content.decode())
    assert "1 statement of 2026-02 closed. Bedok has 1 press without a price" in said
    assert [row.outlet.name for row in Statement.objects.all()] == ["Chai Chee"]


def test_the_running_month(february: Site, staff: Client) -> None:
    page = staff.get("/statements/?month=2026-03").content.decode()
    assert "2026-03 is not over: this is how it goes so far." in page
    assert "Close all" not in page
    assert staff.get("/statements/?month=nonsense").status_code == 200


def test_names_of_any_script_stand_in_their_direction(february: Site, staff: Client) -> None:
    Outlet.objects.filter(pk=february.outlet.pk).update(name="مغسلة السوق", address="八打灵再也 Jalan 14/20")
    page = staff.get(f"/statements/{february.outlet.pk}-2026-02/").content.decode()
    assert '<strong dir="auto">مغسلة السوق</strong>' in page
    assert '<span dir="auto">八打灵再也 Jalan 14/20</span>' in page
