"""How the dashboard begins: what outlets earned, ranked, and what is wrong."""

import re
from datetime import date
from typing import Any

import pytest
import time_machine
from django.test import Client

from device_gateway.models import Device, DeviceState
from ledger.epochs.models import Epoch
from ledger.lines.models import Line
from ledger.models import Price
from pages.dashboard.earned import chosen_span, morning
from telemetry.machines.bindings import register_machine
from telemetry.models import Machine, MachineDevice, Outlet, QuarantinedEvent
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, press

MIDNIGHT = NOON - 12 * HOUR
"""Of Sunday, 1 March 2026."""


@pytest.fixture
def sold(site: Site) -> Site:
    """On Saturday two BASIC at Chai Chee and three STANDARD at Bedok; a week before four and one. Both are online."""
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    for treatment, amount in (("BASIC", 500), ("STANDARD", 800)):
        Price.objects.create(treatment=treatment, currency="EUR", amount=amount, valid_from=date(2026, 1, 1))
    for days, number, other in ((1, 2, 3), (8, 4, 1)):
        for place in range(number):
            press(site.device, NOON - days * DAY + place * HOUR)
        for place in range(other):
            press(site.other_device, NOON - days * DAY + place * HOUR, treatment="STANDARD")
    DeviceState.objects.update(last_poll=NOON, last_seen=NOON)
    return site


def words(html: str) -> str:
    return " ".join(re.sub("<[^>]+>", " ", html).split())


def page(client: Client, path: str = "/") -> str:
    return str(client.get(path).content.decode())


def rows(html: str, name: str = "earned") -> list[str]:
    found = re.search(rf'<tbody data-list="{name}">(.*?)</tbody>', html, re.DOTALL)
    assert found
    return [words(row) for row in re.findall("<tr.*?</tr>", found[1], re.DOTALL)]


def totals(html: str) -> str:
    found = re.search(r'<tbody data-part="earned_total".*?</tbody>', html, re.DOTALL)
    assert found
    return words(found[0])


def test_it_works(sold: Site, staff: Client) -> None:
    html = page(staff)
    assert rows(html) == ["1 Bedok 24.00 3 +200 % 1 of 1 —", "2 Chai Chee 10.00 2 −50 % 1 of 1 —"]
    assert totals(html) == "All 34.00 5 +21 % 2 of 2 —"
    said = words(html)
    assert "Earned, yesterday 34.00 EUR, +21 % against the same days a week before" in said
    assert "Machines working 2 of 2" in said
    assert html.index('id="earned"') < html.index('id="today"')


def test_without_prices_they_are_ranked_by_number(sold: Site, staff: Client) -> None:
    Price.objects.all().delete()
    html = page(staff)
    assert rows(html) == ["1 Bedok — 3 +200 % 1 of 1 —", "2 Chai Chee — 2 −50 % 1 of 1 —"]
    assert "Treatments, yesterday 5 0 % against" in words(html)
    assert "Earned, yesterday" not in words(html)


@pytest.mark.parametrize(
    ("query", "title", "expected"),
    [
        ("", "Outlets, yesterday", "All 34.00 5 +21 % 2 of 2 —"),
        ("?span=today", "Outlets, today", "All 0.00 0 — 2 of 2 —"),
        ("?span=7-days", "Outlets, 7 days", "All 34.00 5 +21 % 2 of 2 —"),
        ("?span=28-days", "Outlets, 28 days", "All 62.00 10 — 2 of 2 —"),
        ("?span=last-month", "Outlets, last month", "All 62.00 10 — 2 of 2 —"),
        ("?start=2026-02-20&end=2026-02-22", "Outlets, 2026-02-20 to 2026-02-22", "All 28.00 5 — 2 of 2 —"),
        ("?start=2026-02-21&end=2026-02-21", "Outlets, 2026-02-21", "All 28.00 5 — 2 of 2 —"),
        ("?start=2026-02-22&end=2026-02-20", "Outlets, yesterday", "All 34.00 5 +21 % 2 of 2 —"),
        ("?start=x&end=%00", "Outlets, yesterday", "All 34.00 5 +21 % 2 of 2 —"),
        ("?start=0001-01-01&end=9999-12-31", "Outlets, yesterday", "All 34.00 5 +21 % 2 of 2 —"),
        ("?span=never", "Outlets, yesterday", "All 34.00 5 +21 % 2 of 2 —"),
    ],
)
def test_spans(sold: Site, staff: Client, query: str, title: str, expected: str) -> None:
    html = page(staff, f"/{query}")
    assert title in words(html)
    assert totals(html) == expected


def test_one_sees_ones_own(sold: Site, owner: Client, signed_in: Any) -> None:
    html = page(owner)
    assert rows(html) == ["1 Chai Chee 10.00 2 −50 % 1 of 1 —"]
    assert "Bedok" not in html
    stranger = page(signed_in(sold.mallory.user))
    assert rows(stranger) == [] and "Machines working" not in stranger


