"""The order of lists: names without capitals and numbers as numbers, figures, presence; turned round, too."""

import random
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from device_gateway.models import Device, DeviceState
from pages.tests.conftest import SignIn
from pages.tests.onlooker import table
from telemetry.machines.bindings import add_machine, assign_device
from telemetry.models import DeviceStatus, Machine, MachineDevice, Outlet
from telemetry.tests.cast import DAY, HOUR, NOON, Site, press

NAMES = ["alpha", "Bärzte", "Bay 1", "bay 2", "Bay 10", "Delta", "киоск 2", "Киоск 10"]


@pytest.fixture
def olgas(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def column(client: Client, path: str, name: str, at: int = 0) -> list[str]:
    return [row[at] for row in table(client.get(path), name)]


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("path", "name", "at"),
    [
        ("/devices/?sort=name", "devices", 1),
        ("/devices/?sort=outlet", "devices", 1),
        ("/devices/?sort=location", "devices", 1),
        ("/machines/?sort=name", "machines", 0),
        ("/machines/?sort=outlet", "machines", 0),
        ("/outlets/?sort=name", "outlets", 0),
        ("/outlets/?sort=region", "outlets", 0),
    ],
)
def test_names(olgas: Client, path: str, name: str, at: int) -> None:
    names = random.Random(3).sample(NAMES, len(NAMES))
    for number, text in enumerate(names):
        outlet = Outlet.objects.create(name=text, region=text)
        machine = add_machine(fields={"name": text, "outlet": outlet})
        device = Device.objects.create(name=text, location=text, device_id=f"d-{number}")
        assign_device(machine=machine, device=device)
    shown = column(olgas, path, name, at)
    assert [cell.split(" d-")[0] for cell in shown] == NAMES
    assert column(olgas, path.replace("sort=", "sort=-"), name, at) == shown[::-1]


def test_a_device_stands_by_what_is_shown_of_it(olgas: Client) -> None:
    """A machine that has registered itself has no name."""
    for name, device_id in (("Bay 3", "Z-1"), ("", "bay-20"), ("", "Bay-3"), ("aisle", "Z-2")):
        Device.objects.create(name=name, device_id=device_id)
    assert [cell.split()[0] for cell in column(olgas, "/devices/", "devices", 1)] == ["aisle", "Bay", "Bay-3", "bay-20"]
    for device in Device.objects.all():
        assign_device(machine=Machine.objects.create(name="M"), device=device)
    shown = [cell.split()[0] for cell in column(olgas, "/machines/?sort=device", "machines", 2)]
    assert shown == ["Bay-3", "bay-20", "Z-1", "Z-2"]


def test_figures_of_machines(site: Site, staff: Client) -> None:
    """Today of the machine whatever its device, the counters of its device."""
    MachineDevice.objects.update(assigned_date=NOON - 30 * DAY)
    bare = add_machine(fields={"name": "Bare", "outlet": None})
    press(site.device, NOON - HOUR)
    press(site.device, NOON - 2 * DAY)
    press(site.device, NOON - 3 * DAY)
    press(site.other_device, NOON - HOUR, event_id="x1")
    press(site.other_device, NOON - HOUR, event_id="x2")
    DeviceStatus.objects.update_or_create(device=site.device, defaults={"current_count_basic": 90})
    DeviceStatus.objects.update_or_create(device=site.other_device, defaults={"current_count_basic": 7})
    by_today = column(staff, "/machines/?sort=today", "machines")
    assert by_today == [site.other_machine.name, site.machine.name, bare.name]
    assert column(staff, "/machines/?sort=-today", "machines") == by_today[::-1]
    assert column(staff, "/machines/?sort=basic", "machines")[:2] == [site.machine.name, site.other_machine.name]
    outlets = column(staff, "/outlets/?sort=today", "outlets")
    assert outlets[:2] == [site.other_outlet.name, site.outlet.name]
    for word in ("basic", "total"):
        assert column(staff, f"/outlets/?sort={word}", "outlets")[:2] == [site.outlet.name, site.other_outlet.name]


