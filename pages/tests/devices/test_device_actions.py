"""What operators do to one device, from its page."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device, Enrolment
from device_gateway.registry.services import archive_device
from pages.tests.conftest import SignIn
from pages.tests.ozone import NOON, UNIT, press, refuse
from telemetry.machines.bindings import add_machine, assign_device
from telemetry.models import DeviceStatus, Machine, MachineDevice, QuarantinedEvent, TelemetryEvent

ACTIONS = ("edit", "rename", "assign", "unassign", "allow-handshake", "rotate", "redate", "archive", "restore")
BAD = '{"event_id": "bad-1", "event": "treatment", "treatment": "GOLD", "counter": 5, "firmware": 7, "batch": "x"}'


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def hidden(reply: Any, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', reply.content.decode())
    return found[1] if found else ""


def told(client: Client, path: str = UNIT) -> str:
    """What the page that one is led back to says."""
    reply = client.get(path)
    return " ".join(re.findall(r'class="message [a-z]+">([^<]+)<', reply.content.decode()))


# --- who, and how not ---


@pytest.mark.parametrize("action", [*ACTIONS, "quarantine/1/discard", "quarantine/1/accept"])
def test_only_staff(signed_in: SignIn, vera: User, unit: Device, client: Client, action: str) -> None:
    path = f"{UNIT}{action}"
    for method in ("get", "post"):
        assert getattr(signed_in(vera), method)(path).status_code == 403
        assert getattr(client, method)(path).status_code == 302
    assert Device.objects.get().archived_at is None


@pytest.mark.parametrize("action", [*ACTIONS, "quarantine/1/discard", "quarantine/1/accept"])
def test_not_this_way_and_not_of_nobody(staff: Client, unit: Device, action: str) -> None:
    reply = staff.delete(f"{UNIT}{action}/")
    assert (reply.status_code, set(reply["Allow"].split(", "))) == (405, {"GET", "HEAD", "POST"})
    for name in ("nobody", "%00", "9" * 400):
        assert staff.post(f"/devices/{name}/{action}/").status_code == 404


@pytest.mark.parametrize("action", ["edit", "rename", "assign", "unassign", "allow-handshake", "rotate", "redate"])
def test_an_archived_one_is_left_alone(staff: Client, unit: Device, action: str) -> None:
    archive_device(device=unit, now=NOON)
    assert staff.get(f"{UNIT}{action}/").status_code == 404
    assert staff.post(f"{UNIT}{action}/", {"device_id": "OZ-2"}).status_code == 404


# --- edit and rename ---


def edit_form(**fields: str) -> dict[str, str]:
    shown = {"name": "Ozone unit 1", "location": "Bay 1", "owner": "vera", "notes": "Left of the door"}
    shown["assigned"] = "yes"
    return {**{f"initial-{name}": value for name, value in shown.items()}, **shown, **fields}


def test_edit(staff: Client, unit: Device, sam: User) -> None:
    assert 'name="initial-location" value="Bay 1"' in staff.get(f"{UNIT}edit/").content.decode()
    reply = staff.post(f"{UNIT}edit/", edit_form(name="Unit Ö", owner="sam", notes=""))
    assert (reply.status_code, reply["Location"]) == (302, "/devices/OZ-001")
    unit.refresh_from_db()
    assert (unit.name, unit.location, unit.owner, unit.notes, unit.assigned) == ("Unit Ö", "Bay 1", sam, "", True)
    assert told(staff) == "Unit Ö is changed."


def test_edit_leaves_alone_what_somebody_else_has_changed_meanwhile(staff: Client, unit: Device) -> None:
    form = edit_form(name="Renamed")
    Device.objects.filter(pk=unit.pk).update(location="Bay 9")
    staff.post(f"{UNIT}edit/", form)
    unit.refresh_from_db()
    assert (unit.name, unit.location) == ("Renamed", "Bay 9")


def test_no_longer_assigned(staff: Client, unit: Device) -> None:
    staff.post(f"{UNIT}edit/", edit_form(assigned="no"))
    unit.refresh_from_db()
    assert unit.assigned is False


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"owner": "nobody"}, "There is no account of this name."),
        ({"name": "x" * 201}, "at most 200 characters"),
        ({"notes": "a\0b"}, "Null characters are not allowed."),
        ({"assigned": "maybe"}, "Select a valid choice."),
    ],
)
def test_edit_that_will_not_do(staff: Client, unit: Device, fields: dict[str, str], words: str) -> None:
    reply = staff.post(f"{UNIT}edit/", edit_form(**fields))
    assert reply.status_code == 200
    assert words in reply.content.decode()
    assert Device.objects.get().name == "Ozone unit 1"


def test_rename_and_the_old_address_leads_on(staff: Client, unit: Device) -> None:
    reply = staff.post(f"{UNIT}rename/", {"device_id": "OZ-9", "next": UNIT})
    assert (reply.status_code, reply["Location"]) == (302, UNIT)
    assert staff.get(UNIT)["Location"] == "/devices/OZ-9"
    assert told(staff, "/devices/OZ-9") == "OZ-001 is called OZ-9 now."


@pytest.mark.parametrize(
    ("name", "status", "words"),
    [
        ("OZ-002", 409, "OZ-002 is the name of device "),
        ("a b", 400, "1 to 63 of the characters"),
        ("42", 400, "digits only"),
        ("pending-1", 400, "pending-"),
        ("", 200, "This field is required."),
    ],
)
def test_a_name_it_may_not_have(staff: Client, unit: Device, name: str, status: int, words: str) -> None:
    Device.objects.create(device_id="OZ-002")
    reply = staff.post(f"{UNIT}rename/", {"device_id": name})
    assert reply.status_code == status
    assert words in reply.content.decode()
    unit.refresh_from_db()
    assert unit.device_id == "OZ-001"


# --- machines ---


def test_assign_a_free_one(staff: Client, unit: Device) -> None:
    machine = add_machine(fields={"name": "CH2", "outlet": None})
    fresh = Device.objects.create(mac="02:00:00:00:00:09")
    path = f"/devices/{fresh.device_id}/"
    assert "CH1 · Chai Chee · has OZ-001" in staff.get(f"{path}assign/").content.decode()
    reply = staff.post(f"{path}assign/", {"machine": machine.pk})
    assert reply.status_code == 302
    fresh.refresh_from_db()
    assert (fresh.machine, fresh.assigned) == (machine, True)


def test_a_device_that_another_machine_has_is_moved_when_asked_twice(staff: Client, unit: Device) -> None:
    here = Machine.objects.get()
    there = add_machine(fields={"name": "CH2", "outlet": None})
    reply = staff.post(f"{UNIT}assign/", {"machine": there.pk})
    assert "The machine CH1 has this device and would lose it." in reply.content.decode()
    assert MachineDevice.objects.get(is_active=True).machine == here
    sure_of = hidden(reply, "sure_of")
    assert staff.post(f"{UNIT}assign/", {"machine": there.pk, "sure_of": sure_of}).status_code == 302
    unit.refresh_from_db()
    assert unit.machine == there
    assert [(row.machine.name, row.is_active) for row in unit.bindings.all()] == [("CH2", True), ("CH1", False)]


def test_who_was_asked_about_another_matter_is_asked_again(staff: Client, unit: Device) -> None:
    there = add_machine(fields={"name": "CH2", "outlet": None})
    sure_of = hidden(staff.post(f"{UNIT}assign/", {"machine": there.pk}), "sure_of")
    other = Device.objects.create(device_id="OZ-002", assigned=True)
    assign_device(machine=there, device=other)
    reply = staff.post(f"{UNIT}assign/", {"machine": there.pk, "sure_of": sure_of})
    assert "The machine CH2 has the device OZ-002 and would lose it." in reply.content.decode()
    assert Machine.objects.get(device=other) == there


def test_a_machine_that_is_not_there(staff: Client, unit: Device) -> None:
    for number in ("999", "x", "9" * 30, ""):
        assert "errorlist" in staff.post(f"{UNIT}assign/", {"machine": number}).content.decode()
    assert MachineDevice.objects.count() == 1


def test_machines_are_found_by_words(staff: Client, unit: Device) -> None:
    add_machine(fields={"name": "Wash tunnel", "outlet": None})
    fresh = Device.objects.create(device_id="OZ-003")
    html = staff.get(f"/devices/{fresh.device_id}/assign/?q=wash\0").content.decode()
    assert "Wash tunnel" in html
    assert "CH1" not in html


def test_unassign(staff: Client, unit: Device) -> None:
    assert staff.post(f"{UNIT}unassign/").status_code == 302
    assert MachineDevice.objects.get().is_active is False
    reply = staff.post(f"{UNIT}unassign/")
    assert (reply.status_code, "No machine has this device." in reply.content.decode()) == (409, True)


# --- credentials ---


def use_key(device: Device, ago: timedelta | None) -> Credential:
    key = set_key(device=device, key="k" * 40, source=Credential.Source.HANDSHAKE, now=NOON - timedelta(days=1))
    if ago is not None:
        Credential.objects.filter(pk=key.pk).update(last_used_at=NOON - ago)
    return key


@pytest.mark.parametrize(
    ("ago", "asks"),
    [(timedelta(seconds=599), True), (timedelta(seconds=600), False), (timedelta(seconds=601), False), (None, False)],
)
def test_allow_asks_again_where_the_token_is_in_use(
    staff: Client,
    unit: Device,
    ago: timedelta | None,
    asks: bool,
) -> None:
    Enrolment.objects.all().delete()
    with time_machine.travel(NOON, tick=False):
        use_key(unit, ago)
        page = staff.get(f"{UNIT}allow-handshake/").content.decode()
        assert ("Its token was never used." if ago is None else "Its token was last used") in page
        reply = staff.post(f"{UNIT}allow-handshake/")
        if asks:
            assert "was used within the last 10 minutes" in reply.content.decode()
            assert not Enrolment.objects.exists()
            reply = staff.post(f"{UNIT}allow-handshake/", {"sure_of": hidden(reply, "sure_of")})
        assert reply.status_code == 302
    assert Enrolment.objects.get().open_until == NOON + timedelta(hours=24)
    assert unit.credentials.get().revoked_at is None


def test_rotate(staff: Client, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        use_key(unit, timedelta(0))
        assert "For 1 day the first to shake hands" in staff.get(f"{UNIT}rotate/").content.decode()
        assert unit.credentials.get().revoked_at is None
        assert staff.post(f"{UNIT}rotate/").status_code == 302
    assert unit.credentials.get().revoked_at == NOON
    assert Enrolment.objects.get().opened_at == NOON


def test_rotate_warns_of_a_claimed_key(staff: Client, unit: Device) -> None:
    set_key(device=unit, key="k" * 40, source=Credential.Source.CLAIM, now=NOON)
    assert "waits for a new provisioning token" in staff.get(f"{UNIT}rotate/").content.decode()


# --- archive ---


def test_archive_and_restore(staff: Client, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        use_key(unit, timedelta(0))
        assert "It stays in the machine CH1" in staff.get(f"{UNIT}archive/").content.decode()
        assert staff.post(f"{UNIT}archive/").status_code == 302
        unit.refresh_from_db()
        assert unit.archived_at == NOON
        assert "OZ-001" not in staff.get("/devices/").content.decode()
        assert "OZ-001" in staff.get("/device-archive/").content.decode()
        assert staff.post(f"{UNIT}restore/").status_code == 302
    unit.refresh_from_db()
    assert unit.archived_at is None
    assert unit.credentials.get().revoked_at is None
    assert "OZ-001" not in staff.get("/device-archive").content.decode()


def test_the_archive_is_staffs(signed_in: SignIn, vera: User, unit: Device) -> None:
    assert signed_in(vera).get("/device-archive/").status_code == 403


def test_the_archive_is_searched(staff: Client, unit: Device) -> None:
    archive_device(device=unit, now=NOON)
    archive_device(device=Device.objects.create(name="Old meter"), now=NOON)
    html = staff.get("/device-archive/?q=meter").content.decode()
    assert ("Old meter" in html, "OZ-001" in html) == (True, False)


# --- quarantine and suspect clocks, through the writer ---


def test_accept_corrected(write_path: None, staff: Client, unit: Device) -> None:
    refused = refuse(unit, body=BAD, first_at=NOON)
    path = f"{UNIT}quarantine/{refused.pk}/accept/"
    page = staff.get(path).content.decode()
    assert "&quot;treatment&quot;: &quot;GOLD&quot;" in page
    assert "Must be BASIC, STANDARD or PREMIUM." in page
    still_bad = staff.post(path, {"body": BAD})
    assert still_bad.status_code == 400
    assert "treatment: Must be BASIC, STANDARD or PREMIUM." in still_bad.content.decode()
    corrected = '{"event_id": "bad-1", "event": "treatment", "treatment": "PREMIUM", "counter": 6}'
    assert staff.post(path, {"body": corrected}).status_code == 302
    event = TelemetryEvent.objects.get()
    assert (event.event_id, event.treatment, event.counter, event.received_at, event.source, event.payload) == (
        "bad-1", "PREMIUM", 6, NOON, "operator", {},
    )  # fmt: skip
    refused.refresh_from_db()
    assert refused.state == "accepted"
    again = staff.post(path, {"body": corrected})
    assert (again.status_code, TelemetryEvent.objects.count()) == (409, 1)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("{", "The body is not valid JSON"),
        ("[]", "One event, as a JSON object."),
        ('{"counter": 1e999}', "The body is not valid JSON"),
        ('{"event_id": "\\u0000"}', "U+0000 cannot be stored."),
        ("", "This field is required."),
        ('{"a": ' + "[" * 40 + "]" * 40 + "}", "nested deeper"),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_event(write_path: None, staff: Client, unit: Device, body: str, words: str) -> None:
    refused = refuse(unit)
    reply = staff.post(f"{UNIT}quarantine/{refused.pk}/accept/", {"body": body})
    assert words in reply.content.decode()
    assert QuarantinedEvent.objects.get().state == "open"


def test_a_body_that_is_no_object_is_shown_as_it_came(staff: Client, unit: Device) -> None:
    refused = refuse(unit, body="<script>not json")
    assert "&lt;script&gt;not json" in staff.get(f"{UNIT}quarantine/{refused.pk}/accept/").content.decode()


def test_discard(staff: Client, unit: Device, pump: Device) -> None:
    refused = refuse(unit)
    path = f"{UNIT}quarantine/{refused.pk}/discard/"
    assert "GOLD" in staff.get(path).content.decode()
    assert staff.post(f"/devices/{pump.device_id}/quarantine/{refused.pk}/discard/").status_code == 404
    assert staff.post(path).status_code == 302
    refused.refresh_from_db()
    assert refused.state == "discarded"
    assert staff.post(path).status_code == 409


def test_redate(write_path: None, staff: Client, unit: Device) -> None:
    DeviceStatus.objects.get_or_create(device=unit)
    for number in range(3):
        press(unit, number, occurred_at=datetime(2025, 1, 1, tzinfo=UTC), clock_suspect=True)
    assert "3 events came with a time that cannot be right." in staff.get(f"{UNIT}redate/").content.decode()
    before = timezone.now()
    assert staff.post(f"{UNIT}redate/").status_code == 302
    assert told(staff) == "3 events of Ozone unit 1 have their time of arrival now."
    for event in TelemetryEvent.objects.all():
        assert event.occurred_at == event.received_at < before
        assert event.clock_suspect is False
    staff.post(f"{UNIT}redate/")
    assert told(staff) == "There was none left."
