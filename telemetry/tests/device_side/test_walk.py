"""The seeds' walks: 001's Postman steps, as a test that reads like them."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from device_gateway.models import Device, DeviceState
from device_gateway.tests.conftest import get, token_of
from telemetry.machines.bindings import register_machine
from telemetry.models import DailyCount, DeviceStatus, HourlyCount, Outlet, TelemetryEvent
from tests.support.doors import Door

pytestmark = pytest.mark.both_doors

MAC = "EC:E3:34:46:2B:C0"


def test_001s_postman_steps(door: Door) -> None:
    # 1) Handshake to get a token
    answer = door.post("/api/handshake/", {"mac": MAC, "firmware": "1.0.0"})
    assert (answer.status, answer.json()) == (
        200,
        {"device_id": MAC, "token": answer.json()["token"], "assigned": False},
    )
    # If `assigned` is false, an operator must give this MAC a device_id first.
    device = Device.objects.get(mac=MAC)
    device.device_id = "esp32-001"
    device.assigned = True
    device.save()
    handshake = door.post("/api/handshake/", {"mac": MAC, "firmware": "1.0.0"}).json()
    assert handshake["device_id"] == "esp32-001"
    assert handshake["assigned"] is True
    # 2) Events ingest
    event: dict[str, Any] = {
        "device_id": "esp32-001",
        "firmware": "1.0.0",
        "event_id": "esp32-001-0000000123",
        "event": "treatment",
        "treatment": "BASIC",
        "counter": 124,
        "ts": "2025-09-16T12:34:56Z",
    }
    for _ in range(2):  # reusing an event_id returns ack without duplicate rows
        answer = door.post("/api/events/", event, handshake["token"])
        assert (answer.status, answer.json()) == (200, {"ack": True, "event_id": "esp32-001-0000000123"})
    assert TelemetryEvent.objects.count() == 1
    status = DeviceStatus.objects.get(device=device)
    assert status.counts == {"basic": 124, "standard": 0, "premium": 0}
    assert [(row.basic, row.standard, row.premium) for row in DailyCount.objects.all()] == [(1, 0, 0)]
    assert [(row.basic, row.standard, row.premium) for row in HourlyCount.objects.all()] == [(1, 0, 0)]


def test_003s_quick_test_flow(door: Door) -> None:
    staff = token_of(User.objects.create_user("olga", is_staff=True))
    # 1) Handshake
    token = door.post("/api/handshake/", {"mac": MAC, "firmware": "1.0.0"}).json()["token"]
    poll = f"/api/device/{MAC}/commands/"
    assert get(door, poll, token).status == 401  # not assigned
    # 2) Assign device to machine
    device = Device.objects.get(mac=MAC)
    outlet = Outlet.objects.create(name="Chai Chee")
    machine = register_machine(device=device, outlet=outlet, name="CH1/027/2024")
    # 3) ESP32 polls commands with Bearer token
    answer = get(door, poll, token)
    assert (answer.status, answer.json()["commands"], answer.json()["count"]) == (200, [], 0)
    assert DeviceState.objects.get(device=device).last_poll is not None
    # 4) Send command
    made = door.post(f"{poll}create/", {"command_type": "RESET_COUNTERS", "priority": "high"}, staff)
    assert made.status == 201
    command_id = made.json()["command_id"]
    (command,) = get(door, poll, token).json()["commands"]
    assert (command["id"], command["command_id"], command["command_type"], command["priority"]) == (
        command_id,
        command_id,
        "RESET_COUNTERS",
        "high",
    )
    assert get(door, poll, token).json()["commands"] == []
    # 5) ESP32 executes and reports result
    DeviceStatus.objects.filter(device=device).update(current_count_basic=7)
    answer = door.post(f"{poll}{command_id}/", {"success": True, "message": "Counters reset"}, token)
    assert (answer.status, answer.json()) == (200, {"status": "updated", "command_id": command_id, "success": True})
    stats = get(door, f"{poll}status/", staff).json()["stats"]
    assert stats == {"total": 1, "pending": 0, "sent": 0, "executed": 1, "failed": 0, "timeout": 0}
    assert DeviceStatus.objects.get(device=device).counts == {"basic": 0, "standard": 0, "premium": 0}
    # 6) Post treatment events with current_counters
    event = {"event_id": f"{MAC}-B00100000042000001", "event": "treatment", "treatment": "PREMIUM", "counter": 1}
    counters = {"basic": 0, "standard": 3, "premium": 1}
    assert door.post("/api/device/events/", {**event, "current_counters": counters}, token).status == 200
    assert DeviceStatus.objects.get(device=device).counts == counters
    stored = TelemetryEvent.objects.get()
    assert (stored.machine_id, stored.outlet_id) == (machine.pk, outlet.pk)
