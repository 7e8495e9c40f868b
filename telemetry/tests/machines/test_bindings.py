"""Bindings: who held which device when, whose an event is, and that two changes at once leave no contradiction."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone

from device_gateway.models import Device
from device_gateway.registry.services import archive_device, change_device
from device_gateway.tests.conftest import at_once, token_of
from ozone.wire.errors import ApiError, Conflict, NotFound
from telemetry.machines.bindings import (
    add_machine,
    archive_machine,
    archive_outlet,
    assign_device,
    change_machine,
    register_machine,
    unassign_device,
)
from telemetry.models import Machine, MachineDevice, Outlet, TelemetryEvent
from telemetry.tests.cast import DAY, NOON, SECOND, Site, bearer, history, press
from telemetry.tests.conftest import Esp32
from tests.support.doors import DjangoDoor

LEFT, RIGHT = "CH1/027/2024", "BD1/001/2025"


@pytest.fixture
def noon(site: Site) -> Any:
    """The machines have had their devices since the day before."""
    MachineDevice.objects.update(assigned_date=NOON - DAY)
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


class TestHistory:
    def test_a_device_moves_to_another_machine(self, site: Site, noon: Any) -> None:
        assign_device(machine=site.other_machine, device=site.device, move=True)
        assert history() == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (RIGHT, "esp32-002", "Bedok", NOON - DAY, NOON, False),
            (RIGHT, "esp32-001", "Bedok", NOON, None, True),
        ]
        assert {machine.name: machine.device_id for machine in Machine.objects.all()} == {
            LEFT: None,
            RIGHT: site.device.pk,
        }

    def test_a_machine_moves_to_another_outlet(self, site: Site, noon: Any) -> None:
        change_machine(machine=site.machine, fields={"outlet": site.other_outlet})
        noon.move_to(NOON + DAY)
        change_machine(machine=site.machine, fields={"outlet": None})
        assert history(machine=site.machine) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, "esp32-001", "Bedok", NOON, NOON + DAY, False),
            (LEFT, "esp32-001", None, NOON + DAY, None, True),
        ]
        site.machine.refresh_from_db()
        assert (site.machine.outlet, site.machine.device) == (None, site.device)

    def test_what_changes_neither_makes_no_new_binding(self, site: Site, noon: Any) -> None:
        before = history()
        change_machine(machine=site.machine, fields={"outlet": site.outlet, "name": LEFT, "is_active": False})
        change_machine(machine=site.machine, fields={})
        assign_device(machine=site.machine, device=site.device)
        change_device(device=site.device, fields={"name": "New"})
        assert history() == before

    def test_a_machine_without_a_device_moves(self, site: Site) -> None:
        machine = add_machine(fields={"name": "Spare", "outlet": site.outlet})
        change_machine(machine=machine, fields={"outlet": site.other_outlet})
        assert history(machine=machine) == []
        assert Machine.objects.get(name="Spare").outlet == site.other_outlet

    def test_taken_and_given_back(self, site: Site, noon: Any) -> None:
        unassign_device(machine=site.machine)
        noon.move_to(NOON + DAY)
        assign_device(machine=site.machine, device=site.device)
        assert history(device=site.device) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, "esp32-001", "Chai Chee", NOON + DAY, None, True),
        ]

    def test_an_archived_machine(self, site: Site, noon: Any) -> None:
        archive_machine(machine=site.machine)
        assert history(machine=site.machine) == [(LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False)]
        assert assign_device(machine=site.other_machine, device=site.device, move=True).device == site.device
        for act in (unassign_device, archive_machine):
            with pytest.raises(NotFound):
                act(machine=site.machine)

    def test_an_archived_outlet(self, site: Site, noon: Any) -> None:
        empty = add_machine(fields={"name": "Spare", "outlet": site.outlet})
        second = register_machine(device=Device.objects.create(device_id="esp32-003"), outlet=site.outlet, name="B")
        noon.move_to(NOON + DAY)
        archive_outlet(outlet=site.outlet)
        assert history(machine=second) == [
            ("B", "esp32-003", "Chai Chee", NOON, NOON + DAY, False),
            ("B", "esp32-003", None, NOON + DAY, None, True),
        ]
        assert history(machine=empty) == []
        assert list(Machine.objects.filter(outlet=site.outlet)) == []
        assert {machine.device_id for machine in (site.machine, second)} == set(
            Machine.objects.filter(outlet=None, device__isnull=False).values_list("device", flat=True)
        )

    def test_a_clock_that_is_behind_the_last_change(self, site: Site, noon: Any) -> None:
        change_machine(machine=site.machine, fields={"outlet": None})
        noon.move_to(NOON - SECOND)  # another server's
        unassign_device(machine=site.machine)
        assign_device(machine=site.machine, device=site.device)
        assert history(machine=site.machine) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, "esp32-001", None, NOON, NOON, False),
            (LEFT, "esp32-001", None, NOON, None, True),
        ]

    def test_the_database_keeps_one_of_each(self, site: Site) -> None:
        rows: list[dict[str, Any]] = [
            {"machine": site.machine, "device": site.other_device},
            {"machine": site.other_machine, "device": site.device},
            {"machine": site.machine, "device": site.device, "is_active": False},
        ]
        for row in rows:
            with pytest.raises(IntegrityError), transaction.atomic():
                MachineDevice.objects.create(assigned_date=NOON, **row)


class TestConflicts:
    def test_a_device_that_another_machine_holds(self, site: Site) -> None:
        spare = add_machine(fields={"name": "Spare"})
        with pytest.raises(Conflict) as refused:
            assign_device(machine=spare, device=site.device)
        assert (refused.value.code, LEFT in refused.value.detail) == ("device_bound", True)

    def test_a_machine_that_has_another_device(self, site: Site) -> None:
        before = history()
        with pytest.raises(Conflict) as refused:
            assign_device(machine=site.machine, device=Device.objects.create())
        assert refused.value.code == "machine_bound"
        assert history() == before

    def test_an_archived_device(self, site: Site) -> None:
        device = Device.objects.create()
        archive_device(device=device, now=timezone.now())
        machine = add_machine(fields={"name": "Spare"})
        with pytest.raises(NotFound):
            assign_device(machine=machine, device=device)

    def test_an_outlet_that_was_archived_meanwhile(self, site: Site) -> None:
        archive_outlet(outlet=site.other_outlet)
        for act in (
            lambda: change_machine(machine=site.machine, fields={"outlet": site.other_outlet}),
            lambda: add_machine(fields={"name": "Spare", "outlet": site.other_outlet}),
        ):
            with pytest.raises(NotFound):
                act()
        assert list(Machine.objects.filter(outlet=site.other_outlet)) == []
        site.machine.refresh_from_db()
        assert site.machine.outlet == site.outlet


class TestAssigned:
    def test_assigning_to_a_machine_assigns(self, site: Site) -> None:
        device = Device.objects.create()
        register_machine(device=device, outlet=site.outlet)
        device.refresh_from_db()
        assert device.assigned
        assert (device.enrolment.open_until or NOON) > timezone.now()

    def test_taking_it_away_does_not_unassign(self, site: Site) -> None:
        unassign_device(machine=site.machine)
        archive_machine(machine=site.other_machine)
        assert list(Device.objects.values_list("assigned", flat=True)) == [True, True]

    def test_one_that_was_unassigned_by_hand(self, site: Site) -> None:
        change_device(device=site.device, fields={"assigned": False})
        assign_device(machine=site.machine, device=site.device)
        assert Device.objects.get(pk=site.device.pk).assigned


class TestEvents:
    @pytest.mark.parametrize(
        ("at", "holder", "outlet"),
        [
            (NOON - DAY - SECOND, None, None),
            (NOON - DAY, LEFT, "Chai Chee"),
            (NOON - SECOND / 1000, LEFT, "Chai Chee"),
            (NOON, RIGHT, "Bedok"),
            (NOON + DAY - SECOND / 1000, RIGHT, "Bedok"),
            (NOON + DAY, None, None),
        ],
    )
    def test_belong_to_who_held_the_device_then(
        self, site: Site, noon: Any, at: Any, holder: str | None, outlet: str | None
    ) -> None:
        assign_device(machine=site.other_machine, device=site.device, move=True)
        noon.move_to(NOON + DAY)
        unassign_device(machine=site.other_machine)
        # However late it arrives.
        stored = press(site.device, at, received_at=NOON + 30 * DAY)
        assert stored.occurred_at == at
        assert (stored.machine and stored.machine.name, stored.outlet and stored.outlet.name) == (holder, outlet)

    def test_stay_theirs(self, site: Site, noon: Any) -> None:
        stored = press(site.device, NOON)
        assign_device(machine=site.other_machine, device=site.device, move=True)
        archive_outlet(outlet=site.outlet)
        archive_machine(machine=site.machine)
        stored.refresh_from_db()
        assert (stored.machine, stored.outlet) == (site.machine, site.outlet)


class TestSaving:
    """`machine.device = device; machine.save()`, as the documented relation invites to write it."""

    def test_it_makes_the_binding(self, site: Site, noon: Any) -> None:
        device = Device.objects.create(name="new")
        machine = Machine.objects.create(name="M", outlet=site.outlet, device=device)
        assert history(device=device) == [("M", str(device.device_id), site.outlet.name, NOON, None, True)]
        device.refresh_from_db()
        assert device.assigned
        noon.shift(60)
        assert press(device, NOON + SECOND).machine_id == machine.pk

    def test_another_device_and_another_outlet(self, site: Site, noon: Any) -> None:
        machine, other = site.machine, Outlet.objects.create(name="Elsewhere")
        noon.shift(60)
        machine.outlet = other
        machine.save()
        noon.shift(60)
        machine.device = None
        machine.save(update_fields=["device"])
        minute = timedelta(minutes=1)
        assert history(device=site.device) == [
            (machine.name, "esp32-001", site.outlet.name, NOON - DAY, NOON + minute, False),
            (machine.name, "esp32-001", "Elsewhere", NOON + minute, NOON + 2 * minute, False),
        ]
        machine.refresh_from_db()
        assert (machine.device, machine.outlet) == (None, other)

    def test_a_name_leaves_the_binding_alone(self, site: Site, noon: Any) -> None:
        ids = list(MachineDevice.objects.values_list("pk", "is_active").order_by("pk"))
        site.machine.name = "Renamed"
        site.machine.save()
        site.machine.save(update_fields=["name"])
        assert list(MachineDevice.objects.values_list("pk", "is_active").order_by("pk")) == ids
        assert Machine.objects.get(pk=site.machine.pk).name == "Renamed"

    def test_what_another_machine_holds_is_refused(self, site: Site, noon: Any) -> None:
        before = history(device=site.device)
        with pytest.raises(Conflict, match="bound to the machine"):
            Machine.objects.create(name="Thief", device=site.device)
        assert not Machine.objects.filter(name="Thief").exists()
        assert history(device=site.device) == before


class TestAtOnce:
    """With real transactions: on PostgreSQL each has a connection of its own."""

    @pytest.fixture
    def olga(self, write_path: None) -> User:
        return User.objects.create_user("olga", is_staff=True)

    def test_one_device_for_two_machines(self, olga: User) -> None:
        device = Device.objects.create(device_id="esp32-001")
        machines = [add_machine(fields={"name": f"m{number}"}) for number in range(4)]

        def assign(number: int) -> str:
            try:
                assign_device(machine=machines[number], device=device)
            except Conflict as refused:
                return refused.code
            return "done"

        assert sorted(at_once(4, assign)) == ["device_bound"] * 3 + ["done"]
        (holder,) = Machine.objects.filter(device=device)
        assert [(row[0], row[5]) for row in history()] == [(holder.name, True)]

    def test_one_device_registered_twice(self, olga: User) -> None:
        Device.objects.create(device_id="esp32-001")
        outlet = Outlet.objects.create(name="Chai Chee")
        body = f'{{"device_id": "esp32-001", "outlet_id": {outlet.pk}}}'.encode()
        headers = bearer(token_of(olga))

        def register(_: int) -> int:
            return DjangoDoor().send("POST", "/api/machines/register/", body, headers).status

        assert sorted(at_once(4, register)) == [201, 409, 409, 409]
        assert Machine.objects.count() == 1

    def test_two_machines_swap_their_devices(self, olga: User) -> None:
        devices = [Device.objects.create() for _ in range(2)]
        outlet = Outlet.objects.create(name="Chai Chee")
        machines = [register_machine(device=device, outlet=outlet) for device in devices]

        def swap(number: int) -> None:
            for turn in range(5):
                assign_device(machine=machines[number], device=devices[(number + turn) % 2], move=True)

        at_once(2, swap)
        held = {row.machine_id: row.device_id for row in MachineDevice.objects.filter(is_active=True)}
        assert held == dict(Machine.objects.filter(device__isnull=False).values_list("pk", "device"))
        for device in devices:
            ends = [end for *_, end, _ in history(device=device)][:-1]
            starts = [start for *_, start, _, _ in history(device=device)][1:]
            assert all(end is not None and end <= start for end, start in zip(ends, starts, strict=True))

    def test_an_outlet_is_archived_while_a_machine_comes(self, olga: User) -> None:
        for _ in range(5):
            outlet = Outlet.objects.create(name="Chai Chee")
            device = Device.objects.create()
            acts: list[Any] = [
                lambda outlet=outlet: archive_outlet(outlet=outlet),
                lambda outlet=outlet, device=device: register_machine(device=device, outlet=outlet),
            ]

            def run(number: int, acts: list[Any] = acts) -> str:
                try:
                    acts[number]()
                except ApiError as refused:
                    return refused.code
                return "done"

            assert at_once(2, run)[1] in ("done", "unknown_outlet")
        assert not Machine.objects.filter(outlet__archived_at__isnull=False).exists()

    def test_presses_while_the_device_changes_hands(self, esp32: Esp32) -> None:
        machines = [Machine.objects.get(), add_machine(fields={"name": "Other"})]
        device = esp32.device

        def act(number: int) -> None:
            for turn in range(20):
                if number:
                    assert esp32.press().status == 200
                else:
                    assign_device(machine=machines[turn % 2], device=device, move=True)

        at_once(3, act)
        spans = list(MachineDevice.objects.filter(device=device))
        assert len(spans) == 20  # the first turn changes nothing
        for event in TelemetryEvent.objects.all():
            holders = [
                span.machine_id
                for span in spans
                if span.assigned_date <= event.received_at < (span.deactivated_date or timezone.now() + timedelta(1))
            ]
            assert holders == [event.machine_id]
        assert TelemetryEvent.objects.count() == 40
