"""Chai Chee and Bedok with prices and a share, and what they sold in January and February; it is 1 March 2026, noon."""

from collections.abc import Iterator
from datetime import date

import pytest
import time_machine

from ledger.models import Price, Share
from telemetry.models import MachineDevice, Outlet
from telemetry.tests.cast import DAY, NOON, Site, press


def cost(treatment: str, amount: int | None, valid_from: str, outlet: Outlet | None = None) -> None:
    day = date.fromisoformat(valid_from)
    Price.objects.create(outlet=outlet, treatment=treatment, currency="EUR", amount=amount, valid_from=day)


@pytest.fixture
def site(db: None) -> Iterator[Site]:
    """No machine has sold anything."""
    site = Site.laid()
    MachineDevice.objects.update(assigned_date=NOON - 200 * DAY)
    for treatment, amount in (("BASIC", 500), ("STANDARD", 800), ("PREMIUM", 1250)):
        cost(treatment, amount, "2026-01-01")
    with time_machine.travel(NOON, tick=False):
        yield site


@pytest.fixture
def sold(site: Site) -> Site:
    """At Chai Chee three in February, BASIC costing 6.00 from the 16th on, of which a third is the outlet's; one at
    Bedok. In January one BASIC at Chai Chee."""
    cost("BASIC", 600, "2026-02-16", site.outlet)
    Share.objects.create(outlet=site.outlet, hundredths=3333, valid_from=date(2026, 2, 1))
    for days, treatment in ((40, "BASIC"), (20, "BASIC"), (5, "BASIC"), (5, "PREMIUM")):
        press(site.device, NOON - days * DAY, treatment=treatment)
    press(site.other_device, NOON - 5 * DAY, treatment="STANDARD")
    return site
