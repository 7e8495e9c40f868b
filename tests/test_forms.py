"""Every form of every page acts once: sent twice it changes nothing more, and shows what came of it the first time."""

import re
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from django.apps import apps
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone

from alerts.channels.codes import code_of
from alerts.models import Channel, Delivery
from device_gateway.models import Device
from device_gateway.registry.services import archive_device
from pages.kit import once
from telemetry.machines.bindings import archive_machine, archive_outlet
from telemetry.models import Machine, Outlet, TelemetryEvent
from tests.support import scoping
from tests.support.estate import Estate, settle

PASSWORD: Final = "a long walk to the well"
TEMPLATES: Final = Path(__file__).resolve().parent.parent / "pages" / "templates"
TWICE_IS_AS_ONCE: Final = {"/login/", "/logout/"}
"""They change nothing but who is signed in."""
LEFT_OUT: Final = {"SentForm", "Session", "RegistryVersion"}
"""That a form was sent, who is signed in, and that open pages are to look again."""


class Act(NamedTuple):
    """What a form is sent with so that it acts, where to (its address in the table, unless told), and what has to be
    there before. `<names>` are an estate's things; what `spends` one has an estate for itself."""

    fields: dict[str, str]
    path: str = ""
    before: Callable[[Estate], Any] = lambda _: None
    by_stranger: bool = False
    spends: bool = False


def _device(estate: Estate) -> Device:
    return Device.objects.get(device_id=estate.named["device"])


def _free_machine(estate: Estate) -> None:
    estate.named["free"] = str(Machine.objects.create(name="Free").pk)


def _delete_machine(estate: Estate) -> None:
    archive_machine(machine=Machine.objects.get(pk=estate.named["machine"]))


def _delete_outlet(estate: Estate) -> None:
    archive_outlet(outlet=Outlet.objects.get(pk=estate.named["outlet"]))


def _suspect(estate: Estate) -> None:
    TelemetryEvent.objects.filter(device=_device(estate)).update(clock_suspect=True)


def _take_channels(estate: Estate) -> None:
    """Whoever sends the form has them: they are one person's."""
    person = User.objects.filter(is_staff=True).latest("pk")
    Channel.objects.update(person=person)
    Delivery.objects.update(person=person)
    estate.named["code"] = code_of(Channel.objects.get(pk=estate.named["unverified"]))


_SIGN_UP: Final = {"username": "new-<device>", "password": PASSWORD, "password_again": PASSWORD}
_NEW_PASSWORD: Final = {"old_password": PASSWORD, "new_password1": "sea of sand 9", "new_password2": "sea of sand 9"}
_COMMAND: Final = {"command_type": "RESET_COUNTERS", "priority": "normal", "expires_in_hours": "24"}
_BULK: Final = {"do": "command", "devices": "<device> <spare>", "sure": "yes"}
_CORRECTED: Final = '{"event_id": "new-<device>", "event": "treatment", "treatment": "BASIC", "counter": 9}'
ACTS: Final = {
    "/register/": Act(_SIGN_UP, by_stranger=True),
    "/account/": Act(_NEW_PASSWORD),
    "/gateway/device-tokens": Act({"device": "<device_pk>"}),
    "/device-tokens/": Act({"device": "<device_pk>"}),
    "/device-tokens/<token>/revoke/": Act({}),
    "/device-tokens/revoke-key/?device=<device>": Act({"password": PASSWORD}),
    "/device-add/": Act({"name": "Twin of <device>"}),
    "/device-upload/": Act({"content": b64encode(b"name\nTwin\n").decode(), "encoding": "utf-8"}),
    "/device-bulk/": Act({**_BULK, **_COMMAND}),
    "/command-bulks/<bulk>/cancel/": Act({}),
    "/devices/<device>/commands/send/": Act(_COMMAND),
    "/devices/<device>/commands/<failed>/retry/": Act({}),
    "/devices/<device>/commands/<pending>/cancel/": Act({}),
    "/devices/<device>/edit/": Act({"name": "Another"}),
    "/devices/<device>/rename/": Act({"device_id": "new-<device>"}, spends=True),
    "/devices/<device>/assign/": Act({"machine": "<free>"}, "/devices/<spare>/assign/", _free_machine, spends=True),
    "/devices/<device>/unassign/": Act({}, spends=True),
    "/devices/<device>/allow-handshake/": Act({"sure_of": "in use"}),
    "/devices/<device>/rotate/": Act({}),
    "/devices/<device>/redate/": Act({}, before=_suspect),
    "/devices/<device>/archive/": Act({}, spends=True),
    "/devices/<device>/restore/": Act(
        {}, before=lambda estate: archive_device(device=_device(estate), now=timezone.now()), spends=True
    ),
    "/devices/<device>/quarantine/<quarantined>/discard/": Act({}, spends=True),
    "/devices/<device>/quarantine/<quarantined>/accept/": Act({"body": _CORRECTED}, spends=True),
    "/machines/add/": Act({"name": "Twin", "is_active": "True"}),
    "/machines/<machine>/ledger/<line>/settle/": Act({"reason": "lost"}),
    "/machines/<machine>/edit/": Act({"name": "Another"}),
    "/install/": Act({"name": "Twin", "new_outlet": "There"}),
    "/machines/<machine>/install/boards/<spare>/": Act({"owner": "on"}, spends=True),
    "/machines/<machine>/install/undo/": Act({}, spends=True),
    "/machines/<machine>/assign/": Act({"device": ""}, spends=True),
    "/machines/<machine>/unassign/": Act({}, spends=True),
    "/machines/<machine>/delete/": Act({}, spends=True),
    "/machines/<machine>/restore/": Act({}, before=_delete_machine, spends=True),
    "/outlets/add/": Act({"name": "Twin", "is_active": "True"}),
    "/outlets/<outlet>/edit/": Act({"name": "Another"}),
    "/outlets/<outlet>/delete/": Act({}, spends=True),
    "/outlets/<outlet>/restore/": Act({}, before=_delete_outlet, spends=True),
    "/prices/set/": Act({"valid_from": "2026-01-01", "basic": "5.00"}),
    "/prices/share/": Act({"outlet": "<outlet>", "valid_from": "2026-01-01", "percent": "30"}),
    "/prices/<price>/delete/": Act({}, spends=True),
    "/prices/share/<share>/delete/": Act({}, spends=True),
    "/statements/close/<month>/": Act({}),
    "/statements/<statement>/close/": Act({}, spends=True),
    "/incidents/<incident>/acknowledge/": Act({"note": "Fuse ordered"}),
    "/incidents/<incident>/snooze/": Act({"hours": "4"}),
    "/incidents/maintenance/add/": Act({"weekly": "Su 02:00-04:00"}),
    "/incidents/maintenance/<window>/end/": Act({}),
    "/incidents/rules/set/": Act({"kind": "silent", "minutes": "90", "is_on": "yes"}),
    "/incidents/rules/<rule>/remove/": Act({}),
    "/channels/add/": Act({"kind": "webhook", "target": "https://example.com/hook"}),
    "/channels/<channel>/edit/": Act({"name": "Another"}, before=_take_channels),
    "/channels/<channel>/test/": Act({}, before=_take_channels),
    "/channels/<unverified>/code/": Act({}, before=_take_channels),
    "/channels/<unverified>/verify/": Act({"code": "<code>"}, before=_take_channels),
    "/deliveries/<delivery>/replay/": Act({}, before=_take_channels),
    "/channels/<channel>/delete/": Act({}, "/channels/<unverified>/delete/", before=_take_channels),
    "/channels/stop/<stop>/": Act({}),
}


