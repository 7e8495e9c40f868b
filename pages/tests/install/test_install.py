"""*Install or swap a board*: the machine, the boards that are offered, the swap, how it comes to life, and its undo."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client

from device_gateway.models import Device, DeviceState, Enrolment, HandshakeAttempt
from pages.tests.forms import form_of
from pages.tests.onlooker import text
from telemetry.commands.services import create
from telemetry.machines.bindings import add_machine, unassign_device
from telemetry.machines.swapping import swap_board
from telemetry.models import Command, Machine, Outlet, Swap
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, history, press

MINUTE = timedelta(minutes=1)


@pytest.fixture
def board(site: Site) -> Device:
    """Nobody has assigned it; it shook hands 20 s ago, from where the machine's own board had done so."""
    board = Device.objects.create(mac="EC:E3:34:46:2B:C0", provisional=True)
    Enrolment.objects.create(device=board, held_by="203.0.113.9", issued_at=NOON - 20 * SECOND)
    Enrolment.objects.filter(device=site.device).update(held_by="203.0.113.9", issued_at=NOON - DAY)
    DeviceState.objects.filter(device=board).update(last_seen=NOON - 20 * SECOND)
    return board


def page_of(site: Site, rest: str = "") -> str:
    return f"/machines/{site.machine.pk}/install/{rest}"


def offered(client: Client, path: str) -> list[str]:
    """The boards, in order, each in its words."""
    reply = client.get(path)
    assert reply.status_code == 200
    items = re.findall(r"<li data-key.*?</li>", reply.content.decode(), re.DOTALL)
    return [" ".join(text(item).split()) for item in items]


def ticks(client: Client, site: Site) -> list[tuple[str, bool]]:
    html = client.get(page_of(site)).content.decode()
    items = re.findall(r"<li( class=\"done\")?>\s*<h3>(.*?)</h3>", html, re.DOTALL)
    return [(text(title).split(" 20")[0].strip(), bool(done)) for done, title in items]


class TestBoards:
    def test_those_that_are_free_heard_last_first(self, site: Site, staff: Client, board: Device) -> None:
        unassign_device(machine=site.other_machine)
        DeviceState.objects.filter(device=site.other_device).update(last_poll=NOON - HOUR)
        Device.objects.create(name="Meter", assigned=True)
        other = Device.objects.create(mac="02:00:00:00:00:09", provisional=True)
        Enrolment.objects.create(device=other, held_by="198.51.100.7", issued_at=NOON - 5 * SECOND)
        DeviceState.objects.filter(device=other).update(last_seen=NOON - 5 * SECOND)
        assert offered(staff, page_of(site)) == [
            "02:00:00:00:00:09 never assigned, shook hands 2026-03-01 11:59:55 Use",
            "EC:E3:34:46:2B:C0 from this outlet’s address never assigned, shook hands 2026-03-01 11:59:40 Use",
            "esp32-002 Right spare, was in BD1/001/2025, heard 2026-03-01 11:00:00 Use",
        ]

    def test_a_search_finds_those_of_other_machines_too(self, site: Site, staff: Client, board: Device) -> None:
        assert offered(staff, page_of(site, "?q=right")) == [
            "esp32-002 Right in BD1/001/2025 at Bedok, never heard Use"
        ]
        assert offered(staff, page_of(site, "?q=ece334462bc0"))[0].startswith("EC:E3:34:46:2B:C0")
        assert offered(staff, page_of(site, "?q=left")) == []  # it is in already
        assert "No board has nowhere." in text(staff.get(page_of(site, "?q=nowhere")).content.decode())

    def test_only_staff(self, site: Site, owner: Client, board: Device) -> None:
        for path in ("/install/", page_of(site), page_of(site, f"boards/{board.mac}/"), page_of(site, "undo/")):
            assert owner.get(path).status_code == 403
        for path in (page_of(site, f"boards/{board.mac}/"), page_of(site, "undo/")):
            assert owner.post(path).status_code == 403
        assert Machine.objects.get(pk=site.machine.pk).device == site.device

    def test_what_is_not_there(self, site: Site, staff: Client) -> None:
        for path in ("/machines/99999/install/", page_of(site, "boards/esp32-009/")):
            assert staff.get(path).status_code == 404


