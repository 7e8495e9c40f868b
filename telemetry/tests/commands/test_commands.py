"""Commands: created by operators, polled for and reported by devices; time decides what nobody does."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import DeviceState, Enrolment
from device_gateway.tests.conftest import at_once, get, refusal, token_of
from telemetry.models import Command
from telemetry.tests.conftest import MAC, NOON, OTHER_MAC, Esp32
from tests.support.doors import Answer, Door

CREATE = f"/api/device/{MAC}/commands/create/"
WITHIN = {"basic": 7, "standard": 8, "premium": 9}
STATUS = f"/api/device/{MAC}/commands/status/"


@pytest.fixture
def order(door: Door, staff: str, esp32: Esp32) -> Any:
    """Creates a command; its id."""

    def make(command_type: str = "GET_STATUS", **more: Any) -> str:
        answer = door.post(CREATE, {"command_type": command_type, **more}, staff)
        assert answer.status == 201, answer.body
        return str(answer.json()["command_id"])

    return make


def state(door: Door, staff: str) -> str:
    """Of the newest command."""
    return str(get(door, STATUS, staff).json()["recent_commands"][0]["status"])


# --- Operators ---


@pytest.mark.both_doors
def test_create(door: Door, staff: str, esp32: Esp32, olga: User) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = door.post(CREATE, {"command_type": "UPDATE_SETTINGS", "payload": {"a": 1}}, staff)
    command = Command.objects.get()
    assert (answer.status, answer.json()) == (
        201,
        {
            "status": "created",
            "command_id": str(command.command_id),
            "command_type": "UPDATE_SETTINGS",
            "device_id": MAC,
            "expires_at": "2026-03-02T12:00:00Z",
        },
    )
    assert (command.priority, command.payload, command.status, command.created_by) == (
        "normal",
        {"a": 1},
        "pending",
        olga,
    )


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "command_type"),
        ({"command_type": "SELF_DESTRUCT"}, "command_type"),
        ({"command_type": "GET_STATUS", "priority": "urgent"}, "priority"),
        ({"command_type": "GET_STATUS", "payload": []}, "payload"),
        ({"command_type": "GET_STATUS", "payload": {"x": "y" * 4096}}, "payload"),
        ({"command_type": "GET_STATUS", "description": "x" * 501}, "description"),
        ({"command_type": "GET_STATUS", "expires_in_hours": 0}, "expires_in_hours"),
        ({"command_type": "GET_STATUS", "expires_in_hours": 99999}, "expires_in_hours"),
        ({"command_type": "GET_STATUS", "expires_in_hours": "24"}, "expires_in_hours"),
        ({"command_type": "GET_STATUS", "expires_in_hours": True}, "expires_in_hours"),
    ],
)
@pytest.mark.sqlite_only
def test_what_is_no_command(door: Door, staff: str, esp32: Esp32, body: dict[str, Any], field: str) -> None:
    answer = door.post(CREATE, body, staff)
    assert refusal(answer) == (400, "invalid")
    assert list(answer.json()["errors"]) == [field]
    assert Command.objects.count() == 0


def test_a_deployments_own_types(door: Door, staff: str, esp32: Esp32, settings: Settings) -> None:
    settings.COMMAND_TYPES = ["OPEN_DOOR"]
    assert door.post(CREATE, {"command_type": "OPEN_DOOR"}, staff).status == 201


def test_commands_are_staffs(door: Door, esp32: Esp32, order: Any) -> None:
    number = order()
    owner = User.objects.create_user("vera")
    device = esp32.device
    device.owner = owner
    device.save()
    calls: list[tuple[str, str]] = [
        ("POST", CREATE),
        ("GET", STATUS),
        ("POST", "/api/commands/bulk/"),
        ("POST", f"/api/commands/{number}/retry/"),
        ("POST", f"/api/commands/{number}/cancel/"),
    ]
    for method, path in calls:
        for key, status in ((None, 401), (token_of(owner), 403), (esp32.token, 401)):
            headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
            body = b"" if method == "GET" else b"{}"
            assert door.send(method, path, body, headers).status == status, (method, path, key)


def test_bulk(door: Door, staff: str, esp32: Esp32, neighbour: Esp32) -> None:
    ids = [MAC, OTHER_MAC, MAC, "unheard-of", str(esp32.device.pk)]
    answer = door.post("/api/commands/bulk/", {"command_type": "SYNC_TIME", "device_ids": ids}, staff)
    body = answer.json()
    assert (answer.status, body["status"], body["created_count"], body["failed_count"]) == (201, "bulk_created", 2, 1)
    assert [made["device_id"] for made in body["created_commands"]] == [MAC, OTHER_MAC]
    assert body["failed_devices"] == [
        {"device_id": "unheard-of", "error": "There is no such device.", "code": "unknown_device"}
    ]
    assert len(esp32.commands()) == len(neighbour.commands()) == 1
    for wrong in ([], [MAC] * 1001, "x", [1]):
        bad = door.post("/api/commands/bulk/", {"command_type": "SYNC_TIME", "device_ids": wrong}, staff)
        assert refusal(bad) == (400, "invalid")


@pytest.mark.alike
def test_status_counts_by_state(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    for number in range(12):
        order(description=str(number))
    esp32.commands()
    body = get(door, STATUS, staff).json()
    assert body["device_id"] == MAC
    assert body["stats"] == {"total": 12, "pending": 2, "sent": 10, "executed": 0, "failed": 0, "timeout": 0}
    assert [command["description"] for command in body["recent_commands"]] == [
        str(number) for number in range(11, 1, -1)
    ]


def test_cancel(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    number = order()
    path = f"/api/commands/{number}/cancel/"
    answer = door.post(path, {}, staff)
    assert (answer.status, answer.json()) == (200, {"status": "cancelled", "command_id": number})
    assert esp32.commands() == []
    assert refusal(door.post(path, {}, staff)) == (409, "not_pending")
    assert refusal(esp32.report(number, success=True)) == (409, "not_delivered")
    assert refusal(door.post(f"/api/commands/{uuid4()}/cancel/", {}, staff)) == (404, "unknown_command")
    assert refusal(door.post("/api/commands/nonsense/cancel/", {}, staff)) == (404, "unknown_command")


def test_retry(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    number = order("UPDATE_FIRMWARE", expires_in_hours=2)
    path = f"/api/commands/{number}/retry/"
    assert refusal(door.post(path, {}, staff)) == (400, "not_retriable")
    for turn in (1, 2, 3):
        esp32.commands()
        esp32.report(number, success=False, message="no space")
        assert Command.objects.get().error_message == "no space"
        with time_machine.travel(timezone.now() + timedelta(minutes=turn), tick=False):
            answer = door.post(path, {}, staff)
            assert (answer.status, answer.json()["status"], answer.json()["retry_count"]) == (200, "retried", turn)
            assert Command.objects.get().expires_at == timezone.now() + timedelta(hours=2)
    esp32.commands()
    esp32.report(number, success=False)
    assert refusal(door.post(path, {}, staff)) == (400, "too_many_retries")


# --- Devices ---


@pytest.mark.both_doors
def test_a_poll(door: Door, esp32: Esp32, order: Any) -> None:
    with time_machine.travel(NOON, tick=False):
        number = order("SYNC_TIME", payload={"zone": "+8"}, description="d")
        answer = esp32.poll()
    assert (answer.status, answer.json()) == (
        200,
        {
            "commands": [
                {
                    "id": number,
                    "command_id": number,
                    "command_type": "SYNC_TIME",
                    "priority": "normal",
                    "payload": {"zone": "+8"},
                    "description": "d",
                    "created_at": "2026-03-01T12:00:00Z",
                    "expires_at": "2026-03-02T12:00:00Z",
                }
            ],
            "count": 1,
            "device_id": MAC,
            "timestamp": answer.json()["timestamp"],
        },
    )
    command = Command.objects.get()
    assert (command.status, command.sent_at is None) == ("sent", False)
    assert DeviceState.objects.get(device__mac=MAC).last_poll is not None
    assert DeviceState.objects.get(device__mac=MAC).last_seen != DeviceState.objects.get(device__mac=MAC).last_poll


def test_critical_first_then_the_oldest_ten_at_a_time(esp32: Esp32, order: Any) -> None:
    numbers = [
        order("CLEAR_QUEUE", priority=priority)
        for priority in ("low", "normal", "high", "critical", "normal", "critical") * 2
    ]
    first, second = esp32.commands(), esp32.commands()
    assert [command["priority"] for command in first] == ["critical"] * 4 + ["high"] * 2 + ["normal"] * 4
    assert [command["priority"] for command in second] == ["low"] * 2
    assert [command["id"] for command in first[:4]] == [numbers[index] for index in (3, 5, 9, 11)]


@pytest.mark.both_doors
def test_two_polls_at_once_get_a_command_once(esp32: Esp32, order: Any) -> None:
    for _ in range(5):
        order()
    found = at_once(6, lambda _: esp32.commands())
    assert sum(len(commands) for commands in found) == 5


@pytest.mark.both_doors
def test_bad_waits(esp32: Esp32) -> None:
    for wait in ("-1", "31", "x", "nan"):
        assert refusal(esp32.poll(wait=wait)) == (400, "invalid")


@pytest.mark.parametrize(("later", "delivered"), [(119, 0), (120, 1), (121, 1)])
def test_a_repeatable_command_without_a_result_is_delivered_again(
    esp32: Esp32, order: Any, settings: Settings, later: int, delivered: int
) -> None:
    order("GET_STATUS")
    assert len(esp32.commands()) == 1
    sent_at = Command.objects.get().sent_at
    Command.objects.update(sent_at=timezone.now() - timedelta(seconds=later) - timedelta(milliseconds=1))
    assert sent_at is not None
    assert len(esp32.commands()) == delivered


def overdue() -> None:
    Command.objects.update(sent_at=timezone.now() - timedelta(seconds=200))


def test_three_times_at_most(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    number = order("UPDATE_SETTINGS")
    deliveries = 0
    for _ in range(6):
        deliveries += len(esp32.commands())
        overdue()
    assert deliveries == 1 + 3
    assert state(door, staff) == "timeout"
    assert esp32.report(number, success=True).status == 200  # a late result is taken
    assert state(door, staff) == "executed"


def test_any_other_times_out_whether_or_not_anybody_polls(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    order("CLEAR_QUEUE")
    esp32.commands()
    assert state(door, staff) == "sent"
    overdue()
    assert state(door, staff) == "timeout"
    assert get(door, STATUS, staff).json()["stats"]["timeout"] == 1
    assert esp32.commands() == []
    assert Command.objects.get().status == "timeout"


@pytest.mark.parametrize(("seconds", "expected"), [(3, "sent"), (6, "executed")])
def test_a_reboot_is_done_at_the_next_poll(
    door: Door, staff: str, esp32: Esp32, order: Any, seconds: int, expected: str
) -> None:
    order("REBOOT_DEVICE")
    assert len(esp32.commands()) == 1
    Command.objects.update(sent_at=timezone.now() - timedelta(seconds=seconds))
    assert esp32.commands() == []
    assert state(door, staff) == expected


def test_an_expired_command_is_never_delivered(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    order()
    Command.objects.update(expires_at=timezone.now())
    assert state(door, staff) == "timeout"
    assert esp32.commands() == []
    assert state(door, staff) == "timeout"


def test_delivering_clear_memory_lets_the_device_enrol_again(esp32: Esp32, order: Any) -> None:
    esp32.press()
    assert esp32.shake().status == 403
    order("CLEAR_MEMORY")
    assert esp32.shake().status == 403  # not yet delivered
    esp32.commands()
    assert Enrolment.objects.get().counts_from is not None
    esp32.enrol()
    assert esp32.press().status == 200


@pytest.mark.both_doors
def test_a_report(door: Door, staff: str, esp32: Esp32, order: Any) -> None:
    number = order()
    esp32.commands()
    with time_machine.travel(timezone.now() + timedelta(seconds=1), tick=False):
        now = timezone.now()
        answer = esp32.report(
            number,
            success=True,
            message="fine",
            response_data={"heap": 1},
            timestamp=12345,
            current_counters={"basic": 1, "standard": 2, "premium": 3},
            wifi_connected=True,
        )
    assert (answer.status, answer.json()) == (200, {"status": "updated", "command_id": number, "success": True})
    command = Command.objects.get()
    assert (command.status, command.executed_at, command.response_data, command.message) == (
        "executed",
        now,
        {"heap": 1},
        "fine",
    )
    assert (esp32.status.counts, esp32.status.wifi_connected, esp32.last_seen) == (
        {"basic": 1, "standard": 2, "premium": 3},
        True,
        now,
    )
    again = esp32.report(number, success=False, current_counters={"basic": 9, "standard": 9, "premium": 9})
    assert again.json()["success"] is True
    assert esp32.status.counts["basic"] == 1
    assert state(door, staff) == "executed"


def test_a_failed_report(esp32: Esp32, order: Any) -> None:
    number = order("UPDATE_FIRMWARE")
    esp32.commands()
    answer = esp32.report(number, success=False, message="m" * 900, error_message="e" * 900)
    assert answer.json() == {"status": "updated", "command_id": number, "success": False}
    command = Command.objects.get()
    assert (command.status, command.error_message) == ("failed", "e" * 500)


@pytest.mark.alike
@pytest.mark.parametrize(
    ("result", "counts"),
    [
        ({"success": True}, (0, 0, 0)),
        ({"success": True, "current_counters": {"basic": 0, "standard": 1, "premium": 0}}, (0, 1, 0)),
        ({"success": False}, (5, 0, 0)),
        ({"success": True, "response_data": {"current_counters": WITHIN}}, (7, 8, 9)),
        ({"success": False, "response_data": {"current_counters": WITHIN}}, (7, 8, 9)),
        ({"success": True, "response_data": {"current_counters": {"basic": "x"}}}, (0, 0, 0)),
        ({"success": True, "response_data": [WITHIN]}, (0, 0, 0)),
        (
            {
                "success": True,
                "current_counters": {"basic": 0, "standard": 1, "premium": 0},
                "response_data": {"current_counters": WITHIN},
            },
            (0, 1, 0),
        ),
    ],
)
def test_a_counter_reset(esp32: Esp32, order: Any, result: dict[str, Any], counts: tuple[int, ...]) -> None:
    esp32.press(counter=5)
    number = order("RESET_COUNTERS")
    esp32.commands()
    assert esp32.report(number, **result).status == 200
    assert tuple(esp32.status.counts.values()) == counts


@pytest.mark.parametrize(
    "result", [{}, {"success": "yes"}, {"success": None}, {"success": True, "current_counters": {"basic": 1}}]
)
@pytest.mark.both_doors
def test_what_is_no_result(esp32: Esp32, order: Any, result: dict[str, Any]) -> None:
    number = order()
    esp32.commands()
    assert refusal(esp32.report(number, **result)) == (400, "invalid")
    assert Command.objects.get().status == "sent"


@pytest.mark.alike
def test_another_devices_command_is_unknown(door: Door, esp32: Esp32, neighbour: Esp32, order: Any) -> None:
    number = order()
    esp32.commands()
    assert refusal(neighbour.report(number, success=True)) == (404, "unknown_command")
    assert refusal(esp32.report(str(uuid4()), success=True)) == (404, "unknown_command")
    assert esp32.report("nonsense", success=True).status == 404
    path = f"/api/device/{OTHER_MAC}/commands/{number}/"
    assert refusal(door.post(path, {"success": True}, esp32.token)) == (401, "bad_credential")


@pytest.mark.both_doors
def test_without_a_token_or_an_assignment(door: Door, stranger: Esp32) -> None:
    stranger.enrol()
    answer: Answer = stranger.poll()
    assert refusal(answer) == (401, "not_assigned")
    assert refusal(get(door, f"/api/device/{MAC}/commands/")) == (401, "bad_credential")
    assert door.send("DELETE", f"/api/device/{MAC}/commands/").headers["allow"] == "GET"
