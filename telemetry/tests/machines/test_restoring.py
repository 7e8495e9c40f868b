"""Outlets and machines that come back: with what they had, from now on, unless another has got it meanwhile."""

from importlib import import_module
from typing import Any

import pytest
import time_machine
from django.apps import apps

from device_gateway.models import Device
from device_gateway.registry.services import archive_device, change_device
from device_gateway.tests.conftest import at_once, refusal
from telemetry.machines.bindings import (
    add_machine,
    archive_machine,
    archive_outlet,
    assign_device,
    change_machine,
    restore_machine,
    restore_outlet,
    unassign_device,
)
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.tests.cast import DAY, HOUR, NOON, Site, history, press

LEFT, RIGHT = "CH1/027/2024", "BD1/001/2025"


@pytest.fixture
def noon(site: Site) -> Any:
    """The machines have had their devices since the day before."""
    MachineDevice.objects.update(assigned_date=NOON - DAY)
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def places() -> dict[str, str | None]:
    """Every machine's outlet, deleted machines too."""
    return dict(Machine.objects.values_list("name", "outlet__name"))


@pytest.mark.alike
class TestMachine:
    def test_it_comes_back_from_now_on(self, site: Site, noon: Any) -> None:
        archive_machine(machine=site.machine)
        noon.move_to(NOON + DAY)
        answer = site.olga.post(f"/api/machines/{site.machine.pk}/restore/")
        assert (answer.status, answer.json()) == (200, site.olga.read(f"/api/machines/{site.machine.pk}/"))
        assert (answer.json()["device_id"], answer.json()["outlet_name"]) == ("esp32-001", "Chai Chee")
        assert answer.headers["etag"]
        assert history(machine=site.machine) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, "esp32-001", "Chai Chee", NOON + DAY, None, True),
        ]
        noon.move_to(NOON + 2 * DAY)
        assert [press(site.device, NOON + hours * HOUR).machine for hours in (-1, 1, 25)] == [
            site.machine,
            None,
            site.machine,
        ]

    @pytest.mark.parametrize(
        ("meanwhile", "sentence"),
        [
            (
                lambda site: assign_device(machine=site.other_machine, device=site.device, move=True),
                f"esp32-001, which it had, is in the machine {RIGHT} now, and stays there.",
            ),
            (
                lambda site: archive_device(device=site.device, now=NOON),
                "esp32-001, which it had, is archived: restore it, then assign it.",
            ),
        ],
    )
    def test_a_device_that_is_gone_by_then(self, site: Site, noon: Any, meanwhile: Any, sentence: str) -> None:
        archive_machine(machine=site.machine)
        meanwhile(site)
        before = history()
        answer = site.olga.post(f"/api/machines/{site.machine.pk}/restore/")
        assert (answer.status, answer.json()["warnings"]) == (200, {"device_id": sentence})
        assert (answer.json()["device_id"], answer.json()["outlet_name"]) == (None, "Chai Chee")
        assert history() == before

    def test_a_device_that_another_had_for_a_while(self, site: Site, noon: Any) -> None:
        archive_machine(machine=site.machine)
        assign_device(machine=site.other_machine, device=site.device, move=True)
        unassign_device(machine=site.other_machine)
        assert restore_machine(machine=site.machine)[0].device == site.device

    def test_what_may_not_send_does_not_by_that(self, site: Site, noon: Any) -> None:
        archive_machine(machine=site.machine)
        change_device(device=site.device, fields={"assigned": False})
        assert restore_machine(machine=site.machine)[0].device == site.device
        assert Device.objects.get(pk=site.device.pk).assigned is False

    def test_without_a_device_it_comes_without(self, site: Site, noon: Any) -> None:
        unassign_device(machine=site.machine)
        noon.shift(60)
        archive_machine(machine=site.machine)
        before = history()
        machine, lacking = restore_machine(machine=site.machine)
        assert (machine.device, machine.outlet, lacking, history()) == (None, site.outlet, {}, before)

    @pytest.mark.parametrize("order", [(archive_machine, archive_outlet), (archive_outlet, archive_machine)])
    def test_its_outlet_is_deleted_too(self, site: Site, noon: Any, order: Any) -> None:
        things: dict[Any, Any] = {archive_machine: {"machine": site.machine}, archive_outlet: {"outlet": site.outlet}}
        for act in order:
            act(**things[act])
        answer = site.olga.post(f"/api/machines/{site.machine.pk}/restore/").json()
        assert (answer["outlet"], answer["device_id"]) == (None, "esp32-001")
        assert list(answer["warnings"]) == ["outlet"]
        assert "Its outlet, Chai Chee, is deleted" in answer["warnings"]["outlet"]
        assert restore_outlet(outlet=site.outlet) == [site.machine]
        assert history(machine=site.machine)[-1][:3] == (LEFT, "esp32-001", "Chai Chee")


