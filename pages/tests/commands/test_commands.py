"""A device's commands: what the page says of each, and what staff may do about them."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from device_gateway.models import Device
from pages.commands.forms import CommandForm
from pages.tests.conftest import SignIn
from pages.tests.onlooker import Onlooker, table, text
from pages.tests.ozone import NOON, UNIT
from telemetry.commands import services as commands
from telemetry.commands.payloads import read_result
from telemetry.commands.polling import Poll, store_polls
from telemetry.models import Command

COMMANDS = f"{UNIT}commands/"
FILLED = {"command_type": "GET_STATUS", "priority": "normal", "expires_in_hours": "24"}


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def make(device: Device, author: User | None = None, **fields: Any) -> Command:
    wanted = {"command_type": "GET_STATUS", "expires_in_hours": 24, **fields}
    return commands.create(device=device, fields=wanted, author=author, now=timezone.now())


def poll(device: Device) -> list[Command]:
    [delivered] = store_polls(connection, [Poll(device.pk, timezone.now(), seat=1)])
    return delivered or []


def report(command: Command, **result: Any) -> None:
    commands.report(
        device=command.device_id,
        command_id=str(command.command_id),
        result=read_result(result),
        received_at=timezone.now(),
    )


def words(client: Client, path: str = COMMANDS) -> list[list[str]]:
    return table(client.get(path), "commands")


def said(reply: Any) -> str:
    return text(re.sub(r"<(script|style).*?</\1>", "", reply.content.decode(), flags=re.DOTALL))


# --- what the page says ---


def test_from_pending_to_executed(staff: Client, olga: User, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        command = make(unit, olga, command_type="RESET_COUNTERS", priority="critical", description="Month end")
        until = "until 2026-03-02 12:00"
        at_noon = "2026-03-01 12:00:00"
        name = "RESET_COUNTERS critical Month end"
        page = Onlooker(staff, COMMANDS)
        assert words(staff) == [[name, f"Pending {until}", f"{at_noon} by olga", "—", "—", "—", "Cancel"]]
        clock.shift(20)
        assert poll(unit) == [command]
        sent = "2026-03-01 12:00:20"
        assert table(page.look()) == [[name, "Sent", f"{at_noon} by olga", sent, "—", "—", ""]]
        clock.shift(1)
        report(command, success=True, message="Done")
        done = "2026-03-01 12:00:21"
        result = "Done basic 0 · standard 0 · premium 0"
        assert table(page.look()) == [[name, "Executed", f"{at_noon} by olga", sent, done, result, ""]]
        assert "1 executed" in said(page.look())


def test_failed_with_payload_and_response(staff: Client, unit: Device) -> None:
    command = make(unit, command_type="UPDATE_SETTINGS", payload={"poll_seconds": 30})
    poll(unit)
    report(command, success=False, error_message="No <room>", response_data={"free": 12})
    [[name, state, _, _, _, result, action]] = words(staff)
    assert name == 'UPDATE_SETTINGS Payload {"poll_seconds": 30}'
    assert (state, result, action) == ("Failed", 'No <room> Response {"free": 12}', "Retry")


@pytest.mark.parametrize(
    ("polls", "seconds", "reason"),
    [(False, 86_400, "Not asked for in time."), (True, 120, "Sent, but no result came.")],
)
def test_time_alone_makes_a_timeout(staff: Client, unit: Device, polls: bool, seconds: int, reason: str) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        make(unit, command_type="CLEAR_QUEUE")
        if polls:
            poll(unit)
        page = Onlooker(staff, COMMANDS)
        clock.shift(seconds - 1)
        assert table(page.look()) == []
        clock.shift(1)
        [[_, state, _, _, _, result, action]] = table(page.look())
    assert (state, result, action) == ("Timeout", reason, "Retry")


def test_counts_of_all_states(staff: Client, unit: Device) -> None:
    for status in ("pending", "sent", "sent", "executed", "failed", "timeout", "cancelled", "cancelled"):
        Command.objects.filter(pk=make(unit).pk).update(status=status, sent_at=timezone.now())
    html = staff.get(COMMANDS).content.decode()
    [tally] = re.findall(r'<ul class="tally".*?</ul>', html, re.DOTALL)
    assert text(tally) == "1 pending 2 sent 1 executed 1 failed 1 timeout 2 cancelled"


def test_the_newest_first_and_in_pages(staff: Client, unit: Device) -> None:
    made = [make(unit, description=f"number {number}") for number in range(51)]
    first, second = words(staff), words(staff, f"{COMMANDS}?page=2")
    assert [row[0] for row in first] == [f"GET_STATUS {command.description}" for command in reversed(made[1:])]
    assert [row[0] for row in second] == ["GET_STATUS number 0"]


def test_none_yet(staff: Client, signed_in: SignIn, vera: User, unit: Device) -> None:
    assert "Send one: it waits here until the device asks for it." in said(staff.get(COMMANDS))
    for_vera = said(signed_in(vera).get(COMMANDS))
    assert "No command has been sent to this device yet." in for_vera
    assert "Send" not in for_vera


def test_why_a_command_waits(staff: Client, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        page = Onlooker(staff, COMMANDS)
        assert "Has never asked for commands. An Ozone machine asks about every 30 seconds." in said(
            staff.get(COMMANDS)
        )
        poll(unit)
        assert "Asked for commands 2026-03-01 12:00:00 . It asks about every 30 seconds." in said(page.look())
        page = Onlooker(staff, COMMANDS)
        clock.shift(90)
        assert page.look().status_code == 204
        clock.shift(1)
        assert "What is pending waits until it asks again, or expires." in said(page.look())
        unit.assigned = False
        unit.save()
        assert "It is not assigned: it gets no command until it is." in said(staff.get(COMMANDS))


def test_an_unchanged_page_is_one_query(
    staff: Client, unit: Device, meter: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make(unit)
    with time_machine.travel(timezone.now(), tick=False):
        page = Onlooker(staff, COMMANDS)
        page.look()  # from now on she is known
        with django_assert_num_queries(2):  # who looks, and the version
            reply = page.look()
    assert (reply.status_code, reply.content) == (204, b"")


def test_queries_do_not_grow_with_the_commands(
    staff: Client, unit: Device, olga: User, django_assert_max_num_queries: Any
) -> None:
    for _ in range(40):
        make(unit, olga)
    with django_assert_max_num_queries(9):
        staff.get(COMMANDS)


# --- who sees it ---


def test_an_owner_looks_and_does_not_act(signed_in: SignIn, vera: User, unit: Device) -> None:
    command = make(unit)
    client = signed_in(vera)
    assert [row[-1] for row in words(client)] == [""]
    for path in ("send/", f"{command.command_id}/retry/", f"{command.command_id}/cancel/"):
        for method in ("get", "post"):
            assert getattr(client, method)(f"{COMMANDS}{path}", FILLED).status_code == 403
    assert Command.objects.get().status == "pending"


def test_a_stranger_finds_nothing(signed_in: SignIn, sam: User, unit: Device, client: Client) -> None:
    assert signed_in(sam).get(COMMANDS).status_code == 404
    assert client.get(COMMANDS)["Location"] == f"/login/?next={COMMANDS}"


@pytest.mark.parametrize("name", ["nobody", "%00", "9" * 400, "%F0%9F%92%A7"])
def test_no_such_device(staff: Client, unit: Device, name: str) -> None:
    for path in ("", "send/"):
        assert staff.get(f"/devices/{name}/commands/{path}").status_code == 404


@pytest.mark.parametrize("name", ["x", "%00", "0" * 500, "00000000-0000-0000-0000-000000000000"])
def test_no_such_command(staff: Client, unit: Device, name: str) -> None:
    for action in ("retry", "cancel"):
        assert staff.post(f"{COMMANDS}{name}/{action}/").status_code == 404


def test_another_devices_command_is_not_here(staff: Client, unit: Device, meter: Device) -> None:
    other = make(meter)
    assert staff.post(f"{COMMANDS}{other.command_id}/cancel/").status_code == 404
    assert Command.objects.get().status == "pending"


def test_wrong_method(staff: Client, unit: Device) -> None:
    assert staff.post(COMMANDS)["Allow"] == "GET, HEAD"
    for path in ("send", f"{make(unit).command_id}/retry", f"{make(unit).command_id}/cancel"):
        reply = staff.delete(f"{COMMANDS}{path}")
        assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD, POST")


# --- sending ---


def test_send(staff: Client, olga: User, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False):
        reply = staff.post(
            f"{COMMANDS}send/",
            {
                "command_type": "UPDATE_SETTINGS",
                "priority": "high",
                "description": "For the summer",
                "payload": ' {"poll_seconds": 30} ',
                "expires_in_hours": "1.5",
            },
        )
    assert (reply.status_code, reply["Location"]) == (302, f"{UNIT}commands")
    command = Command.objects.get()
    assert (command.device, command.created_by) == (unit, olga)
    assert (command.command_type, command.priority, command.status) == ("UPDATE_SETTINGS", "high", "pending")
    assert (command.description, command.payload) == ("For the summer", {"poll_seconds": 30})
    assert command.expires_at - command.created_at == timedelta(hours=1.5)
    assert "UPDATE_SETTINGS waits for Ozone unit 1 to ask for it." in said(staff.get(COMMANDS))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("command_type", "", "This field is required."),
        ("command_type", "SELF_DESTRUCT", "Select a valid choice."),
        ("priority", "urgent", "Select a valid choice."),
        ("description", "x" * 501, "at most 500 characters"),
        ("payload", '{"a": }', "Not valid JSON, in line 1 at character 7: Expecting value."),
        ("payload", "{\n 'a': 1}", "Not valid JSON, in line 2 at character 2"),
        ("payload", "[1]", "Must be an object."),
        ("payload", '{"a": NaN}', "The payload is not valid JSON"),
        ("payload", '{"a": "\\u0000"}', "U+0000 cannot be stored."),
        ("payload", '{"a": "' + "y" * 4096 + '"}', "At most 4 KiB."),
        ("payload", "[" * 5000, "nested deeper than 32 levels"),
        ("expires_in_hours", "", "This field is required."),
        ("expires_in_hours", "0", "Must be more than 0."),
        ("expires_in_hours", "-1", "Must be more than 0."),
        ("expires_in_hours", "8761", "less than or equal to 8760"),
        ("expires_in_hours", "nan", "Enter a number."),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_command(staff: Client, unit: Device, field: str, value: str, sentence: str) -> None:
    reply = staff.post(f"{COMMANDS}send/", {**FILLED, field: value})
    assert reply.status_code == 200
    html = reply.content.decode()
    [errors] = re.findall(r'<ul class="errorlist"[^>]*>(.*?)</ul>', html, re.DOTALL)
    assert sentence.lower() in text(errors).lower()
    assert f'id="id_{field}_error"' in html
    assert Command.objects.count() == 0


def test_a_type_of_the_deployments_own(staff: Client, unit: Device, settings: Settings) -> None:
    settings.COMMAND_TYPES = ["OPEN_VALVE"]
    assert '<option value="OPEN_VALVE">OPEN_VALVE</option>' in staff.get(f"{COMMANDS}send/").content.decode()
    staff.post(f"{COMMANDS}send/", {**FILLED, "command_type": "OPEN_VALVE"})
    assert Command.objects.get().command_type == "OPEN_VALVE"


def test_the_form_tells_of_a_silent_device(staff: Client, unit: Device) -> None:
    silent = "It does not ask for commands now. What you send waits until it does, or expires."
    assert silent in said(staff.get(f"{COMMANDS}send/"))
    poll(unit)
    assert silent not in said(staff.get(f"{COMMANDS}send/"))


# --- retry and cancel ---


def test_retry(staff: Client, unit: Device) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        command = make(unit, expires_in_hours=1)
        poll(unit)
        report(command, success=False, message="Busy")
        clock.shift(600)
        path = f"{COMMANDS}{command.command_id}/retry/"
        assert "Retry GET_STATUS" in said(staff.get(path))
        assert Command.objects.get().status == "failed"
        reply = staff.post(path, {"next": COMMANDS})
        assert (reply.status_code, reply["Location"]) == (302, COMMANDS)
        [[_, state, created, sent, finished, result, action]] = words(staff)
        command.refresh_from_db()
    assert (command.retry_count, command.expires_at) == (1, NOON + timedelta(seconds=600 + 3600))
    assert state == "Pending until 2026-03-01 13:10"
    assert created.endswith("retry 1, 2026-03-01 12:10:00")
    assert (sent, finished, result, action) == ("—", "—", "—", "Cancel")


def test_a_retry_that_cannot_be(staff: Client, unit: Device) -> None:
    command = make(unit)
    reply = staff.post(f"{COMMANDS}{command.command_id}/retry/")
    assert reply.status_code == 400
    assert "Only a failed or timed-out command can be retried." in said(reply)
    Command.objects.update(status="failed", retry_count=3)
    assert [row[-1] for row in words(staff)] == [""]
    assert "A command can be retried 3 times." in said(staff.post(f"{COMMANDS}{command.command_id}/retry/"))
    assert Command.objects.get().status == "failed"


def test_no_retry_is_offered_that_the_device_would_not_survive(staff: Client, unit: Device) -> None:
    command = make(unit, command_type="REBOOT_DEVICE")
    Command.objects.update(status="failed")
    assert [row[-1] for row in words(staff)] == ["Retry"]
    Device.objects.update(firmware="1.0.0-sim")
    assert [row[-1] for row in words(staff)] == [""]
    reply = staff.post(f"{COMMANDS}{command.command_id}/retry/")
    assert reply.status_code == 409
    assert "REBOOT_DEVICE is known to harm devices with firmware 1.0.0-sim." in said(reply)
    make(unit, command_type="REBOOT_DEVICE", force=True)
    Command.objects.update(status="failed")
    assert [row[-1] for row in words(staff)] == ["Retry", ""]


def test_cancel(staff: Client, unit: Device) -> None:
    command = make(unit, description="By mistake")
    path = f"{COMMANDS}{command.command_id}/cancel"
    page = said(staff.get(path))
    assert "Cancel GET_STATUS For Ozone unit 1. By mistake Cancel the command Keep it" in page
    assert staff.post(path)["Location"] == f"{UNIT}commands"
    assert Command.objects.get().status == "cancelled"
    assert poll(unit) == []


def test_a_cancel_that_comes_too_late(staff: Client, unit: Device) -> None:
    command = make(unit)
    poll(unit)
    reply = staff.post(f"{COMMANDS}{command.command_id}/cancel/")
    assert reply.status_code == 409
    assert "Only a pending command can be cancelled." in said(reply)
    assert Command.objects.get().status == "sent"


def test_a_command_that_its_firmware_does_not_survive(staff: Client, unit: Device) -> None:
    Device.objects.filter(pk=unit.pk).update(firmware="1.0.0-sim")
    wanted = {**FILLED, "command_type": "REBOOT_DEVICE"}
    refused = staff.post(f"{COMMANDS}send/", wanted)
    assert refused.status_code == 409
    assert "REBOOT_DEVICE is known to harm devices with firmware 1.0.0-sim." in said(refused)
    assert not Command.objects.exists()
    assert staff.post(f"{COMMANDS}send/", {**wanted, "force": "on"}).status_code == 302
    assert Command.objects.get().is_forced


def test_the_form_says_what_each_does(settings: Settings) -> None:
    settings.COMMAND_TYPES = ["OPEN_DOOR"]
    choices: Any = CommandForm().fields["command_type"].choices  # type: ignore[attr-defined]
    assert dict(choices) == {
        "": "Choose a command",
        "RESET_COUNTERS": "RESET_COUNTERS: counters to zero; cannot be taken back",
        "CLEAR_MEMORY": "CLEAR_MEMORY: forget name and token, and enrol again; cannot be taken back",
        "CLEAR_QUEUE": "CLEAR_QUEUE: drop events not sent yet; cannot be taken back",
        "REBOOT_DEVICE": "REBOOT_DEVICE: restart; cannot be taken back",
        "UPDATE_SETTINGS": "UPDATE_SETTINGS: take the settings in the payload",
        "GET_STATUS": "GET_STATUS: report its status",
        "SYNC_TIME": "SYNC_TIME: set its clock",
        "UPDATE_FIRMWARE": "UPDATE_FIRMWARE: load new firmware",
        "OPEN_DOOR": "OPEN_DOOR",
    }
