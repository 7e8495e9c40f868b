"""Commands for many devices: the number that is asked for, the page of one, and what cancels it."""

import html
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import Device, DeviceName, DeviceState
from ozone.intake import rows
from ozone.intake.pauses import LEAST
from ozone.intake.sql import as_given
from pages.commands import bulk as sending
from pages.tests.conftest import SignIn
from pages.tests.onlooker import Onlooker, table, text
from pages.tests.ozone import NOON
from telemetry.commands import services
from telemetry.commands.payloads import read_result
from telemetry.commands.polling import Poll, store_polls
from telemetry.models import Bulk, Command

LIST = "/command-bulks/"
SEND = "/device-bulk"
FILLED = {"priority": "normal", "expires_in_hours": "24", "sure": "yes", "do": "command"}
FINAL = ("RESET_COUNTERS", "CLEAR_MEMORY", "CLEAR_QUEUE", "REBOOT_DEVICE")


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


@pytest.fixture
def fleet(db: None) -> list[Device]:
    """Ten devices."""
    return make_fleet(10)


def make_fleet(number: int) -> list[Device]:
    Device.objects.bulk_create([Device(name=f"Unit {n:04}", device_id=f"U-{n:04}") for n in range(number)])
    devices = list(Device.objects.order_by("name"))
    DeviceState.objects.bulk_create([DeviceState(device=device) for device in devices])
    DeviceName.objects.bulk_create([DeviceName(name=str(device.device_id), device=device) for device in devices])
    return devices


def give(devices: list[Device], kind: str = "GET_STATUS", **fields: Any) -> Bulk:
    wanted = {"command_type": kind, "expires_in_hours": 24, **fields}
    bulk, _ = services.create_bulk(devices=devices, fields=wanted, author=None, now=timezone.now())
    return bulk


def send(client: Client, devices: list[Device], kind: str, **fields: str) -> Any:
    numbers = " ".join(str(device.pk) for device in devices)
    return client.post(SEND, {**FILLED, "devices": numbers, "command_type": kind, **fields})


def poll(*devices: Device) -> None:
    store_polls(connection, [Poll(device.pk, timezone.now(), seat=1) for device in devices])


def said(reply: Any) -> str:
    assert reply.status_code == 200, reply.content
    return text(reply.content.decode().partition("<main")[2])


def states(client: Client, bulk: Bulk) -> str:
    page = client.get(f"{LIST}{bulk.pk}/").content.decode()
    [tally] = re.findall(r'<ul class="tally".*?</ul>', page, re.DOTALL)
    return text(tally)


# --- the number that is asked for ---


@pytest.mark.parametrize("kind", FINAL)
def test_what_cannot_be_taken_back_asks_for_the_number(staff: Client, fleet: list[Device], kind: str) -> None:
    asked = send(staff, fleet, kind)
    words = said(asked)
    assert "That cannot be taken back, and is meant for 10 devices. Type 10 to send it to them." in words
    assert "Each device " in words
    carried = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', asked.content.decode())
    assert not Command.objects.exists()
    for wrong in ("", "9", "11", "10 devices", "ten", "-10", "1e1"):
        assert "Type 10 to send it" in said(send(staff, fleet, kind, number=wrong))
    assert not Bulk.objects.exists()
    filled = {name: html.unescape(value) for name, value in carried}
    reply = staff.post(SEND, {**FILLED, **filled, "command_type": kind, "number": " 10 "})
    assert (reply.status_code, reply["Location"]) == (302, f"{LIST}{Bulk.objects.get().pk}")
    assert Command.objects.filter(command_type=kind).count() == 10


def test_a_number_as_people_write_it(staff: Client) -> None:
    devices = make_fleet(1001)
    assert "is meant for 1,001 devices. Type 1001 to" in said(send(staff, devices, "CLEAR_QUEUE", number="1000"))
    assert send(staff, devices, "CLEAR_QUEUE", number="1,001").status_code == 302


def test_what_is_harmless_or_for_few_does_not_ask(staff: Client, fleet: list[Device]) -> None:
    assert send(staff, fleet[:9], "CLEAR_QUEUE").status_code == 302
    assert send(staff, fleet, "GET_STATUS").status_code == 302
    assert 'name="number"' not in send(staff, fleet, "GET_STATUS", payload="{").content.decode()
    assert Command.objects.count() == 19


def test_the_number_is_of_those_that_are_meant_now(staff: Client, fleet: list[Device]) -> None:
    """One was archived since the form was shown."""
    extra = Device.objects.create(name="Unit 9999")
    Device.objects.filter(pk=fleet[0].pk).update(archived_at=timezone.now())
    meant = [*fleet, extra]
    assert "is meant for 10 devices" in said(send(staff, meant, "CLEAR_QUEUE", number="11"))
    assert send(staff, meant, "CLEAR_QUEUE", number="10").status_code == 302


# --- past a thousand ---


