"""The admin site: outlets and machines are added, edited and archived there without leaving a binding behind."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from telemetry.machines.bindings import archive_machine, archive_outlet, assign_device
from telemetry.models import DeviceStatus, Machine, MachineDevice, Outlet, Swap
from telemetry.tests.cast import Site, history, press

ADMIN = "/admin/telemetry"
NO_ROWS = {
    "bindings-TOTAL_FORMS": "0",
    "bindings-INITIAL_FORMS": "0",
    "bindings-MIN_NUM_FORMS": "0",
    "bindings-MAX_NUM_FORMS": "0",
}


@pytest.fixture
def root(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(reply: Any) -> str:
    assert reply.status_code == 200
    return str(reply.content.decode())


def save(root: Client, row: Machine | Outlet | None, model: str, **fields: Any) -> None:
    path = f"{ADMIN}/{model}/{row.pk}/change/" if row else f"{ADMIN}/{model}/add/"
    reply = root.post(path, {**NO_ROWS, **fields})
    assert reply.status_code == 302, reply.context["adminform"].form.errors


def archive(root: Client, row: Machine | Outlet, model: str, action: str = "archive") -> None:
    data = {"action": action, "_selected_action": [row.pk]}
    assert root.post(f"{ADMIN}/{model}/", data).status_code == 302


class TestOutlet:
    def test_add_and_edit(self, root: Client) -> None:
        save(root, None, "outlet", name="Simei", region="East", is_active="on")
        outlet = Outlet.objects.get()
        assert (outlet.name, outlet.region, outlet.is_active, outlet.total_sva) == ("Simei", "East", True, None)
        save(root, outlet, "outlet", name="Simei 2", region="East", total_sva=4)
        outlet.refresh_from_db()
        assert (outlet.name, outlet.region, outlet.is_active, outlet.total_sva) == ("Simei 2", "East", False, 4)

    def test_archive(self, root: Client, site: Site) -> None:
        archive(root, site.outlet, "outlet")
        assert [(row[2], row[5]) for row in history(machine=site.machine)] == [("Chai Chee", False), (None, True)]
        archive(root, site.outlet, "outlet")
        assert len(history(machine=site.machine)) == 2
        archive(root, site.outlet, "outlet", "restore")
        assert [row[2] for row in history(machine=site.machine)] == ["Chai Chee", None, "Chai Chee"]


class TestMachine:
    @pytest.mark.alike
    def test_add(self, root: Client, site: Site) -> None:
        save(root, None, "machine", name="CH1/028", outlet=site.outlet.pk, is_active="on", installed_date="2026-02-03")
        machine = Machine.objects.get(name="CH1/028")
        assert (machine.outlet, machine.device, str(machine.installed_date)) == (site.outlet, None, "2026-02-03")

    def test_another_outlet_makes_a_new_binding(self, root: Client, site: Site) -> None:
        save(root, site.machine, "machine", name="CH1/027/2024", outlet=site.other_outlet.pk, is_active="on")
        assert [(row[2], row[5]) for row in history(machine=site.machine)] == [("Chai Chee", False), ("Bedok", True)]
        site.machine.refresh_from_db()
        assert (site.machine.outlet, site.machine.device) == (site.other_outlet, site.device)

    def test_what_changes_no_outlet_makes_none(self, root: Client, site: Site) -> None:
        save(root, site.machine, "machine", name="New", outlet=site.outlet.pk)
        site.machine.refresh_from_db()
        assert (site.machine.name, site.machine.is_active, len(history(machine=site.machine))) == ("New", False, 1)

    @pytest.mark.alike
    def test_the_device_is_not_changed_here(self, root: Client, site: Site) -> None:
        fields: Any = {"name": "New", "outlet": site.outlet.pk, "device": site.other_device.pk}
        save(root, site.machine, "machine", **fields)
        site.machine.refresh_from_db()
        assert site.machine.device == site.device
        assert history(machine=site.machine) == [row for row in history() if row[1] == "esp32-001"]

    @pytest.mark.alike
    def test_an_archived_outlet_cannot_be_chosen(self, root: Client, site: Site) -> None:
        archive_outlet(outlet=site.other_outlet)
        reply = root.post(
            f"{ADMIN}/machine/{site.machine.pk}/change/", {**NO_ROWS, "name": "x", "outlet": site.other_outlet.pk}
        )
        assert list(reply.context["adminform"].form.errors) == ["outlet"]

    def test_archive(self, root: Client, site: Site) -> None:
        archive(root, site.machine, "machine")
        site.machine.refresh_from_db()
        assert site.machine.archived_at is not None
        assert [row[5] for row in history(machine=site.machine)] == [False]
        archive(root, site.machine, "machine", "restore")
        assert [row[5] for row in history(machine=site.machine)] == [False, True]
        archive(root, site.machine, "machine")
        assign_device(machine=site.other_machine, device=site.device, move=True)
        archive(root, site.machine, "machine", "restore")
        assert "is in the machine BD1/001/2025 now, and stays there." in page(root.get(f"{ADMIN}/machine/"))

    @pytest.mark.alike
    def test_an_archived_one_is_only_looked_at(self, root: Client, site: Site) -> None:
        archive_machine(machine=site.machine)
        path = f"{ADMIN}/machine/{site.machine.pk}/change/"
        assert "CH1/027/2024" in page(root.get(path))
        assert root.post(path, {**NO_ROWS, "name": "New"}).status_code == 403


@pytest.mark.alike
@pytest.mark.parametrize("model", ["outlet", "machine"])
def test_nothing_is_deleted(root: Client, site: Site, model: str) -> None:
    row = {"outlet": site.outlet, "machine": site.machine}[model]
    assert root.post(f"{ADMIN}/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    root.post(f"{ADMIN}/{model}/", {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert (Outlet.objects.count(), Machine.objects.count()) == (2, 2)


@pytest.mark.each_case
@pytest.mark.parametrize("model", ["machinedevice", "swap", "devicestatus", "telemetryevent"])
def test_the_rest_is_read_only(root: Client, site: Site, model: str) -> None:
    stored = press(site.device, timezone.now(), event_id="esp32-001-B001")
    row = {
        "machinedevice": MachineDevice.objects.earliest("id"),
        "swap": Swap.objects.get(machine=site.machine),
        "devicestatus": DeviceStatus.objects.get(device=site.device),
        "telemetryevent": stored,
    }[model]
    assert "Left" in page(root.get(f"{ADMIN}/{model}/"))
    assert "Left" in page(root.get(f"{ADMIN}/{model}/?q=esp32-001"))
    assert "Left" in page(root.get(f"{ADMIN}/{model}/{row.pk}/change/"))
    assert root.get(f"{ADMIN}/{model}/add/").status_code == 403
    assert root.post(f"{ADMIN}/{model}/{row.pk}/change/", {}).status_code == 403
    assert root.post(f"{ADMIN}/{model}/{row.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.each_case
@pytest.mark.parametrize("model", ["outlet", "machine", "machinedevice", "swap", "devicestatus", "telemetryevent"])
def test_any_number_of_rows_is_as_many_queries(
    root: Client, site: Site, model: str, django_assert_max_num_queries: Any
) -> None:
    root.get(f"{ADMIN}/{model}/")
    for _ in range(20):
        press(site.device, timezone.now())
        Outlet.objects.create(name="o")
        Machine.objects.create(name="m", outlet=site.outlet)
    with django_assert_max_num_queries(9):
        page(root.get(f"{ADMIN}/{model}/"))
