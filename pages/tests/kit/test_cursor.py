"""A form that comes back has the cursor in the first field that is wrong, whichever form it is."""

import re
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device
from pages.tests.conftest import PASSWORD, SignIn
from pages.tests.ozone import MAC, NOON, refuse
from telemetry.models import Machine, QuarantinedEvent

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

BULK: Final = {"devices": "OZ-001", "sure": "yes"}
FORMS: Final[list[tuple[str, dict[str, Any], str]]] = [
    ("/device-add/", {"name": "Meter", "mac": "not one", "owner": "999"}, "owner"),
    ("/device-add/", {"name": "Meter", "device_id": "a b", "notes": "x" * 501}, "notes"),
    ("/device-add/", {"name": "Meter", "mac": "not one"}, "mac"),
    ("/device-add/", {"name": "Meter", "mac": MAC}, "mac"),
    ("/device-add/", {"name": "Meter", "device_id": "OZ-001", "mac": MAC}, "device_id"),
    ("/device-upload", {}, "file"),
    ("/device-upload", {"file": b"colour"}, "file"),
    ("/devices/OZ-001/edit", {"name": "\u200b", "owner": "nobody", "assigned": "yes"}, "name"),
    ("/devices/OZ-001/edit", {"name": "Bay", "owner": "nobody", "assigned": "?"}, "owner"),
    ("/devices/OZ-001/rename", {"device_id": "OZ-002"}, "device_id"),
    ("/devices/OZ-001/rename", {"device_id": "12"}, "device_id"),
    ("/devices/OZ-001/assign", {"machine": "999"}, "machine"),
    ("/devices/OZ-001/quarantine/{refused}/accept", {"body": "["}, "body"),
    ("/devices/OZ-001/commands/send", {"payload": "{", "priority": "?"}, "command_type"),
    ("/devices/OZ-001/commands/send", {"command_type": "GET_STATUS", "payload": "{", "priority": "high"}, "payload"),
    ("/device-bulk", {**BULK, "do": "command", "priority": "high"}, "command_type"),
    ("/device-bulk", {**BULK, "do": "change", "owner": "?"}, "owner"),
    ("/machines/add/", {"name": "   ", "is_active": "True", "device": "nobody"}, "name"),
    ("/machines/add/", {"name": "CH2", "is_active": "True", "device": "nobody"}, "device"),
    ("/machines/{machine}/edit/", {"name": "CH1", "is_active": "True", "installed_date": "soon"}, "installed_date"),
    ("/machines/{machine}/assign/", {"device": "nobody"}, "device"),
    ("/machines/{machine}/unassign/", {"what": "?"}, "what"),
    ("/outlets/add/", {"name": "x", "is_active": "?", "total_sva": "-1"}, "is_active"),
    ("/outlets/{outlet}/edit/", {"name": "x", "is_active": "True", "total_sva": "-1"}, "total_sva"),
    ("/device-tokens", {"nonce": "n", "device": "{device}", "lifetime_minutes": "0"}, "lifetime_minutes"),
    ("/device-tokens/revoke-key?device={device}", {"password": "wrong"}, "password"),
    ("/account", {"old_password": "wrong", "new_password1": "a"}, "old_password"),
    ("/account", {"old_password": PASSWORD, "new_password1": "a", "new_password2": "b"}, "new_password2"),
]
SIGNED_OUT: Final = [
    ("/login/", {"username": "olga"}, "password"),
    ("/login/", {}, "username"),
    ("/register/", {"username": "nora", "email": "nora", "password": "x"}, "email"),
    ("/register/", {"username": "nora", "password": "a long way", "password_again": "a long why"}, "password_again"),
]


def cursors(html: str) -> list[str]:
    return re.findall(r'<(?:input|select|textarea)[^>]* name="(\w+)"[^>]* autofocus', html)


def wrong(html: str) -> list[str]:
    """The fields that an error stands beside."""
    return re.findall(r'<ul class="errorlist" id="id_(\w+)_error">', html)


def check(client: Client, path: str, fields: dict[str, Any], field: str) -> None:
    reply = client.post(path, fields)
    assert reply.status_code in (200, 400, 409), reply.content
    html = reply.content.decode()
    assert (cursors(html), wrong(html)[:1]) == ([field], [field])


@pytest.mark.parametrize(("path", "fields", "field"), FORMS)
def test_of_who_is_signed_in(
    signed_in: SignIn, olga: User, unit: Device, path: str, fields: dict[str, Any], field: str
) -> None:
    Device.objects.create(device_id="OZ-002")
    set_key(device=unit, key="a key of sixteen and more", source=Credential.Source.CLAIM, now=NOON)
    refuse(unit)
    machine = Machine.objects.get()
    named = {
        "device": unit.pk, "machine": machine.pk, "outlet": machine.outlet_id,
        "refused": QuarantinedEvent.objects.get().pk,
    }  # fmt: skip
    sent = {name: _filled(value, unit) for name, value in fields.items()}
    check(signed_in(olga), path.format(**named), sent, field)


def _filled(value: Any, device: Device) -> Any:
    if isinstance(value, bytes):
        return SimpleUploadedFile("a.csv", value)
    return value.replace("{device}", str(device.pk))


@pytest.mark.parametrize(("path", "fields", "field"), SIGNED_OUT)
def test_of_anybody(client: Client, olga: User, path: str, fields: dict[str, Any], field: str) -> None:
    check(client, path, fields, field)


def test_a_form_that_is_only_shown(signed_in: SignIn, olga: User) -> None:
    assert cursors(signed_in(olga).get("/device-add/").content.decode()) == ["name"]
