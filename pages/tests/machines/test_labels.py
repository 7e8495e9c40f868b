"""Labels of machines: whose, what stands on them, where their codes lead."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from pages.machines import labels
from pages.tests.onlooker import text
from telemetry.machines.bindings import add_machine, archive_machine
from telemetry.tests.cast import Site

PATH = "/machines/labels/"


def shown(reply: Any) -> list[str]:
    """The words of each label; "" for one that is left out."""
    assert reply.status_code == 200
    return [text(label) for label in re.findall(r'<li class="label"[^>]*>(.*?)</li>', reply.content.decode())]


def words(site: Site, base: str = "http://testserver") -> list[str]:
    ours, other = site.machine.pk, site.other_machine.pk
    return [
        f"BD1/001/2025 Bedok M-{other} {base} /machines/{other}/install/",
        f"CH1/027/2024 Chai Chee M-{ours} {base} /machines/{ours}/install/",
    ]


def test_it_works(site: Site, staff: Client) -> None:
    reply = staff.get(PATH)
    assert shown(reply) == words(site)
    assert reply.content.decode().count("<svg") - staff.get("/account/").content.decode().count("<svg") == 2
    assert "1–2 of 2" in text(reply.content.decode())


def test_they_lead_to_the_public_address(site: Site, staff: Client, settings: Settings) -> None:
    settings.PUBLIC_URL = "https://telemetry.example.com/"
    reply = staff.get(PATH)
    assert shown(reply) == words(site, "https://telemetry.example.com")
    assert "testserver" not in reply.content.decode()


def test_whose(site: Site, staff: Client) -> None:
    other, ours = words(site)
    assert shown(staff.get(f"{PATH}?outlet={site.outlet.pk}")) == [ours]
    assert shown(staff.get(f"{PATH}?machine={site.machine.pk}&paper=single")) == [ours]
    assert shown(staff.get(f"{PATH}?q=bedok")) == [other]
    assert shown(staff.get(f"{PATH}?q=M-{site.machine.pk}")) == [ours]
    archive_machine(machine=site.machine)
    spare = add_machine(fields={"name": "<Spare>"})
    assert shown(staff.get(f"{PATH}?outlet=0")) == [
        f"<Spare> M-{spare.pk} http://testserver /machines/{spare.pk}/install/"
    ]
    assert "No machine matches" in staff.get(f"{PATH}?machine={site.machine.pk}").content.decode()


@pytest.mark.parametrize(
    ("query", "used", "is_single"),
    [("", 0, False), ("?used=5", 5, False), ("?used=24", 0, False), ("?used=5&paper=single", 0, True)],
)
def test_sheets_that_have_been_used(site: Site, staff: Client, query: str, used: int, is_single: bool) -> None:
    reply = staff.get(PATH + query)
    assert shown(reply) == [""] * used + words(site)
    assert ('class="labels single"' in reply.content.decode()) is is_single


def test_what_is_too_many_is_on_the_next_page(site: Site, staff: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "SHEETS", 1)
    for number in range(30):
        add_machine(fields={"name": f"Z{number:02}"})
    first, second = staff.get(PATH), staff.get(f"{PATH}?page=2")
    assert [len(shown(first)), len(shown(second))] == [24, 8]
    assert "?page=2" in first.content.decode()


def test_where_they_are_found(site: Site, staff: Client, owner: Client) -> None:
    links = {
        f"/machines/{site.machine.pk}/logs/": f"/machines/labels?machine={site.machine.pk}&amp;paper=single",
        f"/outlets/{site.outlet.pk}/": f"/machines/labels?outlet={site.outlet.pk}",
        "/machines/": "/machines/labels",
    }
    for path, link in links.items():
        assert f'href="{link}"' in staff.get(path).content.decode()
        assert "/machines/labels" not in owner.get(path).content.decode()


def test_a_label_is_found_by_its_code(site: Site, staff: Client) -> None:
    found = staff.get(f"/find/?q=m-{site.machine.pk}").content.decode()
    assert f"/machines/{site.machine.pk}/logs" in found
    assert f"/machines/{site.other_machine.pk}/logs" not in found
    assert staff.get(f"/find/?q=m-{'9' * 18}").status_code == 200
