"""Two people have the same form open: each stores only what they have changed, and neither unseen over the other."""

from datetime import date
from typing import Any, NamedTuple

import pytest
from django.test import Client

from device_gateway.models import Device
from pages.kit import actions
from pages.tests.forms import filled_in, form_of
from pages.tests.onlooker import text
from telemetry.machines.bindings import archive_outlet, assign_device
from telemetry.models import Machine, Outlet
from telemetry.tests.cast import Site


class Form(NamedTuple):
    """A form; one of its fields, what somebody else stores there meanwhile, and what its person writes; another field
    that its person alone changes."""

    path: str
    rows: Any
    field: str
    theirs: Any
    words: str
    mine: str
    other: str
    value: str
    stored: Any


@pytest.fixture(params=["machine", "outlet", "device", "assign"])
def edit(request: pytest.FixtureRequest, site: Site) -> Form:
    machine, outlet, device = site.machine.pk, site.outlet.pk, site.device
    Device.objects.filter(pk=device.pk).update(notes="Line 1\nLine 2")
    bedok = site.other_outlet
    spare = Device.objects.create(device_id="esp32-009", mac="EC:E3:34:46:2B:C0", name="Spare")
    return {
        "machine": Form(
            f"/machines/{machine}/edit/", Machine.objects.filter(pk=machine), "outlet", bedok, "“Bedok”", "",
            "installed_date", "2026-01-15", date(2026, 1, 15),
        ),
        "outlet": Form(
            f"/outlets/{outlet}/edit/", Outlet.objects.filter(pk=outlet), "average_intage_services", 2.5, "“2.5”", "7",
            "name", "Chai Chee 2", "Chai Chee 2",
        ),
        "device": Form(
            f"/devices/{device.device_id}/edit/", Device.objects.filter(pk=device.pk), "location",
            "Bay 7", "“Bay 7”", "", "name", "Ours", "Ours",
        ),
        "assign": Form(
            f"/machines/{machine}/assign/", Machine.objects.filter(pk=machine), "outlet", bedok, "“Bedok”", "",
            "device", "esp32-009", spare,
        ),
    }[request.param]  # fmt: skip


def now(edit: Form, name: str) -> Any:
    return getattr(edit.rows.get(), name)


def store(edit: Form) -> None:
    """What the other person does, at this moment."""
    row = edit.rows.get()
    setattr(row, edit.field, edit.theirs)
    row.save()


def yes(client: Client, edit: Form, reply: Any) -> Any:
    """Answers the question that the form may have come back with."""
    return client.post(edit.path, form_of(reply)) if b'name="move" value="True"' in reply.content else reply


@pytest.mark.each_case
def test_what_one_did_not_touch_stays_as_others_have_made_it(staff: Client, edit: Form) -> None:
    mine = filled_in(staff, edit.path, **{edit.other: edit.value})
    store(edit)
    assert yes(staff, edit, staff.post(edit.path, mine)).status_code == 302
    assert (now(edit, edit.other), now(edit, edit.field)) == (edit.stored, edit.theirs)


@pytest.mark.each_case
def test_the_same_field_is_named_and_ones_words_are_kept(staff: Client, edit: Form) -> None:
    mine = filled_in(staff, edit.path, **{edit.field: edit.mine, edit.other: edit.value})
    store(edit)
    reply = yes(staff, edit, staff.post(edit.path, mine))
    assert reply.status_code == 409
    words = f"Changed meanwhile: {edit.words} is stored now. Send the form again to put yours in its place."
    assert words in text(reply.content.decode())
    assert (now(edit, edit.field), now(edit, edit.other) == edit.stored) == (edit.theirs, False)
    again = form_of(reply)
    assert (again[edit.field], again[edit.other]) == (edit.mine, edit.value)
    # Having read that, one means it.
    assert yes(staff, edit, staff.post(edit.path, again)).status_code == 302
    assert (now(edit, edit.field) == edit.theirs, now(edit, edit.other)) == (False, edit.stored)


