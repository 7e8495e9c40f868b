"""The ledger as the API tells it: a site, presses of its device, and what is said of them."""

from typing import Any

import pytest
from django.db import connection

from telemetry.events.storing import store_once
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, Site, event

LEDGER = "/api/ledger/"


@pytest.fixture
def site(db: None) -> Site:
    """Its machines have had their devices for long."""
    site = Site.laid()
    MachineDevice.objects.update(assigned_date=NOON - 200 * DAY)
    return site


def tell(site: Site, *numbers: int, since: int = 0, **members: Any) -> None:
    """Presses of BASIC, an hour apart, each told as it happens."""
    for place, number in enumerate(numbers):
        at = NOON + (since + place) * HOUR
        store_once(connection, [event(site.device, at, counter=number, **members)])


def read(site: Site, query: str = "") -> list[dict[str, Any]]:
    said = site.olga.read(f"{LEDGER}{query}")
    assert (said["next"], said["lines_left_out"], said["devices_pending"]) == (None, 0, 0)
    return list(said["epochs"])


def lines_of(site: Site) -> list[str]:
    return [f"{line['kind']} {line['numbers']}" for epoch in reversed(read(site)) for line in epoch["lines"]]
