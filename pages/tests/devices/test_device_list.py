"""What staff do from the devices' list: add one, and change, command or export those they have selected."""

import csv
import html
import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import Device, DeviceState
from device_gateway.registry.services import archive_device
from pages.tests.conftest import SignIn
from pages.tests.onlooker import text
from pages.tests.ozone import press
from telemetry.models import Bulk, Command

LIST = "/devices"
ADD = "/device-add"
BULK = "/device-bulk"
GET_STATUS = {"command_type": "GET_STATUS", "priority": "normal", "expires_in_hours": "24"}


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


@pytest.fixture
def three(db: None) -> list[Device]:
    return [Device.objects.create(name=f"Unit {number}", device_id=f"U-{number}") for number in (1, 2, 3)]


def hidden(reply: Any) -> dict[str, str]:
    """What the form carries along, as a browser would send it back."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', reply.content.decode())
    return {name: html.unescape(value) for name, value in found}


def messages(client: Client, path: str = f"{LIST}/") -> str:
    return " ".join(re.findall(r'class="message [a-z]+">(.*?)</p>', client.get(path).content.decode()))


def said(reply: Any) -> str:
    return text(reply.content.decode())


# --- adding one ---


def test_add(staff: Client, vera: User) -> None:
    reply = staff.post(
        ADD,
        {
            "name": "Bay 7",
            "device_id": "OZ-107",
            "mac": "ec-e3-34-46-2b-c0",
            "location": "Forecourt",
            "owner": vera.pk,
            "notes": "new",
        },
    )
    assert (reply.status_code, reply["Location"]) == (302, LIST)
    device = Device.objects.get()
    assert (device.name, device.device_id, device.mac) == ("Bay 7", "OZ-107", "EC:E3:34:46:2B:C0")
    assert (device.location, device.owner, device.notes, device.assigned) == ("Forecourt", vera, "new", True)
    assert messages(staff) == 'Bay 7 is added. <a href="/devices/OZ-107">Open it</a>'


def test_a_name_is_enough(staff: Client) -> None:
    staff.post(ADD, {"name": "Meter <3"})
    device = Device.objects.get()
    assert (device.device_id, device.owner, device.assigned) == (f"dev-{device.pk}", None, False)
    assert messages(staff).startswith("Meter &lt;3 is added.")


@pytest.mark.parametrize(
    ("fields", "status", "sentence"),
    [
        ({"name": ""}, 200, "This field is required."),
        ({"name": "x\0"}, 200, "Null characters are not allowed."),
        ({"name": "x" * 201}, 200, "at most 200 characters"),
        ({"mac": "nonsense"}, 400, "Must be a MAC address of twelve hexadecimal digits"),
        ({"device_id": "12345"}, 400, "A device_id of digits only would be taken for a number."),
        ({"device_id": "a b"}, 400, "A device_id has 1 to 63 of the characters"),
        ({"device_id": "U-2"}, 409, "U-2 is the name of device "),
        ({"owner": "999999"}, 200, "Select a valid choice."),
    ],
)
def test_what_is_no_device(
    staff: Client, three: list[Device], fields: dict[str, str], status: int, sentence: str
) -> None:
    reply = staff.post(ADD, {"name": "New", **fields})
    assert reply.status_code == status
    assert sentence in said(reply)
    assert Device.objects.count() == 3


# --- who, and how not ---


@pytest.mark.parametrize("path", [ADD, BULK, "/device-upload"])
def test_only_staff(signed_in: SignIn, vera: User, client: Client, meter: Device, path: str) -> None:
    for slash in ("", "/"):
        sent = {"name": "x", "do": "command", "device": meter.device_id or "", "text": "name\nx"}
        assert signed_in(vera).post(f"{path}{slash}", sent).status_code == 403
        assert client.post(f"{path}{slash}", sent)["Location"] == f"/login/?next={path}{slash}"
        assert signed_in(vera).get(f"{path}{slash}").status_code == 403
    assert (Device.objects.count(), Command.objects.count()) == (1, 0)


@pytest.mark.parametrize("path", [ADD, BULK, "/device-upload"])
def test_wrong_method(staff: Client, path: str) -> None:
    reply = staff.delete(path)
    assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD, POST")


def test_the_bar_is_for_staff(staff: Client, signed_in: SignIn, vera: User, meter: Device) -> None:
    assert 'id="bulk"' in staff.get(f"{LIST}/").content.decode()
    for_vera = signed_in(vera).get(f"{LIST}/").content.decode().partition("</main>")[0]
    assert 'id="bulk"' not in for_vera
    assert 'type="checkbox"' not in for_vera


def test_the_bar_shows_without_scripts(staff: Client, three: list[Device]) -> None:
    [bar] = re.findall(r'<form id="bulk"[^>]*>', staff.get(f"{LIST}/").content.decode())
    assert "hidden" not in bar


# --- a command for many ---


def test_a_command_for_the_selected(staff: Client, olga: User, three: list[Device]) -> None:
    reply = staff.post(BULK, {"do": "command", "device": ["U-1", "U-3"], "query": "q=unit&page=1"})
    assert reply.status_code == 200
    page = said(reply)
    assert "Send a command to 2 devices Unit 1, Unit 3. None of them asks for commands now" in page
    assert "This field is required." not in page  # nothing has been filled in yet
    assert Command.objects.count() == 0
    reply = staff.post(BULK, {**hidden(reply), **GET_STATUS, "payload": '{"a": 1}'})
    assert (reply.status_code, reply["Location"]) == (302, f"/command-bulks/{Bulk.objects.get().pk}")
    made = Command.objects.order_by("device__name").values_list("device__name", "command_type", "payload", "created_by")
    assert list(made) == [("Unit 1", "GET_STATUS", {"a": 1}, olga.pk), ("Unit 3", "GET_STATUS", {"a": 1}, olga.pk)]
    assert messages(staff) == "GET_STATUS waits for 2 devices."


def test_a_command_that_is_none(staff: Client, three: list[Device]) -> None:
    carried = hidden(staff.post(BULK, {"do": "command", "device": ["U-1", "U-3"]}))
    reply = staff.post(BULK, {**carried, **GET_STATUS, "payload": "{"})
    assert "Not valid JSON, in line 1" in said(reply)
    assert hidden(reply)["devices"] == f"{three[0].pk} {three[2].pk}"
    assert Command.objects.count() == 0


def test_some_of_them_do_not_ask(staff: Client, three: list[Device]) -> None:
    DeviceState.objects.filter(device__in=three[1:]).update(last_poll=timezone.now())
    reply = staff.post(BULK, {"do": "command", "device": ["U-1", "U-2", "U-3"]})
    assert "1 of them does not ask for commands now" in said(reply)


def test_all_that_match_on_every_page(staff: Client) -> None:
    for number in range(60):
        Device.objects.create(name=f"Lane {number}", location="East" if number < 55 else "West")
    page = staff.get(f"{LIST}/?q=east").content.decode()
    assert 'name="all"' in page
    assert '<input type="hidden" form="bulk" name="query" value="q=east">' in page
    assert 'name="all"' not in staff.get(f"{LIST}/?q=west").content.decode()
    reply = staff.post(BULK, {"do": "command", "all": "yes", "query": "q=east"})
    assert "Send a command to 55 devices" in said(reply)
    assert "and 45 more" in said(reply)
    staff.post(BULK, {**hidden(reply), **GET_STATUS})
    assert Command.objects.filter(device__location="East").count() == 55
    assert Command.objects.filter(device__location="West").count() == 0


@pytest.mark.thorough
def test_past_a_thousand(staff: Client) -> None:
    Device.objects.bulk_create([Device(name=f"Lane {number}", device_id=f"L-{number}") for number in range(1001)])
    DeviceState.objects.bulk_create([DeviceState(device=device) for device in Device.objects.all()])
    for purpose in ("change", "export"):
        reply = staff.post(BULK, {"do": purpose, "all": "yes", "query": ""})
        assert (reply.status_code, reply["Location"]) == (302, LIST)
        assert messages(staff) == "At most 1,000 devices at once. Narrow the list by a search."
    reply = staff.post(BULK, {"do": "command", "all": "yes", "query": ""})
    assert "Send a command to 1,001 devices" in said(reply)
    staff.post(BULK, {**hidden(reply), **GET_STATUS})
    assert messages(staff) == "GET_STATUS waits for 1,001 devices."
    assert Bulk.objects.get().commands.count() == Command.objects.count() == 1001


@pytest.mark.parametrize("sent", [{}, {"device": "nobody"}, {"device": "\0"}, {"devices": "x", "sure": "yes"}])
def test_none_selected(staff: Client, three: list[Device], sent: dict[str, str]) -> None:
    reply = staff.post(BULK, {"do": "command", "query": "q=unit", **sent})
    assert (reply.status_code, reply["Location"]) == (302, f"{LIST}?q=unit")
    assert messages(staff) == "Select at least one device."


@pytest.mark.parametrize("query", ["//evil.example", "q=%00&page=9x&sort=nope", "a\r\nb"])
def test_whatever_the_query_says(staff: Client, three: list[Device], query: str) -> None:
    reply = staff.post(BULK, {"do": "sing", "device": "U-1", "query": query})
    assert (reply.status_code, reply["Location"]) == (302, LIST)


def test_a_query_of_too_many_fields(staff: Client, three: list[Device]) -> None:
    assert staff.post(BULK, {"do": "command", "device": "U-1", "query": "&" * 5000}).status_code == 400


def test_a_device_that_went_meanwhile(staff: Client, three: list[Device]) -> None:
    reply = staff.post(BULK, {"do": "command", "device": ["U-1", "U-2"]})
    archive_device(device=three[0], now=timezone.now())
    staff.post(BULK, {**hidden(reply), **GET_STATUS})
    assert list(Command.objects.values_list("device__name", flat=True)) == ["Unit 2"]
    assert messages(staff) == "GET_STATUS waits for one device."


def test_devices_that_would_not_survive_it(staff: Client, three: list[Device]) -> None:
    Device.objects.filter(name="Unit 2").update(firmware="1.0.0-sim")
    reply = staff.post(BULK, {"do": "command", "device": ["U-1", "U-2"]})
    wanted = {**hidden(reply), **GET_STATUS, "command_type": "REBOOT_DEVICE"}
    why = "Unit 2 did not get it. REBOOT_DEVICE is known to harm devices with firmware 1.0.0-sim."
    page = said(staff.get(staff.post(BULK, wanted)["Location"]))
    assert list(Command.objects.values_list("device__name", flat=True)) == ["Unit 1"]
    assert ("REBOOT_DEVICE waits for one device." in page, why in page) == (True, True)
    page = said(staff.get(staff.post(BULK, {**wanted, "force": "on"})["Location"]))
    assert ("REBOOT_DEVICE waits for 2 devices." in page, "did not get it" in page) == (True, False)
    Command.objects.all().delete()
    page = said(staff.get(staff.post(BULK, {**wanted, "devices": "U-2"})["Location"]))
    assert ("waits for" in page, why in page) == (False, True)
    assert not Command.objects.exists()


# --- a change of many ---


def test_assign_and_give_an_owner(staff: Client, three: list[Device], vera: User) -> None:
    Device.objects.update(assigned=False)
    reply = staff.post(BULK, {"do": "change", "device": ["U-1", "U-2"]})
    assert "Assign 2 devices Unit 1, Unit 2." in said(reply)
    staff.post(BULK, {**hidden(reply), "assigned": "yes", "owner": vera.pk})
    found = Device.objects.order_by("name").values_list("assigned", "owner")
    assert list(found) == [(True, vera.pk), (True, vera.pk), (False, None)]
    assert messages(staff) == "2 devices changed."


def test_take_the_owner_away_and_leave_the_rest(staff: Client, three: list[Device], vera: User) -> None:
    Device.objects.update(assigned=True, owner=vera)
    reply = staff.post(BULK, {"do": "change", "device": ["U-1"]})
    staff.post(BULK, {**hidden(reply), "assigned": "", "owner": "nobody"})
    assert list(Device.objects.order_by("name").values_list("assigned", "owner")) == [
        (True, None),
        (True, vera.pk),
        (True, vera.pk),
    ]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({}, "Choose what to change."),
        ({"owner": "999999"}, "Select a valid choice."),
        ({"assigned": "maybe"}, "Select a valid choice."),
    ],
)
def test_no_change(staff: Client, three: list[Device], fields: dict[str, str], sentence: str) -> None:
    carried = hidden(staff.post(BULK, {"do": "change", "device": ["U-1"]}))
    assert sentence in said(staff.post(BULK, {**carried, **fields}))


def test_one_that_cannot_be_changed_is_named(staff: Client, three: list[Device]) -> None:
    Device.objects.filter(name="Unit 2").update(mac="nonsense", assigned=False)
    reply = staff.post(BULK, {"do": "change", "device": ["U-1", "U-2"]})
    staff.post(BULK, {**hidden(reply), "assigned": "no"})
    assert messages(staff) == ("One device could not be changed. Unit 2: The device is not valid. One device changed.")
    assert Device.objects.get(name="Unit 1").assigned is False
    reply = staff.post(BULK, {"do": "change", "device": ["U-2"]})
    staff.post(BULK, {**hidden(reply), "assigned": "yes"})
    assert messages(staff) == "One device could not be changed. Unit 2: The device is not valid."


# --- an export of many ---


def test_export_the_events_of_the_selected(staff: Client, three: list[Device]) -> None:
    press(three[0], 1)
    press(three[1], 2)
    press(three[2], 3)
    press(three[0], 4, received_at=timezone.now() - timedelta(days=31))
    reply: Any = staff.post(BULK, {"do": "export", "device": ["U-1", "U-3"]})
    assert (reply.status_code, reply["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert reply["Content-Disposition"] == 'attachment; filename="events-30-days.csv"'
    content = b"".join(reply.streaming_content)
    reply.close()
    assert content.startswith(b"\xef\xbb\xbfTimestamp,")  # or spreadsheets take it for Windows' own encoding
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [(row["Device ID"], row["Event ID"]) for row in rows] == [("U-1", "e-1"), ("U-3", "e-3")]


def test_too_many_exports(staff: Client, three: list[Device], settings: Settings) -> None:
    settings.HEAVY_WAIT_SECONDS = 0.1
    open_ones: list[Any] = [staff.post(BULK, {"do": "export", "device": ["U-1"]}) for _ in range(2)]
    reply = staff.post(BULK, {"do": "export", "device": ["U-1"]})
    for one in open_ones:
        b"".join(one.streaming_content)
        one.close()
    assert (reply.status_code, reply["Retry-After"]) == (429, "5")
    assert "Too many heavy reads at once. Try again in 5 s." in said(reply)
