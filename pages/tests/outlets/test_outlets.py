"""The outlets' table, one outlet's page, and what staff do to outlets."""

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import DeviceState
from pages.tests.conftest import SignIn
from pages.tests.forms import filled_in
from pages.tests.onlooker import Onlooker, figures, table, text
from telemetry.machines.bindings import add_machine, assign_device, change_machine
from telemetry.models import DailyCount, Machine, MachineDevice, Outlet
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, press

PATH = "/outlets/"


@pytest.fixture
def path(site: Site) -> str:
    """Chai Chee's page."""
    return f"/outlets/{site.outlet.pk}/"


def hear(site: Site, seconds: float) -> None:
    DeviceState.objects.filter(device=site.device).update(last_poll=NOON - seconds * SECOND)


def give(site: Site) -> None:
    """At Chai Chee one today, one yesterday, one nine days ago."""
    MachineDevice.objects.update(assigned_date=NOON - 30 * DAY)
    press(site.device, NOON - HOUR)
    press(site.device, NOON - DAY, treatment="PREMIUM")
    press(site.device, NOON - 9 * DAY, treatment="STANDARD")


def names(client: Client, query: str = "") -> list[str]:
    return [row[0].removesuffix(" not in use") for row in table(client.get(PATH + query), "outlets")]


# --- the table ---


def test_it_works(site: Site, staff: Client) -> None:
    give(site)
    hear(site, 30)
    add_machine(fields={"name": "Spare", "outlet": site.outlet})
    Outlet.objects.filter(pk=site.outlet.pk).update(region="East")
    assert table(staff.get(PATH), "outlets") == [
        ["Bedok", "—", "1", "0 of 1", "0", "0", "0", "0", "0", "Edit"],
        ["Chai Chee", "East", "2", "1 of 1", "1", "1", "1", "1", "3", "Edit"],
    ]


def test_where_no_machine_is(staff: Client, site: Site) -> None:
    Outlet.objects.create(name="Aljunied", is_active=False)
    (row,) = table(staff.get(f"{PATH}?active=no"), "outlets")
    assert row == ["Aljunied not in use", "—", "0", "—", "0", "0", "0", "0", "0", "Edit"]


def test_what_was_counted_before_a_move_stays(site: Site, staff: Client) -> None:
    press(site.device, NOON - HOUR)
    change_machine(machine=site.machine, fields={"outlet": site.other_outlet})
    press(site.device, NOON)
    assert [(row[0], row[2], row[8]) for row in table(staff.get(PATH), "outlets")] == [
        ("Bedok", "2", "1"),
        ("Chai Chee", "0", "1"),
    ]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?q=chai", ["Chai Chee"]),
        ("?q=east", ["Chai Chee"]),
        ("?q=street 1", ["Bedok"]),
        ("?q=nothing", []),
        ("?active=no", ["Aljunied"]),
        ("?active=yes", ["Bedok", "Chai Chee"]),
        ("?sort=-name", ["Chai Chee", "Bedok", "Aljunied"]),
        ("?sort=region", ["Aljunied", "Bedok", "Chai Chee"]),
        ("?sort=machines", ["Bedok", "Chai Chee", "Aljunied"]),
        ("?q=%00&active=%00&sort=;&page=-1", ["Aljunied", "Bedok", "Chai Chee"]),
    ],
)
def test_search_filter_and_order(site: Site, staff: Client, query: str, found: list[str]) -> None:
    Outlet.objects.filter(pk=site.outlet.pk).update(region="East")
    Outlet.objects.filter(pk=site.other_outlet.pk).update(address="Street 1")
    Outlet.objects.create(name="Aljunied", is_active=False)
    assert names(staff, query) == found


def test_an_owner_counts_their_own(site: Site, staff: Client, owner: Client) -> None:
    """Another device was at Chai Chee, too, and stands there still."""
    press(site.device, NOON - HOUR)
    change_machine(machine=site.other_machine, fields={"outlet": site.outlet})
    press(site.other_device, NOON)
    assert table(staff.get(PATH), "outlets")[1][2:9] == ["2", "0 of 2", "2", "2", "0", "0", "2"]
    assert table(owner.get(PATH), "outlets") == [["Chai Chee", "—", "1", "0 of 1", "1", "1", "0", "0", "1", ""]]
    assert "data-dialog" not in owner.get(PATH).content.decode()


