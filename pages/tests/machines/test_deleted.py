"""Deleted machines and outlets on the pages: on pages of their own, in the statistics, and back."""

from typing import Any

import pytest
from django.test import Client

from pages.tests.onlooker import figures, table, text
from telemetry.machines.bindings import (
    add_machine,
    archive_machine,
    archive_outlet,
    assign_device,
    restore_machine,
)
from telemetry.models import Machine, Outlet
from telemetry.tests.cast import HOUR, NOON, Site, press

KINDS = ("machine", "outlet")


def own_page(site: Site, kind: str) -> str:
    return f"/machines/{site.machine.pk}/logs/" if kind == "machine" else f"/outlets/{site.outlet.pk}/"


def said(reply: Any, status: int = 200) -> str:
    assert reply.status_code == status, reply.content
    return text(reply.content.decode().partition("<main")[2])


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(site: Site, staff: Client, kind: str) -> None:
    thing = getattr(site, kind)
    path, deleted = f"/{kind}s/{thing.pk}", f"/{kind}s/deleted/"
    assert f"No {kind} is deleted." in said(staff.get(deleted))
    assert f'href="{path}/delete"' not in staff.get(f"/{kind}s/").content.decode(), "a row deletes nothing"
    assert f'href="{path}/delete"' in staff.get(own_page(site, kind)).content.decode()
    press(site.device, NOON - HOUR)

    assert "You can restore it." in said(staff.get(f"{path}/delete"))
    reply = staff.post(f"{path}/delete")
    assert f'<a href="{path}/restore" data-dialog>Undo</a>' in staff.get(reply["Location"]).content.decode()
    assert table(staff.get(deleted), "deleted") == [[thing.name, "2026-03-01 12:00", "Restore"]]
    assert f'href="/{kind}s/deleted"' in staff.get(f"/{kind}s/").content.decode()

    page = staff.get(own_page(site, kind))
    html = page.content.decode()
    assert "deleted 2026-03-01 12:00 . It is in no list; what was counted stays." in said(page)
    assert figures(page)[-1][2:3] == ["1"] if kind == "outlet" else figures(page)[-1][1:2] == ["1"]
    assert f'href="{path}/restore"' in html
    assert not any(f'href="{path}/{act}"' in html for act in ("edit", "delete", "assign", "unassign"))

    assert f"Restore {thing.name}" in said(staff.get(f"{path}/restore"))
    reply = staff.post(f"{path}/restore")
    assert f"{thing.name} is back, " in said(staff.get(reply["Location"]))
    assert table(staff.get(deleted), "deleted") == []
    thing.refresh_from_db()
    site.machine.refresh_from_db()
    assert (thing.archived_at, site.machine.device, site.machine.outlet) == (None, site.device, site.outlet)


def test_what_comes_back_is_said_before_and_after(site: Site, staff: Client) -> None:
    path = f"/machines/{site.machine.pk}/restore"
    archive_machine(machine=site.machine)
    assert "in the lists again, at Chai Chee, with esp32-001, from now on." in said(staff.get(path))
    add_machine(fields={"name": site.machine.name})
    assert "Another machine has this name now. Both keep it." in said(staff.get(path))
    assign_device(machine=site.other_machine, device=site.device, move=True)
    archive_outlet(outlet=site.outlet)
    lacking = (
        "Its outlet, Chai Chee, is deleted: once that is restored, the machine stands there again. esp32-001, which it"
        " had, is in the machine BD1/001/2025 now, and stays there."
    )
    assert f"at no outlet, with no device, from now on. {lacking}" in said(staff.get(path))
    reply = staff.post(path)
    assert f"CH1/027/2024 is back, at no outlet, with no device. {lacking}" in said(staff.get(reply["Location"]))
    assert Machine.objects.filter(name=site.machine.name, archived_at=None).count() == 2


def test_an_outlet_tells_how_many_machines_come(site: Site, staff: Client) -> None:
    path = f"/outlets/{site.outlet.pk}/restore"
    add_machine(fields={"name": "Spare", "outlet": site.outlet})
    archive_outlet(outlet=site.outlet)
    assert "from now on with 2 machines: those that stood there" in said(staff.get(path))
    archive_machine(machine=Machine.objects.get(name="Spare"))
    assert "from now on with 1 machine: " in said(staff.get(path))
    assert "Chai Chee is back, with 1 machine." in said(staff.get(staff.post(path)["Location"]))
    restore_machine(machine=Machine.objects.get(name="Spare"))
    assert Machine.objects.get(name="Spare").outlet == site.outlet


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_deleted(site: Site, staff: Client, kind: str) -> None:
    path = f"/{kind}s/{getattr(site, kind).pk}/restore"
    assert "It is not deleted." in said(staff.get(path))
    assert staff.post(path).status_code == 302
    assert Machine.objects.get(pk=site.machine.pk).device == site.device


@pytest.mark.parametrize("kind", KINDS)
def test_they_stay_a_choice_of_the_statistics(site: Site, staff: Client, owner: Client, kind: str) -> None:
    press(site.device, NOON - HOUR)
    thing = getattr(site, kind)
    (archive_machine if kind == "machine" else archive_outlet)(**{kind: thing})
    for client in (staff, owner):
        html = client.get("/stats/").content.decode()
        assert f'<option value="{thing.pk}">{thing.name} (deleted)</option>' in html
        chosen = client.get(f"/stats/?{kind}_id={thing.pk}")
        assert f'<option value="{thing.pk}" selected>{thing.name} (deleted)</option>' in chosen.content.decode()
        assert "Treatments 1 " in said(chosen)


@pytest.mark.parametrize("kind", KINDS)
def test_who(site: Site, staff: Client, owner: Client, client: Client, kind: str) -> None:
    thing = getattr(site, kind)
    (archive_machine if kind == "machine" else archive_outlet)(**{kind: thing})
    for address in (f"/{kind}s/{thing.pk}/restore", f"/{kind}s/deleted"):
        assert owner.get(address).status_code == 403
        assert client.get(address)["Location"] == f"/login/?next={address}"
    assert owner.post(f"/{kind}s/{thing.pk}/restore").status_code == 403
    assert owner.get(own_page(site, kind)).status_code == 404
    assert staff.get(f"/{kind}s/999999999999999999/restore").status_code == 404
    for action in ("edit", "delete"):
        assert staff.post(f"/{kind}s/{thing.pk}/{action}").status_code == 404
    assert (Machine if kind == "machine" else Outlet).objects.get(pk=thing.pk).archived_at == NOON
    assert table(staff.get(f"/{kind}s/deleted/?q=nothing"), "deleted") == []
