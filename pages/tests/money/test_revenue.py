"""Revenue beside the numbers: on /stats/, in the list of outlets and on the page of one."""

import re
from datetime import date

import pytest
from django.test import Client

from ledger.models import Price
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, NOON, Site, press


@pytest.fixture
def sales(site: Site) -> Site:
    """Two presses at Chai Chee today, one the day before; one at Bedok."""
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    for days in (0, 0, 1):
        press(site.device, NOON - days * DAY)
    press(site.other_device, NOON)
    return site


def words(client: Client, path: str) -> str:
    html = client.get(path).content.decode()
    return " ".join(re.sub("<[^>]+>", " ", html[html.index("<main") :]).split())


def cost(amount: int) -> None:
    Price.objects.create(treatment="BASIC", currency="EUR", amount=amount, valid_from=date(2026, 1, 1))


def test_it_works(sales: Site, staff: Client) -> None:
    cost(123_450)
    said = words(staff, "/stats/?days=2")
    assert "Revenue in EUR 4,938.00" in said
    assert "2026-03-01 so far 3 0 0 3 3,703.50 2026-02-28 1 0 0 1 1,234.50" in said
    assert "/api/revenue/export.csv" in staff.get("/stats/").content.decode()
    assert "Chai Chee" in words(staff, "/outlets/") and " 2,469.00 " in words(staff, "/outlets/")
    assert "Revenue EUR 2,469.00 3,703.50 3,703.50" in words(staff, f"/outlets/{sales.outlet.pk}/")


@pytest.mark.alike
def test_without_a_price_nothing_is_said_of_money(sales: Site, staff: Client) -> None:
    assert "Revenue" not in words(staff, "/stats/?days=2")
    assert "/api/stats/export.csv" in staff.get("/stats/").content.decode()
    assert "Revenue" not in words(staff, f"/outlets/{sales.outlet.pk}/")


def test_one_sees_ones_own(sales: Site, owner: Client) -> None:
    cost(100)
    assert "Revenue in EUR 3.00" in words(owner, "/stats/?days=2")
    assert "Revenue EUR 2.00 3.00 3.00" in words(owner, f"/outlets/{sales.outlet.pk}/")


def test_an_average_is_no_amount(sales: Site, staff: Client) -> None:
    cost(100)
    assert "Revenue in EUR 4.00" in words(staff, "/stats/?days=2&ma=2")
    assert "3.00" not in words(staff, "/stats/?days=2&ma=2")