def heard(device: Device, *, poll: int | None = None, seen: int | None = None) -> None:
    """So many minutes ago."""
    ago = {
        name: timezone.now() - timedelta(minutes=minutes)
        for name, minutes in (("last_poll", poll), ("last_seen", seen))
        if minutes is not None
    }
    DeviceState.objects.filter(device=device).update(**ago)


@pytest.fixture
def four(db: None) -> None:
    """`sold` has polled first and sold since; of a device that polls only polls count for its status."""
    silences = {
        "sold": {"poll": 50, "seen": 1},
        "polls": {"poll": 5, "seen": 90},
        "meter": {"seen": 3},
        "gone": {"poll": 70},
    }
    for name, silence in silences.items():
        device = Device.objects.create(name=name)
        heard(device, **silence)
        assign_device(machine=Machine.objects.create(name=name), device=device)
    Machine.objects.create(name="bare")


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("heard", ["sold", "meter", "polls", "gone"]),
        ("-heard", ["gone", "polls", "meter", "sold"]),
        ("status", ["meter", "polls", "sold", "gone"]),
        ("-status", ["gone", "sold", "polls", "meter"]),
    ],
)
def test_last_heard_and_status(olgas: Client, four: None, sort: str, expected: list[str]) -> None:
    """Last heard is the newest of poll and message; status goes by polls."""
    shown = [cell.split()[0] for cell in column(olgas, f"/devices/?sort={sort}", "devices", 1)]
    assert shown == expected
    machines = column(olgas, f"/machines/?sort={sort}", "machines")
    assert [name for name in machines if name != "bare"] == expected


def test_last_heard_is_told_everywhere(olgas: Client, four: None) -> None:
    newest = DeviceState.objects.get(device__name="sold").last_seen
    assert newest
    told = f"{newest:%Y-%m-%d %H:%M:%S} UTC"
    machine = Machine.objects.get(name="sold")
    for path in ("/devices/?q=sold", "/machines/?q=sold", f"/machines/{machine.pk}/logs/"):
        assert told in olgas.get(path).content.decode(), path
    device = Device.objects.get(name="sold").device_id
    iso = f"{newest:%Y-%m-%dT%H:%M:%S.%f}Z"
    listed = {row["name"]: row for row in olgas.get("/api/devices/all/").json()}
    assert listed["sold"]["last_heard"] == iso
    assert (listed["sold"]["status"], listed["gone"]["last_heard"]) == ("idle", listed["gone"]["last_poll"])
    for path in (
        f"/api/devices/{device}/",
        f"/api/machines/{machine.pk}/",
        f"/api/telemetry/summary/?device_id={device}",
    ):
        assert olgas.get(path).json()["last_heard"] == iso, path
    bare = Machine.objects.get(name="bare")
    assert olgas.get(f"/api/machines/{bare.pk}/").json()["last_heard"] is None


@pytest.mark.each_case
@pytest.mark.parametrize("word", ["basic", "standard", "premium"])
def test_counters_of_devices(olgas: Client, word: str) -> None:
    for name, number in (("two", 2), ("ten", 10), ("none", None)):
        device = Device.objects.create(name=name)
        if number is not None:
            DeviceStatus.objects.create(device=device, **{f"current_count_{word}": number})
    shown = [cell.split()[0] for cell in column(olgas, f"/devices/?sort={word}", "devices", 1)]
    assert shown == ["ten", "two", "none"]


@pytest.mark.each_case
@pytest.mark.parametrize("path", ["/devices/", "/machines/", "/outlets/", "/device-archive/"])
def test_every_order_can_be_chosen_without_a_head(olgas: Client, path: str) -> None:
    """On a phone: in a menu of the form, which works without scripts; each of its words is an order."""
    page = olgas.get(path).content.decode()
    menu = page[page.index('<select id="sort" name="sort">') :].split("</select>")[0]
    words = re.findall(r'<option value="([^"]+)"', menu)
    assert words
    for word in words:
        assert f'<option value="{word}" selected>' in olgas.get(f"{path}?sort={word}").content.decode()
