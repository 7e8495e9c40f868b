"""What staff do to machines: add, edit, assign, unassign, delete; and what it leaves in the database."""

from datetime import date
from typing import Any

import pytest
from django.test import Client

from device_gateway.models import Device
from pages.tests.forms import filled_in, form_of
from pages.tests.onlooker import text
from telemetry.machines.bindings import archive_outlet
from telemetry.models import DailyCount, Machine, TelemetryEvent
from telemetry.tests.cast import DAY, HOUR, NOON, Site, history, press


@pytest.fixture
def spare(site: Site) -> Device:
    return Device.objects.create(device_id="esp32-003", mac="EC:E3:34:46:2B:C0", name="Spare")


@pytest.fixture
def path(site: Site) -> str:
    return f"/machines/{site.machine.pk}/"


def said(reply: Any, status: int = 200) -> str:
    assert reply.status_code == status, reply.content
    return text(reply.content.decode().partition("<main")[2])


def done(client: Client, reply: Any) -> str:
    """What the page that one is led back to says was done."""
    assert reply.status_code == 302, said(reply, reply.status_code)
    return text(client.get(reply["Location"]).content.decode().partition('class="messages"')[2].partition("</div>")[0])


# --- add ---


def test_add(site: Site, staff: Client) -> None:
    fields = {"name": "CH1/028/2024", "outlet": site.outlet.pk, "is_active": "True", "installed_date": "2026-02-28"}
    reply = staff.post("/machines/add/", fields)
    assert reply["Location"] == "/machines"
    assert "CH1/028/2024 is added. It has no device yet." in done(staff, reply)
    machine = Machine.objects.get(name="CH1/028/2024")
    assert (machine.outlet, machine.is_active, machine.device) == (site.outlet, True, None)
    assert machine.installed_date == date(2026, 2, 28)


def test_add_with_a_device(site: Site, staff: Client, spare: Device) -> None:
    fields = {"name": "New", "outlet": "", "is_active": "False", "device": "ece334462bc0", "next": "/machines/?q=New"}
    reply = staff.post("/machines/add/", fields)
    assert reply["Location"] == "/machines/?q=New"
    machine = Machine.objects.get(name="New")
    assert (machine.device, machine.outlet, machine.is_active) == (spare, None, False)
    spare.refresh_from_db()
    assert spare.assigned


def test_a_device_that_is_taken_adds_nothing(site: Site, staff: Client) -> None:
    reply = staff.post("/machines/add/", {"name": "New", "is_active": "True", "device": "esp32-001"})
    assert "The device is bound to the machine" in said(reply, 409)
    assert not Machine.objects.filter(name="New").exists()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": ""}, "This field is required."),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"name": "a\0b"}, "Null characters are not allowed."),
        ({"outlet": "987654321"}, "Select a valid choice."),
        ({"outlet": "9" * 30}, "Select a valid choice."),
        ({"outlet": "x"}, "Select a valid choice."),
        ({"outlet": "x\0"}, "Null characters are not allowed."),
        ({"is_active": "maybe"}, "Select a valid choice."),
        ({"installed_date": "yesterday"}, "Enter a valid date."),
        ({"device": "nobody"}, "There is no such device."),
        ({"device": "9" * 40}, "There is no such device."),
        ({"device": "a\0"}, "Null characters are not allowed."),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_machine(site: Site, staff: Client, fields: dict[str, str], sentence: str) -> None:
    reply = staff.post("/machines/add/", {"name": "New", "is_active": "True", **fields})
    assert sentence in said(reply)
    assert Machine.objects.count() == 2


def test_an_outlet_that_is_gone_is_no_choice(site: Site, staff: Client) -> None:
    archive_outlet(outlet=site.other_outlet)
    reply = staff.post("/machines/add/", {"name": "New", "is_active": "True", "outlet": site.other_outlet.pk})
    assert "Select a valid choice." in said(reply)
    assert "Bedok" not in said(staff.get("/machines/add/"))


# --- edit ---


