"""Finding: the search of each list, and the box in the menu, in every script, whatever the database and its locale."""

import re
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from device_gateway.models import Device
from device_gateway.registry.services import archive_device, change_device
from pages.tests.conftest import SignIn
from stations.models import PowerBank, Station
from telemetry import finding
from telemetry.machines.bindings import add_machine, archive_machine, archive_outlet, assign_device
from telemetry.models import Machine, Outlet
from telemetry.tests.cast import NOON
from tests.support.kept import Kept

LISTS = ("/devices/", "/machines/", "/outlets/", "/find/")
NAMES = [
    ("50% _off_", "% _off"),
    ("Kiosk Nord", "kiosk nord"),
    ("Киоск Север", "киоск"),
    ("Ärztehaus", "ÄRZTEHAUS"),
    ("Café", "CAFÉ"),
    ("Ñuñoa", "ñuñoa"),
    ("Οδός", "ΟΔΌΣ"),
    ("İstanbul", "istanbul"),
    ("Straße 5", "strasse"),
    ("ＡＢＣ", "abc"),
    ("한국 한", "한국"),
]


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def found(client: Client, path: str, query: str) -> list[str]:
    """The first words of each row or hit."""
    page = client.get(path, {"q": query})
    assert page.status_code == 200
    html = page.content.decode().split("<main", 1)[1]
    pattern = r"<li><a[^>]*>([^<]+)</a>" if path == "/find/" else r'<th scope="row"><a[^>]*>([^<]+)</a>'
    return re.findall(pattern, html)


def furnish(name: str) -> None:
    """A device, its machine and its outlet of that name, and others beside them."""
    for text in (name, "Other"):
        outlet = Outlet.objects.create(name=text)
        machine = add_machine(fields={"name": text, "outlet": outlet})
        assign_device(machine=machine, device=Device.objects.create(name=text))


@pytest.mark.each_case(4)
@pytest.mark.thorough
@pytest.mark.parametrize(("name", "query"), NAMES)
def test_case_and_composition_make_no_difference(staff: Client, name: str, query: str) -> None:
    furnish(normalize("NFD", name))
    for path in LISTS:
        shown = [normalize("NFD", name)] * (3 if path == "/find/" else 1)
        assert [found(staff, path, normalize(form, query)) for form in ("NFC", "NFD")] == [shown] * 2, path


@dataclass
class Furnished:
    """It was called OZ-OLD; it stands in the machine Kabine 2 of Север, Nord."""

    unit: Device


def furnished() -> Furnished:
    device = Device.objects.create(
        name="Säule", device_id="OZ-OLD", mac="EC:E3:34:46:2B:C0", location="Halle Süd", firmware="1.4.2-Beta"
    )
    change_device(device=device, fields={"device_id": "OZ-NEW"})
    outlet = Outlet.objects.create(name="Север", region="Nord", address="Straße 1", contact_person="José")
    assign_device(machine=Machine.objects.create(name="Kabine 2", outlet=outlet), device=device)
    furnish("Beside it")
    return Furnished(device)


_KEPT: Final = Kept(furnished)


@pytest.fixture
def unit(db: None) -> Device:
    return _KEPT.lay().unit


@pytest.mark.each_case(10)
@pytest.mark.parametrize("query", [
    "säule", "oz-new", "OZ-OLD", "HALLE SÜD", "halle oz-old", "1.4.2-bETA", "kabine", "север", "Север säule",
    "EC:E3:34:46:2B:C0", "ec-e3-34-46-2b-c0", "ece334462bc0", "ECE3.3446.2BC0", "EC E3 34 46 2B C0",
    "EC:E3:34:46:2b:C0", "e3:34", "2BC0", "3446-2b", "34462b",
])  # fmt: skip
def test_where_it_looks(staff: Client, unit: Device, query: str) -> None:
    assert found(staff, "/devices/", query) == ["Säule"]
    assert found(staff, "/machines/", query) == ["Kabine 2"]
    assert found(staff, "/find/", query)[:2] == ["Säule", "Kabine 2"]