def test_others(site: Site, signed_in: SignIn, client: Client, owner: Client, path: str) -> None:
    assert site.mallory.user
    stranger = signed_in(site.mallory.user)
    assert names(stranger) == []
    assert "There is no outlet yet." in stranger.get(PATH).content.decode()
    assert stranger.get(path).status_code == 404
    assert owner.get(f"/outlets/{site.other_outlet.pk}/").status_code == 404
    for address in (PATH, path):
        assert client.get(address)["Location"] == f"/login/?next={address}"


def test_unchanged_pages_are_one_query(
    staff: Client, path: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for address in (PATH, path):
        onlooker = Onlooker(staff, address)
        onlooker.look()  # from now on she is known
        with django_assert_num_queries(2):  # who looks, and the version
            reply = onlooker.look()
        assert (reply.status_code, reply.content) == (204, b"")


def test_a_press_is_one_row(site: Site, staff: Client) -> None:
    onlooker = Onlooker(staff, PATH)
    press(site.device, NOON)
    assert [(row[0], row[4], row[8]) for row in table(onlooker.look())] == [("Chai Chee", "1", "1")]


def test_what_arrives_late_is_counted_within_a_minute(site: Site, staff: Client) -> None:
    onlooker = Onlooker(staff, PATH)
    MachineDevice.objects.update(assigned_date=NOON - 30 * DAY)
    press(site.device, NOON - 9 * DAY, received_at=NOON)
    assert onlooker.look().status_code == 204
    with time_machine.travel(NOON + 60 * SECOND, tick=False):
        assert [(row[0], row[4], row[8]) for row in table(onlooker.look())] == [("Chai Chee", "0", "1")]


def test_many_outlets_cost_no_more_queries(
    site: Site, staff: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        outlet = Outlet.objects.create(name=f"O{number}")
        machine = add_machine(fields={"name": f"M{number}", "outlet": outlet})
        DailyCount.objects.create(device_id=1, machine_id=machine.pk, outlet_id=outlet.pk, starts_at=NOON, basic=1)
    # Session, account, version; count, outlets, prices, devices, online, today, past twice.
    with django_assert_num_queries(11):
        assert len(names(staff)) == 32


# --- one outlet ---


def test_one(site: Site, staff: Client, path: str) -> None:
    give(site)
    hear(site, 30)
    Outlet.objects.filter(pk=site.outlet.pk).update(
        region="East", address="Chai Chee Road 1", contact_person="Mei", number_of_machines=4, total_sva=7
    )
    page = staff.get(path)
    assert figures(page) == [
        ["", "Today", "7 days", "Ever"],
        ["Basic", "1", "1", "1"],
        ["Standard", "0", "0", "1"],
        ["Premium", "0", "1", "1"],
        ["All three", "1", "2", "3"],
    ]
    (row,) = table(page, "machines")
    assert (row[:2], row[3]) == (["CH1/027/2024", "esp32-001 Left"], "1")
    words = text(page.content.decode())
    for said in ("Address Chai Chee Road 1", "Contact Mei", "Machines 1 here, 4 by the owner’s count"):
        assert said in words
    assert "Service advisors 7 Average intake —" in words
    assert f'href="/stats?outlet_id={site.outlet.pk}"' in page.content.decode()


def test_one_as_its_owner_sees_it(site: Site, owner: Client, path: str) -> None:
    press(site.device, NOON - HOUR)
    change_machine(machine=site.other_machine, fields={"outlet": site.outlet})
    press(site.other_device, NOON)
    page = owner.get(path)
    assert figures(page)[-1] == ["All three", "1", "1", "1"]
    assert [row[0] for row in table(page, "machines")] == ["CH1/027/2024"]
    assert "Machines 1 Service" in text(page.content.decode())
    assert "data-dialog" not in page.content.decode()


def test_a_press_is_one_machine_and_the_numbers(site: Site, staff: Client, path: str) -> None:
    onlooker = Onlooker(staff, path)
    press(site.device, NOON)
    reply = onlooker.look()
    assert [(row[0], row[3]) for row in table(reply)] == [("CH1/027/2024", "1")]
    assert figures(reply)[-1] == ["All three", "1", "1", "1"]


def test_a_machine_that_comes(site: Site, staff: Client, path: str) -> None:
    onlooker = Onlooker(staff, path)
    machine = Machine.objects.create(name="New")
    staff.post(f"/machines/{machine.pk}/assign/", {"outlet": site.outlet.pk})
    assert [row[0] for row in table(onlooker.look())] == ["New"]


def test_addresses_and_methods(site: Site, staff: Client, path: str) -> None:
    for address in (PATH, path):
        assert staff.get(address.removesuffix("/")).status_code == 200
        reply = staff.post(address)
        assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD")
    for number in ("0", "999999999999999999", "9999999999999999999", "x", "%00"):
        assert staff.get(f"/outlets/{number}/").status_code == 404


# --- actions ---

FIELDS = {
    "name": "Tampines", "region": "East", "address": "Street 1", "contact_person": "Mei", "is_active": "True",
    "number_of_machines": "3", "total_sva": "", "average_intage_services": "2.5",
}  # fmt: skip


def test_add(site: Site, staff: Client) -> None:
    reply = staff.post("/outlets/add/", FIELDS)
    assert (reply.status_code, reply["Location"]) == (302, "/outlets")
    outlet = Outlet.objects.get(name="Tampines")
    assert (outlet.region, outlet.address, outlet.contact_person, outlet.is_active) == ("East", "Street 1", "Mei", True)
    assert (outlet.number_of_machines, outlet.total_sva, outlet.average_intage_services) == (3, None, 2.5)
    assert "Tampines is added." in staff.get(reply["Location"]).content.decode()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", " "),
        ("name", "x" * 201),
        ("region", "a\0"),
        ("address", "x" * 501),
        ("is_active", ""),
        ("number_of_machines", "-1"),
        ("number_of_machines", "2147483648"),
        ("total_sva", "1.5"),
        ("average_intage_services", "nan"),
        ("average_intage_services", "1e999"),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_outlet(site: Site, staff: Client, path: str, field: str, value: str) -> None:
    for address in ("/outlets/add/", f"{path}edit/"):
        reply = staff.post(address, {**FIELDS, field: value})
        assert (reply.status_code, reply.content.count(b'class="errorlist"')) == (200, 1)
    assert sorted(Outlet.objects.values_list("name", flat=True)) == ["Bedok", "Chai Chee"]


def test_edit(site: Site, staff: Client, path: str) -> None:
    assert 'value="Chai Chee"' in staff.get(f"{path}edit/").content.decode()
    sent = filled_in(staff, f"{path}edit/", **FIELDS)
    reply = staff.post(f"{path}edit/", {**sent, "is_active": "False"})
    assert (reply.status_code, reply["Location"]) == (302, path.removesuffix("/"))
    site.outlet.refresh_from_db()
    assert (site.outlet.name, site.outlet.is_active, site.outlet.number_of_machines) == ("Tampines", False, 3)


def test_delete(site: Site, staff: Client, path: str) -> None:
    press(site.device, NOON - HOUR)
    assert "Its 1 machine stays, without an outlet." in text(staff.get(f"{path}delete/").content.decode())
    reply = staff.post(f"{path}delete/")
    assert (reply.status_code, reply["Location"]) == (302, "/outlets")
    assert "Chai Chee is deleted." in staff.get("/outlets/").content.decode()
    site.outlet.refresh_from_db()
    site.machine.refresh_from_db()
    assert (site.outlet.archived_at, site.machine.outlet, site.machine.device) == (timezone.now(), None, site.device)
    assert DailyCount.objects.get().outlet_id == site.outlet.pk
    assert staff.post(f"{path}delete/").status_code == 404


@pytest.mark.parametrize("action", ["edit", "delete"])
def test_only_staff(site: Site, staff: Client, owner: Client, client: Client, path: str, action: str) -> None:
    for method in (owner.get, owner.post):
        assert method(f"{path}{action}/").status_code == 403
    assert owner.post("/outlets/add/", FIELDS).status_code == 403
    assert client.get(f"{path}{action}/")["Location"] == f"/login/?next={path}{action}/"
    assert staff.get(f"{path}{action}").status_code == 200
    reply = staff.put(f"{path}{action}/")
    assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD, POST")
    assert Outlet.objects.filter(archived_at=None).count() == 2


def test_a_device_that_moves_takes_nothing_along(site: Site, staff: Client) -> None:
    press(site.device, NOON - HOUR)
    assign_device(machine=site.other_machine, device=site.device, move=True)
    press(site.device, NOON)
    assert [(row[0], row[8]) for row in table(staff.get(PATH), "outlets")] == [("Bedok", "1"), ("Chai Chee", "1")]