class TestSwap:
    def test_as_the_form_is(self, site: Site, staff: Client, board: Device) -> None:
        fields = {"command_type": "SYNC_TIME", "payload": {}, "expires_in_hours": 24}
        create(device=site.device, fields=fields, author=None, now=NOON)
        path = page_of(site, f"boards/{board.mac}/")
        shown = staff.get(path)
        said = text(shown.content.decode())
        assert f"Put {board.mac} into CH1/027/2024?" in said
        assert "esp32-001 is put away, and its waiting commands are cancelled." in said
        reply = staff.post(path, form_of(shown))
        assert (reply.status_code, reply["Location"]) == (302, page_of(site).rstrip("/"))
        assert "EC:E3:34:46:2B:C0 is in CH1/027/2024 now." in text(staff.get(reply["Location"]).content.decode())
        assert history(machine=site.machine)[-1] == ("CH1/027/2024", board.mac, "Chai Chee", NOON, None, True)
        board.refresh_from_db()
        assert (board.owner, board.name, board.location) == (site.vera.user, "Left", "Bay 1")
        assert list(Command.objects.values_list("device", "status")) == [(site.device.pk, "cancelled")]
        assert Swap.objects.latest("id").ordered_by == site.olga.user

    def test_as_somebody_chooses(self, site: Site, staff: Client, board: Device) -> None:
        fields = {"command_type": "SYNC_TIME", "payload": {}, "expires_in_hours": 24}
        create(device=site.device, fields=fields, author=None, now=NOON)
        staff.post(page_of(site, f"boards/{board.mac}/"), {"pending_commands": "on"})
        board.refresh_from_db()
        assert (board.owner, board.name) == (None, "")
        assert board.commands.get().command_type == "SYNC_TIME"

    def test_one_that_another_machine_has_by_now(self, site: Site, staff: Client, board: Device) -> None:
        """The question is asked anew, with what it speaks of now."""
        path = page_of(site, f"boards/{board.mac}/")
        fields = form_of(staff.get(path))
        swap_board(machine=site.other_machine, device=board)
        reply = staff.post(path, fields)
        assert reply.status_code == 200
        assert "It is in BD1/001/2025 now, which would be without a board." in text(reply.content.decode())
        assert Machine.objects.get(pk=site.machine.pk).device == site.device
        assert staff.post(path, form_of(reply)).status_code == 302
        assert Machine.objects.get(pk=site.machine.pk).device == board

    def test_into_a_machine_without_a_board(self, site: Site, staff: Client, board: Device) -> None:
        machine = add_machine(fields={"name": "New"})
        path = f"/machines/{machine.pk}/install/boards/{board.mac}/"
        assert "Name, location and notes" not in staff.get(path).content.decode()
        assert staff.post(path, {}).status_code == 302
        assert Machine.objects.get(pk=machine.pk).device == board