@pytest.mark.thorough
@pytest.mark.parametrize("few", [-1, 0, 1])
def test_many_are_looked_for_as_few(staff: Client, unit: Device, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    """A word of many rows is no reason to read them all first; whatever is many, the same is found."""
    queries = ["säule", "OZ-OLD", "halle oz-old", "kabine", "Север säule", "e3:34", "34462b", "Other", str(unit.pk)]
    queries += ["other säule", "olga", "beside it", "M-1"]
    expected = [found(staff, path, query) for path in ("/devices/", "/machines/") for query in queries]
    monkeypatch.setattr(finding, "FEW", few)
    assert [found(staff, path, query) for path in ("/devices/", "/machines/") for query in queries] == expected


def test_words_are_found_by_indexes(unit: Device, olga: User) -> None:
    """Where PostgreSQL has any for words: only then a million devices are not read for one."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has none for words")
    with CaptureQueriesContext(connection) as queries:
        finding.devices_with(olga, Device.objects.all(), "ece334")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plans = []
        for query in queries.captured_queries[:2]:
            cursor.execute("EXPLAIN " + query["sql"].replace("%", "%%"))
            plans.append("\n".join(row for (row,) in cursor.fetchall()))
    assert ["devices_words" in plans[0], "devicenames_words" in plans[1]] == [True, True], plans


@pytest.mark.each_case
@pytest.mark.parametrize("query", ["nord", "strasse", "josé", "СЕВЕР"])
def test_where_it_looks_for_outlets(staff: Client, unit: Device, query: str) -> None:
    assert found(staff, "/outlets/", query) == ["Север"]


@pytest.mark.parametrize(("query", "hits"), [("cafe", []), ("bad", []), ("cafe42", ["X"])])
def test_a_word_is_not_taken_for_a_mac(staff: Client, query: str, hits: list[str]) -> None:
    Device.objects.create(name="X", mac="02:CA:FE:42:BA:D0", device_id="unit")
    assert found(staff, "/devices/", query) == hits


def test_the_owner_and_the_number(staff: Client, meter: Device, pump: Device) -> None:
    User.objects.filter(username="vera").update(username="Véra")
    for query in ("VÉRA", str(meter.pk)):
        assert meter.name in found(staff, "/devices/", query)
    assert found(staff, "/devices/", "véra") == [meter.name]


def test_each_finds_only_their_own(signed_in: SignIn, vera: User, sam: User, unit: Device, staff: Client) -> None:
    Device.objects.filter(pk=unit.pk).update(owner=vera)
    assert found(signed_in(vera), "/find/", "север") == ["Säule", "Kabine 2", "Север"]
    assert found(signed_in(sam), "/find/", "север") == []
    assert found(staff, "/find/", "север") == ["Säule", "Kabine 2", "Север"]
    page = signed_in(sam).get("/find/", {"q": "СЕВЕР"}).content.decode()
    assert "Nothing has СЕВЕР, of what you may see." in page


def test_what_else_staff_find(staff: Client, signed_in: SignIn, vera: User, settings: Settings) -> None:
    settings.STATIONS_ENABLED = "1"
    archive_device(device=Device.objects.create(name="Ж 1", owner=vera), now=NOON)
    archive_machine(machine=Machine.objects.create(name="Ж 2"))
    archive_outlet(outlet=Outlet.objects.create(name="Ж 3"))
    station = Station.objects.create(serial_number="S-10", wifi_ssid="Ж Wi-Fi")
    PowerBank.objects.create(serial_number="ж-bank", station=station)
    page = staff.get("/find/", {"q": "ж"}).content.decode()
    assert re.findall(r"<h2[^>]*>([^<]+) <small>(\d+)<", page) == [
        ("Archived devices", "1"), ("Deleted machines", "1"), ("Deleted outlets", "1"),
        ("Stations", "1"), ("Power banks", "1"),
    ]  # fmt: skip
    assert found(staff, "/machines/deleted/", "ж") == ["Ж 2"]
    assert found(staff, "/outlets/deleted/", "ж") == ["Ж 3"]
    assert found(staff, "/stations/", "Ж") == ["S-10"]
    assert found(signed_in(vera), "/find/", "ж") == []
    settings.STATIONS_ENABLED = "0"
    assert found(staff, "/find/", "ж") == ["Ж 1", "Ж 2", "Ж 3"]


def test_the_first_ten_and_the_way_to_all(staff: Client) -> None:
    for number in range(1, 13):
        Device.objects.create(name=f"Ж {number}", device_id=f"J-{number}")
    page = staff.get("/find/", {"q": "Ж"})
    assert found(staff, "/find/", "ж") == [f"Ж {number}" for number in range(1, 11)]
    assert '<a href="/devices?q=%D0%96">Show all 12</a>' in page.content.decode()


def test_nothing_asked(staff: Client, unit: Device) -> None:
    for query in ("", " ", "\0"):
        assert found(staff, "/find/", query) == []


def test_every_page_has_the_box(staff: Client, client: Client, meter: Device) -> None:
    for path in ("/", "/devices/", f"/devices/{meter.device_id}/", "/stats/", "/nothing-here/"):
        page = staff.get(path).content.decode()
        assert page.count('<form class="find" method="get" action="/find"') == 2, path  # in the bar and in the menu
    assert 'class="find"' not in client.get("/login/").content.decode()


@pytest.mark.each_case
@pytest.mark.parametrize(
    "query", ["a" + "\u0315" * 500 + "\u0300" * 500, "%_\\" * 300, "9" * 400, "x " * 400, "\ufdfa" * 400]
)
def test_whatever_is_asked_for(staff: Client, meter: Device, query: str) -> None:
    for path in (*LISTS, "/device-archive/", "/gateway/device-tokens"):
        assert staff.get(path, {"q": query}).status_code == 200, path
