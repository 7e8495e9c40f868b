"""`POST /api/machines/<id>/device/`: another board, what stays with the machine, and how it is taken back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from device_gateway.models import Device, Enrolment
from device_gateway.registry.services import archive_device, change_device
from device_gateway.tests.conftest import at_once, refusal, token_of
from telemetry.commands.services import create
from telemetry.machines.bindings import add_machine, archive_machine, assign_device, register_machine, unassign_device
from telemetry.models import Command, Machine, MachineDevice, Outlet, Swap
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, bearer, counters, history, press
from tests.support.doors import DjangoDoor

LEFT, RIGHT = "CH1/027/2024", "BD1/001/2025"


@pytest.fixture
def noon(site: Site) -> Any:
    """The machines have had their devices since the day before."""
    MachineDevice.objects.update(assigned_date=NOON - DAY)
    Swap.objects.update(at=NOON - DAY)
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


@pytest.fixture
def board(site: Site) -> Device:
    """Out of its box: it has shaken hands, and nobody has assigned it."""
    return Device.objects.create(mac="EC:E3:34:46:2B:C0", notes="Bought in May", provisional=True)


def address(machine: Machine, rest: str = "") -> str:
    return f"/api/machines/{machine.pk}/device/{rest}"


def give(device: Device, kind: str, **more: Any) -> Command:
    fields = {"command_type": kind, "payload": {}, "expires_in_hours": 24, **more}
    return create(device=device, fields=fields, author=None, now=timezone.now())


def states(device: Device) -> dict[str, str]:
    return dict(Command.objects.filter(device=device).values_list("command_type", "status"))


class TestSwap:
    def test_it_works(self, site: Site, noon: Any, board: Device) -> None:
        Device.objects.filter(pk=site.device.pk).update(notes="By the door")
        answer = site.olga.post(address(site.machine), {"device_id": "ec-e3-34-46-2b-c0"})
        assert (answer.status, answer.json()) == (
            200,
            {
                "id": site.machine.pk,
                "outlet": site.outlet.pk,
                "name": LEFT,
                "is_active": True,
                "installed_date": answer.json()["installed_date"],
                "machine_id": site.machine.pk,
                "machine_code": LEFT,
                "outlet_name": "Chai Chee",
                "device_id": board.mac,
                "status": "offline",
                "last_heard": None,
                "counts": counters(0, 0, 0),
            },
        )
        assert answer.headers["etag"] == site.olga.get(f"/api/machines/{site.machine.pk}/").headers["etag"]
        assert history(machine=site.machine) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, board.mac, "Chai Chee", NOON, None, True),
        ]
        board.refresh_from_db()
        assert (board.assigned, board.provisional, board.owner) == (True, False, site.vera.user)
        assert (board.name, board.location, board.notes) == ("Left", "Bay 1", "By the door")
        assert Enrolment.objects.get(device=board).opened_at == NOON
        swap = Swap.objects.latest("id")
        assert (swap.machine, swap.old, swap.new, swap.at) == (site.machine, site.device, board, NOON)
        assert (swap.ordered_by, swap.source) == (site.olga.user, None)
        # The owner still sees the machine, and what the old board has told.
        assert site.vera.read("/api/machines/")[0]["device_id"] == board.mac

    def test_the_old_boards_later_presses_are_nobodys(self, site: Site, noon: Any, board: Device) -> None:
        site.olga.post(address(site.machine), {"device_id": board.mac})
        assert press(site.device, NOON - SECOND).machine == site.machine
        assert press(site.device, NOON).machine is None
        assert press(board, NOON).machine == site.machine

    def test_what_is_not_to_be_kept(self, site: Site, noon: Any, board: Device) -> None:
        keep = {"owner": False, "settings": False}
        assert site.olga.post(address(site.machine), {"device_id": board.mac, "keep": keep}).status == 200
        board.refresh_from_db()
        assert (board.owner, board.name, board.location, board.notes) == (None, "", "", "Bought in May")
        assert Swap.objects.latest("id").kept == {}

    def test_what_the_old_board_lacks_the_new_one_keeps(self, site: Site, noon: Any, board: Device) -> None:
        Device.objects.filter(pk=board.pk).update(owner=site.mallory.user, location="Shelf")
        assert site.olga.post(address(site.other_machine), {"device_id": board.mac}).status == 200
        board.refresh_from_db()
        assert (board.owner, board.name, board.location) == (site.mallory.user, "Right", "Shelf")

    def test_pending_commands(self, site: Site, noon: Any, board: Device) -> None:
        """A CLEAR_MEMORY that was meant for the old board would wipe the new one."""
        for kind in ("CLEAR_MEMORY", "SYNC_TIME", "UPDATE_SETTINGS"):
            give(site.device, kind, payload={"volume": 3}, description="As agreed")
        Command.objects.filter(command_type="SYNC_TIME").update(expires_at=NOON - SECOND)
        sent = give(site.device, "GET_STATUS")
        Command.objects.filter(pk=sent.pk).update(status="sent", sent_at=NOON)
        own = give(board, "GET_STATUS")
        body = {"device_id": board.mac, "keep": {"pending_commands": True}}
        assert site.olga.post(address(site.machine), body).status == 200
        assert states(site.device) == {
            "CLEAR_MEMORY": "cancelled",
            "SYNC_TIME": "pending",  # expired
            "UPDATE_SETTINGS": "cancelled",
            "GET_STATUS": "sent",
        }
        followed = Command.objects.get(device=board, command_type="UPDATE_SETTINGS")
        assert (followed.payload, followed.description, followed.status) == ({"volume": 3}, "As agreed", "pending")
        assert (followed.created_at, followed.expires_at) == (NOON, NOON + DAY)
        assert set(Command.objects.filter(device=board)) == {own, followed}

    def test_none_follow_unless_asked(self, site: Site, noon: Any, board: Device) -> None:
        give(site.device, "SYNC_TIME")
        site.olga.post(address(site.machine), {"device_id": board.mac})
        assert (states(site.device), states(board)) == ({"SYNC_TIME": "cancelled"}, {})

    def test_no_board(self, site: Site, noon: Any) -> None:
        give(site.device, "RESET_COUNTERS")
        answer = site.olga.post(address(site.machine), {"device_id": None})
        assert (answer.status, answer.json()["device_id"]) == (200, None)
        assert history(machine=site.machine) == [(LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False)]
        assert states(site.device) == {"RESET_COUNTERS": "cancelled"}
        assert Device.objects.get(pk=site.device.pk).assigned

    def test_the_board_that_it_has(self, site: Site, noon: Any) -> None:
        before, swaps = history(), Swap.objects.count()
        give(site.device, "RESET_COUNTERS")
        assert site.olga.post(address(site.machine), {"device_id": "esp32-001"}).status == 200
        assert (history(), Swap.objects.count(), states(site.device)) == (before, swaps, {"RESET_COUNTERS": "pending"})

    def test_one_that_another_machine_holds(self, site: Site, noon: Any) -> None:
        body = {"device_id": "esp32-002"}
        before = history()
        assert refusal(site.olga.post(address(site.machine), body)) == (409, "held_by_other")
        assert history() == before
        assert site.olga.post(address(site.machine), {**body, "move": True}).json()["device_id"] == "esp32-002"
        assert {machine.name: machine.device_id for machine in Machine.objects.all()} == {
            LEFT: site.other_device.pk,
            RIGHT: None,
        }
        assert Swap.objects.get(machine=site.machine, at=NOON).source == site.other_machine

    def test_by_assigning_it_is_the_same(self, site: Site, noon: Any, board: Device) -> None:
        assign_device(machine=site.machine, device=board, move=True)
        board.refresh_from_db()
        assert (board.owner, board.name) == (site.vera.user, "Left")
        site.other_machine.device = None
        site.other_machine.save()
        assert list(Swap.objects.filter(at=NOON).order_by("id").values_list("machine", "old", "new")) == [
            (site.machine.pk, site.device.pk, board.pk),
            (site.other_machine.pk, site.other_device.pk, None),
        ]

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ({"device_id": "esp32-009"}, (404, "unknown_device")),
            ({"device_id": "esp32-003"}, (404, "unknown_device")),  # archived
            ({}, (400, "invalid")),
            ({"device_id": 5}, (400, "invalid")),
            ({"device_id": ""}, (400, "invalid")),
            ({"device_id": "x" * 64}, (400, "invalid")),
            ({"device_id": "esp32-002", "move": "yes"}, (400, "invalid")),
            ({"device_id": "esp32-002", "keep": []}, (400, "invalid")),
            ({"device_id": "esp32-002", "move": True, "keep": {"owners": True}}, (400, "invalid")),
            ({"device_id": "esp32-002", "move": True, "keep": {"owner": 1}}, (400, "invalid")),
            ({"device_id": "esp32-002", "move": True, "moved": True}, (400, "invalid")),
            ([], (400, "invalid")),
        ],
    )
    def test_what_is_refused(self, site: Site, noon: Any, body: Any, expected: tuple[int, str]) -> None:
        archive_device(device=Device.objects.create(device_id="esp32-003"), now=NOON)
        before = history()
        assert refusal(site.olga.post(address(site.machine), body)) == expected
        assert history() == before

    def test_a_machine_that_is_deleted(self, site: Site, noon: Any, board: Device) -> None:
        archive_machine(machine=site.machine)
        answer = site.olga.post(address(site.machine), {"device_id": board.mac})
        assert refusal(answer) == (404, "unknown_machine")

    def test_staff_only(self, site: Site, board: Device) -> None:
        for rest in ("", "undo/"):
            assert refusal(site.vera.post(address(site.machine, rest), {"device_id": board.mac})) == (403, "forbidden")
            assert refusal(site.nobody.post(address(site.machine, rest), {})) == (401, "signed_out")

    def test_a_machine_that_was_changed_meanwhile(self, site: Site, noon: Any, board: Device) -> None:
        body = {"device_id": board.mac}
        answer = site.olga.ask("POST", address(site.machine), body, If_Match='"another"')
        assert refusal(answer) == (412, "changed_meanwhile")

    @pytest.mark.parametrize("method", ["PATCH", "PUT"])
    def test_the_machine_itself_says_where(self, site: Site, board: Device, method: str) -> None:
        path = f"/api/machines/{site.machine.pk}/"
        answer = site.olga.ask(method, path, {"name": "New", "device_id": board.mac})
        assert refusal(answer) == (400, "invalid")
        assert answer.json()["errors"] == {
            "device_id": ["A machine gets another device by POST /api/machines/<id>/device/."]
        }
        assert site.olga.ask(method, path, {"name": "New", "device_id": "esp32-001"}).status == 200  # as it is read


class TestUndo:
    def test_it_works(self, site: Site, noon: Any, board: Device) -> None:
        give(site.device, "SYNC_TIME")
        body = {"device_id": board.mac, "keep": {"pending_commands": True}}
        site.olga.post(address(site.machine), body)
        noon.shift(HOUR)
        answer = site.olga.post(address(site.machine, "undo/"))
        assert (answer.status, answer.json()["device_id"]) == (200, "esp32-001")
        assert history(machine=site.machine) == [
            (LEFT, "esp32-001", "Chai Chee", NOON - DAY, NOON, False),
            (LEFT, board.mac, "Chai Chee", NOON, NOON + HOUR, False),
            (LEFT, "esp32-001", "Chai Chee", NOON + HOUR, None, True),
        ]
        board.refresh_from_db()
        assert (board.owner, board.name, board.location, board.notes) == (None, "", "", "Bought in May")
        kept = Device.objects.get(pk=site.device.pk)
        assert (kept.owner, kept.name, kept.location) == (site.vera.user, "Left", "Bay 1")
        assert list(Command.objects.order_by("id").values_list("device", "status")) == [
            (site.device.pk, "cancelled"),
            (board.pk, "cancelled"),
            (site.device.pk, "pending"),
        ]
        assert Swap.objects.latest("id").ordered_by == site.olga.user

    def test_a_board_that_was_moved_goes_back(self, site: Site, noon: Any) -> None:
        site.olga.post(address(site.machine), {"device_id": "esp32-002", "move": True})
        noon.shift(HOUR)
        assert site.olga.post(address(site.machine, "undo/")).status == 200
        assert {machine.name: machine.device_id for machine in Machine.objects.all()} == {
            LEFT: site.device.pk,
            RIGHT: site.other_device.pk,
        }
        assert Device.objects.get(pk=site.other_device.pk).name == "Right"

    def test_a_board_that_was_taken_away(self, site: Site, noon: Any) -> None:
        unassign_device(machine=site.machine)
        assert site.olga.post(address(site.machine, "undo/")).json()["device_id"] == "esp32-001"

    @pytest.mark.parametrize(
        ("after", "expected"),
        [(DAY - SECOND, 200), (DAY, 200), (DAY + SECOND, (409, "too_late"))],
    )
    def test_for_a_day(self, site: Site, noon: Any, board: Device, after: timedelta, expected: Any) -> None:
        site.olga.post(address(site.machine), {"device_id": board.mac})
        noon.shift(after)
        answer = site.olga.post(address(site.machine, "undo/"))
        assert (answer.status if expected == 200 else refusal(answer)) == expected

    @pytest.mark.parametrize(
        "change",
        [
            lambda site, board: archive_device(device=site.device, now=NOON),
            lambda site, board: assign_device(machine=site.other_machine, device=site.device, move=True),
            lambda site, board: change_device(device=board, fields={"name": "Another"}),
            lambda site, board: change_device(device=board, fields={"owner": site.mallory.user}),
        ],
        ids=["archived", "in another machine", "renamed", "another owner"],
    )
    def test_something_changed_since(
        self, site: Site, noon: Any, board: Device, change: Callable[[Site, Device], Any]
    ) -> None:
        site.olga.post(address(site.machine), {"device_id": board.mac})
        board.refresh_from_db()
        change(site, board)
        before = history()
        assert refusal(site.olga.post(address(site.machine, "undo/"))) == (409, "changed_since")
        assert history() == before

    def test_its_source_has_another_by_now(self, site: Site, noon: Any, board: Device) -> None:
        site.olga.post(address(site.machine), {"device_id": "esp32-002", "move": True})
        site.olga.post(address(site.other_machine), {"device_id": board.mac})
        assert refusal(site.olga.post(address(site.machine, "undo/"))) == (409, "changed_since")

    def test_once(self, site: Site, noon: Any, board: Device) -> None:
        site.olga.post(address(site.machine), {"device_id": board.mac})
        assert site.olga.post(address(site.machine, "undo/")).status == 200
        assert refusal(site.olga.post(address(site.machine, "undo/"))) == (409, "nothing_to_undo")
        new = add_machine(fields={"name": "New"})
        assert refusal(site.olga.post(address(new, "undo/"))) == (409, "nothing_to_undo")


class TestAtOnce:
    @pytest.fixture
    def olga(self, write_path: None) -> User:
        return User.objects.create_user("olga", is_staff=True)

    def test_one_board_for_four_machines(self, olga: User) -> None:
        outlet = Outlet.objects.create(name="Chai Chee")
        olds = [Device.objects.create(device_id=f"old-{number}") for number in range(4)]
        machines = [register_machine(device=old, outlet=outlet) for old in olds]
        Device.objects.create(device_id="new")
        headers = bearer(token_of(olga))

        def swap(number: int) -> int:
            return DjangoDoor().send("POST", address(machines[number]), b'{"device_id": "new"}', headers).status

        assert sorted(at_once(4, swap)) == [200, 409, 409, 409]
        held = Machine.objects.values_list("device__device_id", flat=True)
        assert len(set(held)) == 4
        assert "new" in held

    def test_four_boards_for_one_machine(self, olga: User) -> None:
        machine = register_machine(
            device=Device.objects.create(device_id="old"), outlet=Outlet.objects.create(name="Chai Chee")
        )
        for number in range(4):
            Device.objects.create(device_id=f"new-{number}")
        headers = bearer(token_of(olga))

        def swap(number: int) -> int:
            body = f'{{"device_id": "new-{number}"}}'.encode()
            return DjangoDoor().send("POST", address(machine), body, headers).status

        assert at_once(4, swap) == [200] * 4
        spans = history(machine=machine)
        assert len(spans) == 5
        assert [end for *_, end, _ in spans[:-1]] == [start for *_, start, _, _ in spans[1:]]
        assert spans[-1][-1]