class TestTicks:
    def test_they_come_one_after_another(self, site: Site, staff: Client, board: Device) -> None:
        press(board, NOON - MINUTE)
        staff.post(page_of(site, f"boards/{board.mac}/"), {"owner": "on"})
        names = ("Handshake", "Poll", "First press")
        assert ticks(staff, site) == [(name, False) for name in names]
        with time_machine.travel(NOON + MINUTE, tick=False):
            HandshakeAttempt.objects.create(device=board, at=NOON + SECOND, address="203.0.113.9", permitted=False)
            assert ticks(staff, site) == [(name, False) for name in names]
            HandshakeAttempt.objects.create(device=board, at=NOON + 2 * SECOND, address="203.0.113.9", permitted=True)
            assert [done for _, done in ticks(staff, site)] == [True, False, False]
            DeviceState.objects.filter(device=board).update(last_poll=NOON + 3 * SECOND)
            assert [done for _, done in ticks(staff, site)] == [True, True, False]
            press(board, NOON + 4 * SECOND)
            assert [done for _, done in ticks(staff, site)] == [True, True, True]
            page = text(staff.get(page_of(site)).content.decode())
        for said in ("EC:E3:34:46:2B:C0 is in", "by olga", "before it esp32-001", "12:00:02", "12:00:03", "12:00:04"):
            assert said in page

    def test_a_board_with_a_token_and_without_a_clock(self, site: Site, staff: Client, board: Device) -> None:
        """It need not shake hands, and its press says another year."""
        staff.post(page_of(site, f"boards/{board.mac}/"), {"owner": "on"})
        press(board, NOON - 800 * DAY, received_at=NOON + SECOND)
        with time_machine.travel(NOON + MINUTE, tick=False):
            assert [done for _, done in ticks(staff, site)] == [True, False, True]
            assert "with the token that it has from before" in text(staff.get(page_of(site)).content.decode())

    def test_for_a_day(self, site: Site, staff: Client, board: Device) -> None:
        staff.post(page_of(site, f"boards/{board.mac}/"), {"owner": "on"})
        for after, number in ((DAY, 3), (DAY + MINUTE, 0)):
            with time_machine.travel(NOON + after, tick=False):
                assert len(ticks(staff, site)) == number


class TestUndo:
    def test_it_works(self, site: Site, staff: Client, board: Device) -> None:
        staff.post(page_of(site, f"boards/{board.mac}/"), {"owner": "on", "settings": "on"})
        path = page_of(site, "undo/")
        shown = staff.get(path)
        assert "esp32-001 is in CH1/027/2024 again, as before." in text(shown.content.decode())
        reply = staff.post(path, form_of(shown))
        assert reply.status_code == 302
        page = staff.get(reply["Location"]).content.decode()
        assert "esp32-001 is in CH1/027/2024 again." in text(page)
        assert "/install/undo" not in page
        assert Machine.objects.get(pk=site.machine.pk).device == site.device

    def test_what_was_changed_since(self, site: Site, staff: Client, board: Device) -> None:
        staff.post(page_of(site, f"boards/{board.mac}/"), {"owner": "on"})
        swap_board(machine=site.other_machine, device=site.device)
        reply = staff.post(page_of(site, "undo/"), {})
        assert reply.status_code == 409
        assert "esp32-001 is in the machine" in text(reply.content.decode())


class TestPlace:
    def test_a_new_outlet_and_a_new_machine(self, site: Site, staff: Client) -> None:
        reply = staff.post("/install/", {"name": "TP1", "outlet": "", "new_outlet": "Tampines"})
        machine = Machine.objects.get(name="TP1")
        assert (reply.status_code, reply["Location"]) == (302, f"/machines/{machine.pk}/install")
        assert (str(machine.outlet), str(machine.installed_date)) == ("Tampines", "2026-03-01")

    def test_an_outlet_that_is_there(self, site: Site, staff: Client) -> None:
        staff.post("/install/", {"name": "CH2", "outlet": site.outlet.pk, "new_outlet": ""})
        assert Machine.objects.get(name="CH2").outlet == site.outlet

    @pytest.mark.parametrize("change", [{"name": ""}, {"name": " \u200b"}, {"new_outlet": "Tampines"}, {"outlet": "0"}])
    def test_what_is_refused(self, site: Site, staff: Client, change: dict[str, Any]) -> None:
        reply = staff.post("/install/", {"name": "CH2", "outlet": site.outlet.pk, **change})
        assert reply.status_code == 200
        assert (Machine.objects.count(), Outlet.objects.count()) == (2, 2)

    def test_machines_are_found(self, site: Site, staff: Client) -> None:
        page = staff.get(f"/install/?q=M-{site.machine.pk}").content.decode()
        assert f'href="/machines/{site.machine.pk}/install"' in page
        assert "BD1/001/2025" not in text(page)
        assert "No machine has nowhere." in text(staff.get("/install/?q=nowhere").content.decode())