def test_one_bulk_of_several_transactions(staff: Client, monkeypatch: pytest.MonkeyPatch, fleet: list[Device]) -> None:
    monkeypatch.setattr(sending, "STEP", 4)
    sizes = []
    each = services.create_for_each

    def counted(**given: Any) -> Any:
        sizes.append(len(given["devices"]))
        return each(**given)

    monkeypatch.setattr(services, "create_for_each", counted)
    send(staff, fleet, "GET_STATUS")
    assert (sizes, Bulk.objects.get().commands.count()) == ([4, 4, 2], 10)


def test_a_later_part_that_fails(staff: Client, monkeypatch: pytest.MonkeyPatch, fleet: list[Device]) -> None:
    monkeypatch.setattr(sending, "STEP", 4)
    each = services.create_for_each

    def failing(**given: Any) -> Any:
        if Command.objects.count() == fails_at:
            raise OperationalError("database is locked")
        return each(**given)

    monkeypatch.setattr(services, "create_for_each", failing)
    fails_at = 8
    reply = send(staff, fleet, "GET_STATUS")
    words = said(staff.get(reply["Location"]))
    assert "GET_STATUS for 10 devices" in words
    assert "GET_STATUS waits for 8 devices." in words
    assert "2 of the devices have not been reached (yet)." in words
    Command.objects.all().delete()
    Bulk.objects.all().delete()
    fails_at = 0
    assert send(staff, fleet, "GET_STATUS").status_code == 503
    assert (Bulk.objects.count(), Command.objects.count()) == (0, 0)


# --- its page ---


def test_from_given_to_ended(staff: Client, olga: User, fleet: list[Device]) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        reply = send(staff, fleet[:4], "SYNC_TIME", description="Month end")
        bulk = Bulk.objects.get()
        assert "SYNC_TIME waits for 4 devices." in said(staff.get(reply["Location"]))
        page = Onlooker(staff, f"{LIST}{bulk.pk}/")
        first = said(staff.get(f"{LIST}{bulk.pk}/"))
        assert "SYNC_TIME for 4 devices Given 2026-03-01 12:00:00 by olga · Month end Cancel all pending" in first
        assert "0 of 4 ended" in first
        assert states(staff, bulk) == "4 pending 0 sent 0 executed 0 failed 0 timeout 0 cancelled"
        clock.shift(20)
        poll(fleet[0], fleet[1])
        command = bulk.commands.get(device=fleet[0])
        services.report(
            device=fleet[0].pk,
            command_id=str(command.command_id),
            result=read_result({"success": True, "message": "Done"}),
            received_at=timezone.now(),
        )
        at = "2026-03-01 12:00:20"
        assert sorted(table(page.look())) == [
            ["Unit 0000", "Executed", at, at, "Done"],
            ["Unit 0001", "Sent", at, "—", "—"],
        ]
        assert "1 of 4 ended" in text(page.look().content.decode())
        assert states(staff, bulk) == "2 pending 1 sent 1 executed 0 failed 0 timeout 0 cancelled"
        rows = table(staff.get(f"{LIST}{bulk.pk}/?state=pending"), "shares")
        assert [row[:2] for row in rows] == [["Unit 0002", "Pending"], ["Unit 0003", "Pending"]]
        clock.shift(timedelta(hours=24))
        assert states(staff, bulk) == "0 pending 0 sent 1 executed 0 failed 3 timeout 0 cancelled"
        assert "Cancel all pending" not in said(staff.get(f"{LIST}{bulk.pk}/"))
        assert table(staff.get(LIST), "bulks") == [["SYNC_TIME Month end", "4", "2026-03-01 12:00:00 by olga"]]


def test_who_did_not_get_it_and_why(staff: Client, fleet: list[Device]) -> None:
    Device.objects.filter(pk__in=[device.pk for device in fleet[:2]]).update(firmware="1.0.0-sim")
    bulk = give(list(Device.objects.order_by("name")), "REBOOT_DEVICE")
    words = said(staff.get(f"{LIST}{bulk.pk}/"))
    why = "REBOOT_DEVICE is known to harm devices with firmware 1.0.0-sim."
    assert f"Unit 0000, Unit 0001 did not get it. {why}" in words
    assert ("0 of 8 ended" in words, "not been reached" in words) == (True, False)


def test_the_apis_bulk_has_that_page_too(staff: Client, fleet: list[Device]) -> None:
    body = {"command_type": "SYNC_TIME", "device_ids": ["U-0001", "U-0002", "nobody"]}
    reply = staff.post("/api/commands/bulk/", body, content_type="application/json")
    assert (reply.status_code, reply.json()["created_count"], reply.json()["failed_count"]) == (201, 2, 1)
    assert [row[:2] for row in table(staff.get(LIST), "bulks")] == [["SYNC_TIME", "2"]]
    own = staff.get("/devices/U-0001/commands/").content.decode()
    assert f'<a href="/command-bulks/{Bulk.objects.get().pk}">for many devices</a>' in own
    none = {"command_type": "SYNC_TIME", "device_ids": ["nobody"]}
    assert staff.post("/api/commands/bulk/", none, content_type="application/json").status_code == 201
    assert Bulk.objects.count() == 1