def test_edit(site: Site, staff: Client, path: str) -> None:
    form = staff.get(f"{path}edit/").content.decode()
    assert 'value="CH1/027/2024"' in form
    assert f'<option value="{site.outlet.pk}" selected>Chai Chee</option>' in form
    fields = {"name": "CH1/001", "outlet": site.other_outlet.pk, "is_active": "False", "installed_date": ""}
    assert "CH1/001 is changed." in done(staff, staff.post(f"{path}edit/", filled_in(staff, f"{path}edit/", **fields)))
    site.machine.refresh_from_db()
    assert (site.machine.name, site.machine.is_active, site.machine.installed_date) == ("CH1/001", False, None)
    assert history(machine=site.machine) == [
        ("CH1/001", "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
        ("CH1/001", "esp32-001", "Bedok", NOON, None, True),
    ]


# --- assign ---


def test_the_form_to_assign_offers_what_is_free(site: Site, staff: Client, path: str, spare: Device) -> None:
    form = staff.get(f"{path}assign/").content.decode()
    assert '<option value="esp32-003">Spare</option>' in form
    assert '<option value="esp32-002">' not in form
    assert 'name="device" value="esp32-001"' in form


def test_assign_a_free_device_and_an_outlet(site: Site, staff: Client, spare: Device) -> None:
    machine = Machine.objects.create(name="New")
    reply = staff.post(f"/machines/{machine.pk}/assign/", {"outlet": site.outlet.pk, "device": "esp32-003"})
    assert "New is at Chai Chee, with esp32-003." in done(staff, reply)
    assert history(machine=machine) == [("New", "esp32-003", "Chai Chee", NOON, None, True)]
    spare.refresh_from_db()
    assert spare.assigned


def test_what_is_not_sent_stays(site: Site, staff: Client, path: str) -> None:
    done(staff, staff.post(f"{path}assign/", {"outlet": site.other_outlet.pk}))
    site.machine.refresh_from_db()
    assert (site.machine.device, site.machine.outlet) == (site.device, site.other_outlet)
    done(staff, staff.post(f"{path}assign/", {"device": "esp32-001"}))
    site.machine.refresh_from_db()
    assert (site.machine.device, site.machine.outlet) == (site.device, site.other_outlet)


@pytest.mark.parametrize("page", ["assign", "unassign", "edit", "delete"])
def test_a_field_that_is_none_of_the_form_is_refused_by_name(site: Site, staff: Client, path: str, page: str) -> None:
    names = {"outlet_id": site.other_outlet.pk, "<device>": "esp32-002"}
    reply = staff.post(f"{path}{page}/", {**names, "next": "/machines/", "csrfmiddlewaretoken": "x"})
    words = said(reply, 400)
    assert "Not a field here: <device>, outlet_id. Nothing was done." in words
    if page == "assign":
        assert "The fields are: outlet, device." in words
    site.machine.refresh_from_db()
    assert (site.machine.device, site.machine.outlet, site.machine.archived_at) == (site.device, site.outlet, None)


def test_what_is_sent_empty_goes(site: Site, staff: Client, path: str) -> None:
    reply = staff.post(f"{path}assign/", filled_in(staff, f"{path}assign/", outlet="", device=""))
    assert "CH1/027/2024 is at no outlet, with no device." in done(staff, reply)
    site.machine.refresh_from_db()
    assert (site.machine.device, site.machine.outlet) == (None, None)


def test_nothing_sent_is_a_question(site: Site, staff: Client, path: str) -> None:
    assert "Choose an outlet, a device, or both." in said(staff.post(f"{path}assign/"))
    assert "There is no such device." in said(staff.post(f"{path}assign/", {"device": "nobody"}))
    assert len(history(machine=site.machine)) == 1


def test_a_device_that_another_holds_is_asked_about_first(site: Site, staff: Client) -> None:
    machine = Machine.objects.create(name="New")
    path = f"/machines/{machine.pk}/assign/"
    asked = staff.post(path, {"outlet": site.other_outlet.pk, "device": "esp32-001", "next": "/machines/?page=2"})
    words = said(asked)
    assert "Move a device to New?" in words
    assert "esp32-001 is in CH1/027/2024 now, which would be without a device." in words
    html = asked.content.decode()
    for field in (f'name="outlet" value="{site.other_outlet.pk}"', 'name="device" value="esp32-001"'):
        assert f'<input type="hidden" {field}' in html
    assert history(device=site.device)[-1][-1] is True
    assert len(history(machine=machine)) == 0

    yes = {"outlet": site.other_outlet.pk, "device": "esp32-001", "move": "True", "next": "/machines/?page=2"}
    reply = staff.post(path, yes)
    assert reply["Location"] == "/machines/?page=2"
    assert history(device=site.device) == [
        ("CH1/027/2024", "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
        ("New", "esp32-001", "Bedok", NOON, None, True),
    ]
    site.machine.refresh_from_db()
    assert site.machine.device is None


def test_a_machine_that_has_a_device_is_asked_about_first(site: Site, staff: Client, path: str, spare: Device) -> None:
    sent = filled_in(staff, f"{path}assign/", device="esp32-003", outlet=site.other_outlet.pk)
    asked = staff.post(f"{path}assign/", sent)
    assert "CH1/027/2024 has esp32-001 now, which would be without a machine." in said(asked)
    assert "Its owner, name and place go over to the new board" in said(asked)
    done(staff, staff.post(f"{path}assign/", form_of(asked)))
    spare.refresh_from_db()
    assert (spare.owner, spare.name, spare.location) == (site.vera.user, "Left", "Bay 1")
    # The device that went was never at the new outlet.
    assert history(machine=site.machine) == [
        ("CH1/027/2024", "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
        ("CH1/027/2024", "esp32-003", "Bedok", NOON, None, True),
    ]


# --- unassign ---


def test_unassign_takes_the_device(site: Site, staff: Client, path: str) -> None:
    assert "The device esp32-001" in said(staff.get(f"{path}unassign/"))
    reply = staff.post(f"{path}unassign/")
    assert "CH1/027/2024 is without the device esp32-001." in done(staff, reply)
    site.machine.refresh_from_db()
    site.device.refresh_from_db()
    assert (site.machine.device, site.machine.outlet, site.device.assigned) == (None, site.outlet, True)


@pytest.mark.parametrize(("what", "device", "outlet"), [("outlet", True, False), ("both", False, False)])
def test_unassign_as_told(site: Site, staff: Client, path: str, what: str, device: bool, outlet: bool) -> None:
    done(staff, staff.post(f"{path}unassign/", {"what": what}))
    site.machine.refresh_from_db()
    assert (site.machine.device is not None, site.machine.outlet is not None) == (device, outlet)


def test_nothing_to_take(site: Site, staff: Client, path: str) -> None:
    staff.post(f"{path}unassign/")
    assert "CH1/027/2024 has no device." in said(staff.post(f"{path}unassign/"), 409)
    assert "Select a valid choice." in said(staff.post(f"{path}unassign/", {"what": "everything"}))


# --- delete ---


def test_delete(site: Site, staff: Client, path: str) -> None:
    press(site.device, NOON - HOUR)
    words = said(staff.get(f"{path}delete/"))
    assert "Its binding to esp32-001 ends." in words
    assert "Its 1 treatment stays, in the events and in the statistics." in words
    reply = staff.post(f"{path}delete/")
    assert "CH1/027/2024 is deleted. Its events and statistics stay." in done(staff, reply)
    site.machine.refresh_from_db()
    assert (site.machine.archived_at, site.machine.device) == (NOON, None)
    assert TelemetryEvent.objects.get().machine == site.machine
    assert DailyCount.objects.get().machine_id == site.machine.pk
    assert history(machine=site.machine)[-1][-1] is False
    assert said(staff.post(f"{path}delete/"), 404)


# --- who, and how ---

ACTIONS = ("edit", "assign", "unassign", "delete")


@pytest.mark.parametrize("action", ACTIONS)
def test_only_staff(site: Site, owner: Client, client: Client, path: str, action: str) -> None:
    for method in (owner.get, owner.post):
        assert method(f"{path}{action}/").status_code == 403
    assert client.post(f"{path}{action}/")["Location"] == f"/login/?next={path}{action}/"
    site.machine.refresh_from_db()
    assert (site.machine.archived_at, site.machine.device) == (None, site.device)


def test_only_staff_adds(site: Site, owner: Client) -> None:
    assert owner.post("/machines/add/", {"name": "New", "is_active": "True"}).status_code == 403
    assert Machine.objects.count() == 2


@pytest.mark.parametrize("action", ACTIONS)
def test_the_address_and_its_methods(site: Site, staff: Client, path: str, action: str) -> None:
    assert staff.get(f"{path}{action}").status_code == 200
    reply = staff.delete(f"{path}{action}/")
    assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD, POST")
    assert staff.get(f"/machines/999999999999999999/{action}/").status_code == 404


def test_the_way_back_is_ours(site: Site, staff: Client, path: str) -> None:
    reply = staff.post(f"{path}unassign/", {"next": "https://elsewhere.example.com/"})
    assert reply["Location"] == "/machines"


def test_unassign_a_machine_that_stands_nowhere(site: Site, staff: Client, path: str) -> None:
    Machine.objects.filter(pk=site.machine.pk).update(outlet=None)
    reply = staff.post(f"{path}unassign/", form_of(staff.get(f"{path}unassign/")))
    assert "CH1/027/2024 is without the device esp32-001." in done(staff, reply)
