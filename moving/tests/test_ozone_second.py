"""The second generation of the Ozone system: times of the press, roles, commands as history."""

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from pytest_django import Settings

from device_gateway.models import Credential, Device
from device_gateway.secret import hash_secret
from moving.tests.conftest import move
from moving.tests.old import MACS, TOKENS, Old, at, person, press
from telemetry.models import Command, DeviceStatus, Machine, MachineDevice
from telemetry.models import TelemetryEvent as Event
from tests.support.doors import Door

pytestmark = pytest.mark.django_db


@pytest.fixture
def furnished(second: Old) -> Old:
    hashed = make_password("good-old-password")
    second.add(
        "telemetry_user",
        person(1, "root", hashed, role="admin", is_superuser=1),
        person(2, "op", hashed, role="operator"),
        person(3, "see", hashed, role="viewer"),
    )
    second.add(
        "telemetry_outlet",
        {"outlet_id": 7, "outlet_name": "East", "pic_sm": "Bo", "sm_number": "12", "region": "Johor",
         "avg_intake_service": 4, "num_machines": 1, "total_sva": 2},
    )  # fmt: skip
    second.add("telemetry_device", {"id": 5, "mac": MACS[0], "device_id": "E", "token": TOKENS[0], "assigned": 1})
    second.add(
        "telemetry_machine",
        {
            "machine_id": 3,
            "machine_code": "E/1",
            "device_id": 5,
            "outlet_id": 7,
            "installed_at": "2025-09-01 00:00:00",
        },
    )
    return second


def test_it_works(furnished: Old) -> None:
    report = move(furnished)
    assert report.differences() == []
    (machine,) = Machine.objects.all()
    assert (machine.name, machine.outlet.name, machine.device.device_id) == ("E/1", "East", "E")  # type: ignore[union-attr]
    assert (machine.outlet.region, machine.outlet.contact_person) == ("Johor", "Bo, 12")  # type: ignore[union-attr]
    (span,) = MachineDevice.objects.all()
    assert (span.assigned_date, span.is_active) == (at("2025-09-01"), True)
    people = {user.username: (user.is_staff, user.is_superuser) for user in User.objects.all()}
    assert people == {"root": (True, True), "op": (True, False), "see": (False, False)}
    assert "the role viewer became not staff" in next(row["why"] for row in report.by_row if row["row"] == "3")


@pytest.mark.parametrize(
    ("words", "occurred_at", "suspect"),
    [
        ("2025-09-26 13:39:08", "2025-09-26 05:39:08", False),  # in Malaysia
        ("2025-01-01T00:00:16", "2025-09-26 06:00:00", True),  # an unset clock
        ("2025-09-26 14:10:00", "2025-09-26 06:10:00", False),
        ("2025-09-26 14:10:01", "2025-09-26 06:00:00", True),  # ahead
        ("soon", "2025-09-26 06:00:00", True),
        (None, "2025-09-26 06:00:00", False),
    ],
)
def test_the_press_is_what_the_device_says(furnished: Old, words: str | None, occurred_at: str, suspect: bool) -> None:
    furnished.add("telemetry_telemetryevent", press(1, "E", "BASIC", "2025-09-26 06:00:00", device_timestamp=words))
    assert move(furnished).differences() == []
    (row,) = Event.objects.all()
    assert (row.occurred_at, row.received_at) == (at(occurred_at), at("2025-09-26 06:00:00"))
    assert (row.clock_suspect, row.device_timestamp) == (suspect, words)


def test_a_clock_that_falls_back(furnished: Old) -> None:
    told = ("2025-09-26 10:00:00", "2025-09-26 09:49:59", "2025-09-26 09:51:00")
    furnished.add(
        "telemetry_telemetryevent",
        *(press(n, "E", "BASIC", f"2025-09-26 06:00:0{n}", device_timestamp=t) for n, t in enumerate(told)),
    )
    assert move(furnished).differences() == []
    rows = Event.objects.order_by("pk")
    assert [row.clock_suspect for row in rows] == [False, True, False]
    assert rows[1].occurred_at == at("2025-09-26 06:00:01")
    assert DeviceStatus.objects.get().newest_ts == at("2025-09-26 02:00:00")


def test_commands_are_history(furnished: Old, door: Door, transactional_db: None) -> None:
    done = {"payload": {}, "created_at": "2025-09-26 06:00:00", "device_id": 5, "created_by_id": 2}
    furnished.add(
        "telemetry_command",
        {"id": 1, "command_id": "9f0b0c5f-0000-4b6c-9f0b-0c5f1d8f2a10", "command_type": "RESET_COUNTERS",
         "priority": "high", "status": "executed", "executed_at": "2025-09-26 06:01:00",
         "response_data": {"current_counters": {"basic": 0, "standard": 0, "premium": 0}}, **done},
        {"id": 2, "command_id": "cmd-2", "command_type": "REBOOT_DEVICE", "priority": "odd", "status": "pending",
         **done},
        {"id": 3, "command_id": "cmd-3", "command_type": "CLEAR_MEMORY", "status": "sent", **done},
    )  # fmt: skip
    report = move(furnished)
    assert report.differences() == []
    found = {c.command_type: (c.status, c.priority) for c in Command.objects.all()}
    assert found == {
        "RESET_COUNTERS": ("executed", "high"),
        "REBOOT_DEVICE": ("cancelled", "normal"),
        "CLEAR_MEMORY": ("cancelled", "normal"),
    }
    reset = Command.objects.get(command_type="RESET_COUNTERS")
    assert reset.counters == {"basic": 0, "standard": 0, "premium": 0}
    assert reset.created_by == User.objects.get(username="op")
    said = [row["why"] for row in report.by_row if row["table"] == "telemetry_command"]
    assert said == [
        "REBOOT_DEVICE for E was pending: it comes cancelled.",
        "CLEAR_MEMORY for E was sent: it comes cancelled.",
    ]
    polled = door.send("GET", "/api/device/E/commands/", headers={"Authorization": f"Bearer {TOKENS[0]}"})
    assert polled.json()["commands"] == []
    assert move(furnished).tables["telemetry_command"].there == 3


def test_a_machine_that_was_here_before_the_move(second: Old, settings: Settings) -> None:
    """It was pointed at the new server first, waited there, and is told who it is."""
    waiting = Device.objects.create(mac=MACS[0], provisional=True)
    Credential.objects.create(device=waiting, hash=hash_secret("x" * 43), prefix="xxxxxxxx")
    second.add("telemetry_device", {"id": 5, "mac": MACS[0], "device_id": "E", "token": TOKENS[0], "assigned": 1})
    second.add("telemetry_telemetryevent", press(1, "E", "BASIC", "2025-09-26 06:00:00"))
    assert move(second).differences() == []
    (device,) = Device.objects.all()
    assert (device.pk, device.device_id, device.assigned, device.provisional) == (waiting.pk, "E", True, False)
    assert Credential.objects.get(revoked_at=None).hash == hash_secret(TOKENS[0])
    assert Event.objects.get().device == device