def test_an_unchanged_page_is_one_query_and_many_devices_no_more(
    staff: Client, django_assert_num_queries: DjangoAssertNumQueries, django_assert_max_num_queries: Any
) -> None:
    bulk = give(make_fleet(60))
    with time_machine.travel(timezone.now(), tick=False):
        page = Onlooker(staff, f"{LIST}{bulk.pk}/")
        page.look()  # from now on she is known
        with django_assert_num_queries(2):  # who looks, and the version
            assert page.look().status_code == 204
    bulk.commands.update(changed_at=timezone.now())
    with django_assert_max_num_queries(8):
        assert len(table(staff.get(f"{LIST}{bulk.pk}/"), "shares")) == 50


# --- cancelling ---


@pytest.mark.parametrize("at_most", [3, 8, 1000])
def test_cancel_all_pending(staff: Client, monkeypatch: pytest.MonkeyPatch, fleet: list[Device], at_most: int) -> None:
    monkeypatch.setattr(services, "MAX_BULK", at_most)
    bulk, other = give(fleet), give(fleet[:1])
    poll(fleet[0], fleet[1])
    path = f"{LIST}{bulk.pk}/cancel"
    asked = said(staff.get(path))
    assert "GET_STATUS for 10 devices: 8 pending. Devices that were given it already go on with it." in asked
    page = Onlooker(staff, f"{LIST}{bulk.pk}/")
    reply = staff.post(path)
    assert reply["Location"] == f"{LIST}{bulk.pk}"
    assert {row[1] for row in table(page.look())} == {"Cancelled"}
    assert "8 of the commands are cancelled." in said(staff.get(f"{LIST}{bulk.pk}/"))
    assert states(staff, bulk) == "0 pending 2 sent 0 executed 0 failed 0 timeout 8 cancelled"
    assert states(staff, other) == "0 pending 1 sent 0 executed 0 failed 0 timeout 0 cancelled"
    poll(*fleet)
    assert set(Command.objects.filter(status="sent").values_list("device__name", flat=True)) == {
        "Unit 0000",
        "Unit 0001",
    }
    staff.post(path)
    assert "0 of the commands are cancelled." in said(staff.get(f"{LIST}{bulk.pk}/"))


def test_what_is_not_pending_stays(staff: Client, fleet: list[Device]) -> None:
    bulk = give(fleet[:6])
    for command, status in zip(
        bulk.commands.all(), ("executed", "failed", "timeout", "cancelled", "sent"), strict=False
    ):
        Command.objects.filter(pk=command.pk).update(status=status, sent_at=timezone.now())
    Command.objects.filter(status="pending").update(expires_at=timezone.now())  # and is timed out by that
    before = list(bulk.commands.order_by("pk").values_list("status", flat=True))
    staff.post(f"{LIST}{bulk.pk}/cancel")
    assert list(bulk.commands.order_by("pk").values_list("status", flat=True)) == before


def test_who(staff: Client, signed_in: SignIn, vera: User, client: Client, fleet: list[Device]) -> None:
    bulk = give(fleet)
    for path in (LIST, f"{LIST}{bulk.pk}/", f"{LIST}{bulk.pk}/cancel/"):
        assert signed_in(vera).get(path).status_code == 403
        assert client.get(path)["Location"] == f"/login/?next={path}"
        assert staff.put(path).status_code == 405
    assert signed_in(vera).post(f"{LIST}{bulk.pk}/cancel").status_code == 403
    for number in ("0", "999999999999999999", "x"):
        for tail in ("", "cancel/"):
            assert staff.get(f"{LIST}{number}/{tail}").status_code == 404
    assert Command.objects.filter(status="pending").count() == 10


# --- beside the devices ---


@pytest.mark.parametrize("what", ["command", "change"])
def test_between_two_transactions_others_may_write(
    staff: Client, monkeypatch: pytest.MonkeyPatch, fleet: list[Device], pauses: list[float], what: str
) -> None:
    monkeypatch.setattr(sending, "STEP", 4)
    if what == "command":
        send(staff, fleet, "GET_STATUS")
    else:
        numbers = " ".join(str(device.pk) for device in fleet)
        staff.post(SEND, {"do": "change", "devices": numbers, "sure": "yes", "assigned": "no"})
    assert pauses == [0.0, *[pytest.approx(LEAST)] * (2 if what == "command" else 9)]


@pytest.mark.django_db(transaction=True)
def test_commands_are_made_out_before_their_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a thousand are, SQLite would be nobody else's."""
    inside: list[bool] = []

    def seen(connection: Any, field: Any, value: Any) -> Any:
        inside.append(connection.in_atomic_block)
        return as_given(connection, field, value)

    monkeypatch.setattr(rows, "as_given", seen)
    devices = [Device.objects.create(device_id=f"U-{number}") for number in range(3)]
    fields = {"command_type": "GET_STATUS", "expires_in_hours": 1}
    bulk, made = services.create_bulk(devices=devices, fields=fields, author=None, now=NOON)
    assert (inside.count(True), inside.count(False) > 3 * 10) == (1, True)  # once for the bulk's own key
    assert sorted(bulk.commands.values_list("pk", flat=True)) == sorted(command.pk for command in made.commands)
