"""The machines' table: what it says, to whom, and what travels when something changes."""

import pytest
import time_machine
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import DeviceState
from pages.tests.conftest import SignIn
from pages.tests.onlooker import Onlooker, table
from telemetry.machines.bindings import add_machine, unassign_device
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, counters, press

PATH = "/machines/"


def hear(site: Site, ago: float) -> None:
    DeviceState.objects.filter(device=site.device).update(last_poll=NOON - ago * SECOND)


def names(client: Client, query: str = "") -> list[str]:
    return [row[0] for row in table(client.get(PATH + query), "machines")]


def test_it_works(site: Site, staff: Client) -> None:
    press(site.device, NOON - DAY + HOUR, counter=40, current_counters=counters(40, 2, 1))
    press(site.device, NOON - HOUR, counter=41, current_counters=counters(41, 2, 1))
    hear(site, 30)
    actions = "Logs Assign Unassign"
    heard = "online 2026-03-01 11:59:30"
    assert table(staff.get(PATH), "machines") == [
        ["BD1/001/2025", "Bedok", "esp32-002 Right", "offline never", "0", "0", "0", "0", actions],
        ["CH1/027/2024", "Chai Chee", "esp32-001 Left", heard, "1", "41", "2", "1", actions],
    ]


def test_without_a_device_nothing_is_said_of_one(site: Site, staff: Client) -> None:
    unassign_device(machine=site.machine)
    site.machine.refresh_from_db()
    add_machine(fields={"name": "Spare", "is_active": False})
    assert table(staff.get(f"{PATH}?device=no"), "machines") == [
        ["CH1/027/2024", "Chai Chee", "no device", "—", "0", "—", "—", "—", "Logs Assign"],
        ["Spare not in use", "—", "no device", "—", "0", "—", "—", "—", "Logs Assign"],
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=chai", ["CH1/027/2024"]),
        ("?q=esp32 right", ["BD1/001/2025"]),
        ("?q=esp32 nothing", []),
        ("?status=online", ["CH1/027/2024"]),
        ("?status=offline", ["BD1/001/2025"]),
        ("?status=idle", []),
        ("?device=yes", ["BD1/001/2025", "CH1/027/2024"]),
        ("?device=no", ["Spare"]),
        ("?outlet=0", ["Spare"]),
        ("?outlet=987654321", []),
        ("?sort=-name", ["Spare", "CH1/027/2024", "BD1/001/2025"]),
        ("?sort=outlet", ["BD1/001/2025", "CH1/027/2024", "Spare"]),
        ("?sort=device", ["CH1/027/2024", "BD1/001/2025", "Spare"]),
        ("?sort=heard", ["CH1/027/2024", "BD1/001/2025", "Spare"]),
        (
            "?q=%00&status=no&device=%00&outlet=-1&sort=%27--&page=99999999999",
            ["BD1/001/2025", "CH1/027/2024", "Spare"],
        ),
        ("?q=" + "x" * 5000, []),
    ],
)
def test_search_filters_and_order(site: Site, staff: Client, query: str, found: list[str]) -> None:
    hear(site, 30)
    add_machine(fields={"name": "Spare"})
    assert names(staff, query) == found


def test_of_one_outlet(site: Site, staff: Client) -> None:
    assert names(staff, f"?outlet={site.outlet.pk}") == ["CH1/027/2024"]


def test_fifty_to_a_page(site: Site, staff: Client) -> None:
    for number in range(60):
        add_machine(fields={"name": f"M{number:02}"})
    first, second = staff.get(PATH), staff.get(f"{PATH}?page=2")
    assert (len(table(first, "machines")), len(table(second, "machines"))) == (50, 12)
    assert "1–50 of 62" in first.content.decode()
    assert "51–62 of 62" in second.content.decode()


def test_an_owner_sees_theirs_and_changes_nothing(site: Site, owner: Client) -> None:
    (row,) = table(owner.get(PATH), "machines")
    assert (row[0], row[-1]) == ("CH1/027/2024", "Logs")
    html = owner.get(PATH).content.decode()
    assert "Bedok" not in html
    assert "/machines/add" not in html


def test_what_they_see_of_today_is_of_their_own_device(site: Site, staff: Client, owner: Client) -> None:
    """Another device was in it this morning."""
    MachineDevice.objects.filter(machine=site.machine).update(assigned_date=NOON - HOUR)
    MachineDevice.objects.create(
        machine=site.machine, device=site.other_device, outlet=site.outlet, is_active=False,
        assigned_date=NOON - 5 * HOUR, deactivated_date=NOON - HOUR,
    )  # fmt: skip
    MachineDevice.objects.filter(device=site.other_device, is_active=True).update(assigned_date=NOON - HOUR)
    press(site.other_device, NOON - 2 * HOUR)
    press(site.device, NOON - SECOND)
    assert [row[4] for row in table(staff.get(PATH), "machines")] == ["0", "2"]
    assert [row[4] for row in table(owner.get(PATH), "machines")] == ["1"]


def test_others(site: Site, signed_in: SignIn, client: Client) -> None:
    assert site.mallory.user
    reply = signed_in(site.mallory.user).get(PATH)
    assert table(reply, "machines") == []
    assert "There is no machine yet." in reply.content.decode()
    assert client.get(PATH)["Location"] == f"/login/?next={PATH}"
    assert client.get(PATH, headers={"HX-Request": "true"}).status_code == 401


@pytest.mark.parametrize("path", ["/machines", "/machines/"])
def test_the_address_and_its_methods(staff: Client, path: str) -> None:
    assert staff.get(path).status_code == 200
    assert staff.head(path).status_code == 200
    reply = staff.post(path)
    assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD")


def test_an_unchanged_page_is_one_query(
    site: Site, staff: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    onlooker = Onlooker(staff, PATH)
    onlooker.look()  # from now on she is known
    with django_assert_num_queries(2):  # who looks, and the version
        reply = onlooker.look()
    assert (reply.status_code, reply.content) == (204, b"")


def test_a_press_is_one_row(site: Site, staff: Client) -> None:
    onlooker = Onlooker(staff, PATH)
    press(site.device, NOON, counter=7)
    (row,) = table(onlooker.look())
    assert (row[0], row[4], row[5]) == ("CH1/027/2024", "1", "7")


def test_a_silence_turns_it_idle_by_itself(site: Site, staff: Client) -> None:
    hear(site, 16 * 60)
    onlooker = Onlooker(staff, PATH)
    assert onlooker.look().status_code == 204
    with time_machine.travel(NOON + SECOND, tick=False):
        (row,) = table(onlooker.look())
    assert row[3].startswith("idle")


def test_a_new_day_begins_at_nought(site: Site, staff: Client) -> None:
    press(site.device, NOON)
    onlooker = Onlooker(staff, PATH)
    with time_machine.travel(NOON + DAY, tick=False):
        (row,) = table(onlooker.look())
    assert (row[0], row[4]) == ("CH1/027/2024", "0")


def test_many_machines_cost_no_more_queries(
    site: Site, staff: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        add_machine(fields={"name": f"M{number}", "outlet": site.outlet})
    with django_assert_num_queries(7):  # session, account, version; count, machines, today; the outlets to choose from
        assert len(table(staff.get(PATH), "machines")) == 32