@pytest.mark.each_case
def test_between_the_look_and_the_write_nobody_comes(
    staff: Client, edit: Form, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The form is read when nothing has changed yet, and stored when it has."""
    mine = filled_in(staff, edit.path, **{edit.field: edit.mine})
    save = actions.Edit.save

    def late(form: Any, read: Any, write: Any) -> str:
        store(edit)
        return save(form, read, write)

    monkeypatch.setattr(actions.Edit, "save", late)
    assert yes(staff, edit, staff.post(edit.path, mine)).status_code == 409
    assert now(edit, edit.field) == edit.theirs


def test_lines_are_the_same_however_a_browser_ends_them(staff: Client, site: Site) -> None:
    Device.objects.filter(pk=site.device.pk).update(notes="Line 1\nLine 2")
    path = f"/devices/{site.device.device_id}/edit/"
    sent = filled_in(staff, path, name="Ours")
    assert sent["notes"] == "Line 1\r\nLine 2"
    staff.post(path, sent)
    site.device.refresh_from_db()
    assert (site.device.name, site.device.notes) == ("Ours", "Line 1\nLine 2")


def test_an_outlet_that_is_gone_is_in_nobodys_way(staff: Client, site: Site) -> None:
    path = f"/machines/{site.machine.pk}/edit/"
    sent = filled_in(staff, path, name="Ours")
    archive_outlet(outlet=site.outlet)
    assert staff.post(path, sent).status_code == 302
    site.machine.refresh_from_db()
    assert (site.machine.name, site.machine.outlet) == ("Ours", None)


@pytest.mark.alike
def test_a_stale_name(staff: Client, site: Site) -> None:
    path = f"/devices/{site.device.device_id}/rename/"
    sent = filled_in(staff, path, device_id="OZ-1")
    staff.post(path, {"device_id": "OZ-2"})
    reply = staff.post(path, sent)
    assert reply.status_code == 409
    assert "“OZ-2” is stored now." in text(reply.content.decode())


# --- scripts, and pages that somebody has put together by hand ---


@pytest.mark.alike
def test_a_whole_form_that_does_not_tell_what_it_showed(staff: Client, site: Site) -> None:
    """It may be old: it writes over nothing."""
    stored = {"outlet": site.outlet.pk, "device": "esp32-001"}
    for path, fields in (
        (f"/machines/{site.machine.pk}/edit/", {"name": "Ours", "outlet": site.other_outlet.pk, "is_active": "True"}),
        (f"/machines/{site.machine.pk}/assign/", {**stored, "outlet": site.other_outlet.pk, "device": ""}),
    ):
        reply = staff.post(path, fields)
        assert reply.status_code == 409
        assert "“Chai Chee” is stored now" in text(reply.content.decode())
    site.machine.refresh_from_db()
    assert (site.machine.outlet, site.machine.device) == (site.outlet, site.device)


def test_one_field_alone_is_meant(staff: Client, site: Site) -> None:
    assert staff.post(f"/machines/{site.machine.pk}/edit/", {"name": "Ours"}).status_code == 302
    site.machine.refresh_from_db()
    assert (site.machine.name, site.machine.outlet) == ("Ours", site.outlet)


@pytest.mark.alike
def test_nothing_changed_says_so(staff: Client, site: Site) -> None:
    path = f"/outlets/{site.outlet.pk}/edit/"
    reply = staff.post(path, filled_in(staff, path), follow=True)
    assert "Nothing was changed." in text(reply.content.decode())


# --- questions ---


@pytest.mark.parametrize("path", ["/machines/{machine}/unassign/", "/devices/{device}/unassign/"])
def test_what_one_is_asked_about_is_still_so(staff: Client, site: Site, path: str) -> None:
    path = path.format(machine=site.machine.pk, device=site.device.device_id)
    sent = filled_in(staff, path)
    # Another device in this machine, or this device in another machine.
    if path.startswith("/machines"):
        assign_device(machine=site.machine, device=Device.objects.create(device_id="esp32-009"), move=True)
    else:
        assign_device(machine=site.other_machine, device=site.device, move=True)
    bound = set(Machine.objects.exclude(device=None).values_list("pk", "device"))
    reply = staff.post(path, sent)
    assert "This was changed meanwhile." in text(reply.content.decode())
    assert set(Machine.objects.exclude(device=None).values_list("pk", "device")) == bound
    assert staff.post(path, form_of(reply)).status_code == 302
    assert len(Machine.objects.exclude(device=None)) == len(bound) - 1