def test_a_machine_that_is_away_does_not_work(sold: Site, staff: Client) -> None:
    DeviceState.objects.filter(device=sold.device).update(last_poll=NOON - HOUR)
    Machine.objects.filter(pk=sold.other_machine.pk).update(is_active=False)
    assert rows(page(staff)) == ["1 Bedok 24.00 3 +200 % — —", "2 Chai Chee 10.00 2 −50 % 0 of 1 —"]


def test_lines_that_nobody_has_settled(sold: Site, staff: Client) -> None:
    epoch = Epoch.objects.create(
        device=sold.device, treatment="BASIC", number=1, cause="first", started_at=NOON - 9 * DAY, base=0, last=9,
        presses=6,
    )  # fmt: skip
    for place, (at, outlet) in enumerate(
        [(NOON - DAY, sold.outlet), (NOON - DAY, None), (NOON - 3 * DAY, sold.outlet)]
    ):
        Line.objects.create(
            epoch=epoch, device=sold.device, treatment="BASIC", kind="missing", first=place, last=place, count=3, at=at,
            outlet=outlet,
        )  # fmt: skip
    html = page(staff)
    assert rows(html) == [
        "1 Bedok 24.00 3 +200 % 1 of 1 —",
        "2 Chai Chee 10.00 2 −50 % 1 of 1 3",
        "3 At no outlet 0.00 0 — — 3",
    ]
    assert "Unexplained, yesterday 6" in words(html)


def test_there_and_selling_nothing(sold: Site, staff: Client) -> None:
    """Every hour of the last weeks, but nothing since Saturday midnight: open day and night, it is 12 hours."""
    for hour in range(24 * 20):
        press(sold.device, MIDNIGHT - (24 * 20 - hour) * HOUR)
    html = page(staff)
    assert rows(html, "stopped") == ["CH1/027/2024 Chai Chee 2026-02-28 23:00:00 a treatment within 1 h"]
    assert rows(html)[0].startswith("1 Chai Chee") and rows(html)[0].endswith("0 of 1 —")
    Outlet.objects.filter(pk=sold.outlet.pk).update(opening_hours="Mo-Sa 00:00-24:00")
    with time_machine.travel(NOON + DAY / 1440, tick=False):
        DeviceState.objects.update(last_poll=NOON)
        assert rows(page(staff), "stopped") == []


def test_what_is_usual_of_quiet_ones(sold: Site, staff: Client) -> None:
    for hour in range(24 * 20):
        press(sold.device, MIDNIGHT - (24 * 20 - hour) * HOUR)
    twin = Device.objects.create(name="Twin", device_id="twin", assigned=True)
    register_machine(device=twin, outlet=sold.outlet, name="CH1/028")
    DeviceState.objects.filter(device=sold.device).update(last_poll=NOON - 2 * HOUR, last_seen=NOON - 2 * HOUR)
    html = page(staff)
    assert rows(html, "quiet") == [
        "Left CH1/027/2024, Chai Chee 24 a day whole outlet silent offline 2026-03-01 10:00:00",
        "Twin CH1/028, Chai Chee — whole outlet silent offline never",
    ]
    DeviceState.objects.filter(device=twin).update(last_poll=NOON + SECOND)
    assert "whole outlet silent" not in page(staff)


def test_owners_see_what_holds_sales_up(sold: Site, owner: Client) -> None:
    assert "Held up No event is held up." in words(page(owner))
    for device in (sold.device, sold.other_device):
        QuarantinedEvent.objects.create(device=device, digest="x", code="conflict", first_at=NOON, last_at=NOON)
    assert "Held up 1 refused event in the way of others Left" in words(page(owner))


def test_meters_and_stations(site: Site, staff: Client, settings: Any) -> None:
    assert "Energy meters" not in page(staff)
    meter = Device.objects.create(name="Meter", assigned=True)
    DeviceState.objects.filter(device=meter).update(last_seen=NOON, latest_received_at=NOON)
    assert "Energy meters Meters 1 of 1 online Last reading 2026-03-01 12:00:00" in words(page(staff))


def test_many_outlets(sold: Site, staff: Client) -> None:
    for number in range(30):
        Outlet.objects.create(name=f"Outlet {number}")
        device = Device.objects.create(name=f"U{number}", device_id=f"u-{number}", assigned=True)
        machine = register_machine(device=device, outlet=Outlet.objects.get(name=f"Outlet {number}"), name=f"M{number}")
        MachineDevice.objects.filter(machine=machine).update(assigned_date=NOON - 9 * DAY)
        press(device, NOON - DAY)
    html = page(staff)
    assert len(rows(html)) == 25
    assert "And 7 more." in words(html) and 'href="?span=&amp;outlets=all"' in html
    assert len(rows(page(staff, "/?outlets=all"))) == 32


def test_it_is_worked_out_once_a_minute(sold: Site, django_assert_num_queries: Any) -> None:
    olga = sold.olga.user
    span = chosen_span({}, NOON)
    morning(olga, span, NOON)
    with django_assert_num_queries(1):  # whether anybody has changed anything
        morning(olga, span, NOON)
