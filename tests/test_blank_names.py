"""A name in which nothing can be seen is refused wherever one is taken: by API, forms, files and the admin site."""

import json
import sys
from typing import Any, Final
from unicodedata import category

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from device_gateway.models import Device
from ozone.wire.words import UNSEEN, is_blank
from telemetry.machines.bindings import add_machine
from telemetry.models import Machine, Outlet
from tests.support.length import length

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only, pytest.mark.thorough]

BLANKS: Final = {
    "space": "   ",
    "tab": "\t\n",
    "no-break": "\u00a0",
    "ideographic": "\u3000",
    "hair": "\u200a\u2009",
    "line": "\u2028",
    "zero-width": "\u200b",
    "joiners": "\u200d\u200c\u2060\ufeff",
    "soft hyphen": "\u00ad",
    "right to left": "\u202e\u2066",
    "variation": "\ufe0f\U000e0100",
    "grapheme joiner": "\u034f",
    "tags": "\U000e0020",
    "hangul": "\u3164",
    "half-width hangul": "\uffa0\u1160\u115f",
    "braille": "\u2800",
    "mongolian": "\u180e\u180b",
    "musical": "\U0001d159",
}
BY_DAY: Final = ("space", "ideographic", "zero-width", "variation", "braille")
"""One that Python strips, one that is a blank of Unicode's, and three that are none. Each place is asked with these;
with all of them by night."""
SEEN: Final = ("0", "-", "é", "e\u0301", "Ж", "अ", "ㅏ", "名", "\U0001f1eb\U0001f1ee", "☕\ufe0f", "\u200bx", "٣", "⠁")
API: Final = {
    "/api/devices/": {"device_id": "OZ-2"},
    "/api/outlets/": {},
    "/api/machines/": {},
    "/api/machines/register/": {"device_id": "OZ-1", "outlet_id": "{outlet}"},
    "/api/devices/OZ-1/": None,
    "/api/outlets/{outlet}/": None,
    "/api/machines/{machine}/": None,
}
"""Bodies for POST; None: by PATCH."""
FORMS: Final = {
    "/device-add/": {"mac": "EC:E3:34:46:2B:C0"},
    "/devices/OZ-1/edit": {"assigned": "yes", "initial-name": "Bay", "notes": "more"},
    "/machines/add/": {"is_active": "True"},
    "/machines/{machine}/edit/": {"is_active": "True"},
    "/outlets/add/": {"is_active": "True"},
    "/outlets/{outlet}/edit/": {"is_active": "True"},
    "/admin/device_gateway/device/add/": {},
    "/admin/device_gateway/device/{device}/change/": {"device_id": "OZ-1"},
    "/admin/telemetry/outlet/add/": {},
    "/admin/telemetry/outlet/{outlet}/change/": {},
    "/admin/telemetry/machine/add/": {},
}
REGISTRATION: Final = {"username": "nora", "password": "a short ride to the mill", "first_name": "N", "last_name": "L"}


@pytest.fixture
def named() -> dict[str, int]:
    """One of each, by what a path calls it."""
    device = Device.objects.create(name="Bay", device_id="OZ-1")
    outlet = Outlet.objects.create(name="Simei")
    machine = add_machine(fields={"name": "CH1", "outlet": outlet})
    return {"device": device.pk, "outlet": outlet.pk, "machine": machine.pk}


@pytest.fixture
def root() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def names() -> list[str]:
    found = [model._default_manager.values_list("name", flat=True) for model in (Device, Outlet, Machine)]
    return [name for some in found for name in some]


def test_every_kind_of_blank() -> None:
    assert all(map(is_blank, BLANKS.values()))
    assert not any(map(is_blank, SEEN))
    every = map(chr, range(sys.maxunicode + 1))
    assert all(is_blank(one) for one in every if one.isspace() or category(one)[0] == "Z" or category(one) == "Cf")


@pytest.mark.parametrize("blank", length(BY_DAY, tuple(BLANKS)))
def test_by_the_api(root: Client, named: dict[str, int], blank: str) -> None:
    before = names()
    for path, body in API.items():
        text = json.dumps({**(body or {}), "name": BLANKS[blank]}).replace('"{outlet}"', str(named["outlet"]))
        method = "PATCH" if body is None else "POST"
        reply = root.generic(method, path.format(**named), text, "application/json")
        assert (reply.status_code, reply.json()["errors"]) == (400, {"name": [UNSEEN]}), path
    assert names() == before


@pytest.mark.parametrize("blank", length(BY_DAY, tuple(BLANKS)))
def test_on_forms(root: Client, named: dict[str, int], blank: str) -> None:
    before = names()
    for path, fields in FORMS.items():
        reply = root.post(path.format(**named), {**fields, "name": BLANKS[blank]})
        assert (reply.status_code, UNSEEN in reply.content.decode()) == (200, True), path
    assert names() == before


@pytest.mark.parametrize("blank", length(BY_DAY, tuple(BLANKS)))
def test_of_people(blank: str) -> None:
    for field in ("username", "first_name", "last_name"):
        body: dict[str, Any] = {**REGISTRATION, field: BLANKS[blank]}
        reply = Client().post("/api/auth/register/", json.dumps(body), "application/json")
        assert (reply.status_code, reply.json()["errors"]) == (400, {field: [UNSEEN]})
    form = {"username": BLANKS[blank], "password": "x y z 1 2 3", "password_again": "x y z 1 2 3"}
    assert UNSEEN in Client().post("/register/", form).content.decode()
    assert not User.objects.exists()


def test_in_a_file(root: Client) -> None:
    """A cell of blanks is an empty one; what no spreadsheet trims is refused."""
    lines = [f"{name};OZ-{number}" for number, name in enumerate(BLANKS.values()) if not name.isspace()]
    text = "\n".join(["name;device_id", *lines]).encode()
    reply = root.post("/device-upload", {"file": SimpleUploadedFile("devices.csv", text)})
    assert reply.content.decode().count(f"name: {UNSEEN}") == len(lines) > 10


def test_what_can_be_seen_is_taken(root: Client, named: dict[str, int]) -> None:
    for name in SEEN:
        assert root.post("/outlets/add/", {"is_active": "True", "name": name}).status_code == 302
    assert set(SEEN) <= set(Outlet.objects.values_list("name", flat=True))
    for path in ("/api/devices/OZ-1/", f"/api/machines/{named['machine']}/"):
        assert root.patch(path, json.dumps({"name": " é "}), "application/json").json()["name"] == "é"
    assert root.patch("/api/devices/OZ-1/", '{"name": ""}', "application/json").json()["name"] == ""