class TestOutlet:
    def test_it_takes_back_what_stands_nowhere_else(self, site: Site, noon: Any) -> None:
        names = ("stays", "moved", "moved and taken away", "deleted", "no device")
        machines = {name: add_machine(fields={"name": name, "outlet": site.outlet}) for name in names}
        assign_device(machine=machines["stays"], device=Device.objects.create(device_id="esp32-003"))
        archive_outlet(outlet=site.outlet)
        for name in ("moved", "moved and taken away"):
            change_machine(machine=machines[name], fields={"outlet": site.other_outlet})
        change_machine(machine=machines["moved and taken away"], fields={"outlet": None})
        archive_machine(machine=machines["deleted"])
        noon.move_to(NOON + DAY)
        answer = site.olga.post(f"/api/outlets/{site.outlet.pk}/restore/")
        assert (answer.status, answer.json()) == (200, site.olga.read(f"/api/outlets/{site.outlet.pk}/"))
        assert (answer.json()["machine_count"], bool(answer.headers["etag"])) == (3, True)
        assert places() == {
            LEFT: "Chai Chee",
            RIGHT: "Bedok",
            "stays": "Chai Chee",
            "moved": "Bedok",
            "moved and taken away": None,
            "deleted": "Chai Chee",
            "no device": "Chai Chee",
        }
        assert history(machine=site.machine) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, "esp32-001", None, NOON, NOON + DAY, False),
            (LEFT, "esp32-001", "Chai Chee", NOON + DAY, None, True),
        ]

    def test_the_last_outlet_is_the_one_that_takes_back(self, site: Site, noon: Any) -> None:
        archive_outlet(outlet=site.outlet)
        change_machine(machine=site.machine, fields={"outlet": site.other_outlet})
        archive_outlet(outlet=site.other_outlet)
        assert restore_outlet(outlet=site.outlet) == []
        assert {machine.name for machine in restore_outlet(outlet=site.other_outlet)} == {LEFT, RIGHT}

    def test_those_that_were_deleted_before_this_was_remembered(self, site: Site, noon: Any) -> None:
        """What the migration makes of them."""
        archive_machine(machine=site.other_machine)
        archive_outlet(outlet=site.outlet)
        archive_outlet(outlet=site.other_outlet)
        Machine.objects.update(former_outlet=None)
        Machine.objects.filter(name=RIGHT).update(outlet=site.other_outlet)  # as it was left then
        import_module("telemetry.migrations.0012_outlets_of_before").remember(apps, None)
        assert restore_outlet(outlet=site.outlet) == [site.machine]
        assert list(restore_machine(machine=site.other_machine)[1]) == ["outlet"]
        restore_outlet(outlet=site.other_outlet)
        assert places() == {LEFT: "Chai Chee", RIGHT: "Bedok"}


KINDS = ("outlet", "machine")
ARCHIVE: dict[str, Any] = {"outlet": archive_outlet, "machine": archive_machine}


@pytest.mark.parametrize("kind", KINDS)
class TestBoth:
    def test_lists_have_them_when_they_are_asked_for(self, site: Site, kind: str) -> None:
        path = f"/api/{kind}s/"
        live = site.olga.read(path)
        assert site.olga.read(f"{path}?archived=true") == []
        ARCHIVE[kind](**{kind: getattr(site, kind)})
        assert site.olga.read(path) == site.olga.read(f"{path}?archived=false") == [live[1]]
        assert [row["id"] for row in site.olga.read(f"{path}?archived=true")] == [live[0]["id"]]
        assert site.olga.read(f"{path}?archived=true&is_active=false") == []
        assert site.vera.read(f"{path}?archived=true") == []
        wrong = site.olga.get(f"{path}?archived=perhaps")
        assert (refusal(wrong), list(wrong.json()["errors"])) == ((400, "invalid"), ["archived"])

    @pytest.mark.alike
    def test_what_is_not_archived_stays_as_it_is(self, site: Site, kind: str) -> None:
        before = (history(), site.olga.read(f"/api/{kind}s/"))
        answer = site.olga.post(f"/api/{kind}s/{getattr(site, kind).pk}/restore/")
        assert (answer.status, "warnings" in answer.json()) == (200, False)
        assert (history(), site.olga.read(f"/api/{kind}s/")) == before

    @pytest.mark.alike
    def test_there_and_back_as_often_as_one_likes(self, site: Site, kind: str) -> None:
        path = f"/api/{kind}s/{getattr(site, kind).pk}"
        before = site.olga.read(path)
        for _ in range(3):
            assert site.olga.delete(path).status == 204
            assert site.olga.get(path).status == 404
            assert site.olga.post(f"{path}/restore").status == 200
            assert site.olga.read(path) == before
        assert [row[5] for row in history(machine=site.machine)].count(True) == 1
        assert site.machine.pk in [
            machine["id"] for machine in site.olga.read(f"/api/machines/?outlet_id={site.outlet.pk}")
        ]

    @pytest.mark.alike
    def test_who_and_what(self, site: Site, kind: str) -> None:
        ARCHIVE[kind](**{kind: getattr(site, kind)})
        path = f"/api/{kind}s/{getattr(site, kind).pk}/restore/"
        assert [person.post(path).status for person in (site.vera, site.mallory, site.nobody)] == [403, 403, 401]
        assert refusal(site.olga.get(path)) == (405, "method_not_allowed")
        for number in ("0", "999999999999999999", "9" * 30, "x"):
            assert site.olga.post(f"/api/{kind}s/{number}/restore/").status == 404
        assert site.olga.read(f"/api/{kind}s/?archived=1")


@pytest.mark.django_db(transaction=True)
def test_two_restores_at_once_are_one(site: Site) -> None:
    archive_outlet(outlet=site.outlet)
    archive_machine(machine=site.machine)
    statuses = at_once(
        4,
        lambda n: (
            site.olga.post(
                f"/api/machines/{site.machine.pk}/restore/" if n % 2 else f"/api/outlets/{site.outlet.pk}/restore/"
            ).status
        ),
    )
    assert statuses == [200] * 4
    assert [row[2] for row in history(machine=site.machine) if row[5]] == ["Chai Chee"]
    assert Outlet.objects.get(pk=site.outlet.pk).archived_at is None