def test_every_form_has_a_key() -> None:
    """Those that ask for something by GET change nothing."""
    found = 0
    for file in TEMPLATES.rglob("*.html"):
        for form in re.findall(r"<form[^>]*method=\"?post.*?</form>", file.read_text(), re.DOTALL | re.IGNORECASE):
            if '{% url "logout" %}' in form or file.name == "login.html":
                continue
            assert "{% form_key %}" in form, file
            found += 1
    assert found > 5


def test_every_page_that_takes_a_form_is_tried_below() -> None:
    """Or say in ACTS what the new one is sent with."""
    pages = {
        row.path for row in scoping.rows() if row.method == "POST" and not row.path.startswith(("/api/", "/admin/"))
    }
    forms = pages - {row.path for row in scoping.rows_of(scoping.SECTION_1.replace("{mount}", "gateway"))}
    assert forms - TWICE_IS_AS_ONCE == ACTS.keys()


def everything() -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    found = {}
    with connection.cursor() as cursor:
        for model in apps.get_models():
            if model.__name__ not in LEFT_OUT:
                cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
                found[model.__name__] = cursor.fetchall()
    return found


@pytest.mark.thorough
def test_sent_twice(write_path: None) -> None:
    """By a browser that has turned away from the first reply."""
    wrong = {}
    shared = settle("quokka", User.objects.create_user("quokka"))
    for number, (address, act) in enumerate(ACTS.items()):
        staff = User.objects.create_user(f"staff-{number}", password=PASSWORD, is_staff=True)
        estate = settle(f"numbat-{number}", None) if act.spends else shared
        if told := told_by_sending_twice(act, address, estate, staff):
            wrong[address] = told
    assert wrong == {}


def told_by_sending_twice(act: Act, address: str, estate: Estate, staff: User) -> str:
    """What is wrong; "" for nothing."""

    def fill(text: str) -> str:
        return re.sub(r"<(\w+)>", lambda found: estate.named[found[1]], text)

    act.before(estate)
    client, twin = Client(), Client()
    if not act.by_stranger:
        client.force_login(staff)
    twin.cookies.update(client.cookies)
    path, fields = fill(act.path or address), {name: fill(text) for name, text in act.fields.items()}
    fields[once.FIELD] = once.new_key()
    before = everything()
    first = client.post(path, fields)
    after = everything()
    if first.status_code not in (200, 302) or after == before:
        return f"it does not act: {first.status_code} {first.content.decode()}"
    second = twin.post(path, fields)
    if everything() != after:
        return "it acts twice"
    if said(second) != said(first):
        return f"it says {said(second)} in the place of {said(first)}"
    if not (get_user(client).is_authenticated and get_user(twin).is_authenticated):
        return "it signs out"
    return ""


def said(reply: Any) -> tuple[int, bytes, str | None, str]:
    """Status, page, where it leads and what is said there."""
    words = reply.cookies["messages"].value.partition(":")[0] if "messages" in reply.cookies else ""
    return reply.status_code, reply.content, reply.get("Location"), words
