"""Commands that a firmware does not survive: refused wherever they would set out."""

from typing import Any

import pytest
from pytest_django.fixtures import Settings

from device_gateway.models import Device
from device_gateway.tests.conftest import refusal
from telemetry.models import Command
from telemetry.tests.conftest import MAC, OTHER_MAC, Esp32
from tests.support.doors import Answer, Door

CREATE = f"/api/device/{MAC}/commands/create/"
WHY = "REBOOT_DEVICE is known to harm devices with firmware 1.0.0-sim."
REFUSED = (409, {"detail": WHY, "code": "unsafe_for_firmware"})


def runs(device: Device, firmware: str) -> None:
    Device.objects.filter(pk=device.pk).update(firmware=firmware)


@pytest.fixture
def sim(esp32: Esp32) -> Esp32:
    """Its firmware restarts for ever once it is told to."""
    runs(esp32.device, "1.0.0-sim")
    return esp32


@pytest.fixture
def create(door: Door, staff: str) -> Any:
    def make(kind: str = "REBOOT_DEVICE", **more: Any) -> Answer:
        return door.post(CREATE, {"command_type": kind, **more}, staff)

    return make


def test_it_is_refused(sim: Esp32, create: Any) -> None:
    answer = create()
    assert (answer.status, answer.json()) == REFUSED
    assert Command.objects.count() == 0
    assert create("GET_STATUS").status == 201


@pytest.mark.parametrize("firmware", ["", "1.0.0", "1.0.0-sim2", "1.0.0-SIM", "v1.0.0-sim"])
@pytest.mark.alike
def test_only_that_very_firmware(esp32: Esp32, create: Any, firmware: str) -> None:
    runs(esp32.device, firmware)
    assert create().status == 201
    assert [command["command_type"] for command in esp32.commands()] == ["REBOOT_DEVICE"]


def test_the_setting_names_others(sim: Esp32, create: Any, settings: Settings) -> None:
    settings.UNSAFE_COMMANDS = ["GET_STATUS@1.0.0-sim", "OPEN_DOOR@2"]
    settings.COMMAND_TYPES = ["OPEN_DOOR"]
    assert refusal(create("GET_STATUS")) == (409, "unsafe_for_firmware")
    assert create().status == create("OPEN_DOOR").status == 201
    settings.UNSAFE_COMMANDS = []
    assert create("GET_STATUS").status == 201


@pytest.mark.alike
def test_forced_it_goes_all_the_way(door: Door, staff: str, sim: Esp32, create: Any) -> None:
    command_id = create(force=True).json()["command_id"]
    assert [command["id"] for command in sim.commands()] == [command_id]
    sim.report(command_id, success=False)
    assert door.post(f"/api/commands/{command_id}/retry/", {}, staff).status == 200
    assert [command["id"] for command in sim.commands()] == [command_id]


@pytest.mark.parametrize("force", ["yes", 1, None])
@pytest.mark.alike
def test_force_is_true_or_false(sim: Esp32, create: Any, force: Any) -> None:
    answer = create(force=force)
    assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["force"])


@pytest.mark.alike
def test_a_retry(door: Door, staff: str, esp32: Esp32, create: Any) -> None:
    command_id = create().json()["command_id"]
    esp32.commands()
    esp32.report(command_id, success=False, message="no")
    runs(esp32.device, "1.0.0-sim")
    answer = door.post(f"/api/commands/{command_id}/retry/", {}, staff)
    assert (answer.status, answer.json()) == REFUSED
    command = Command.objects.get()
    assert (command.status, command.retry_count, command.error_message) == ("failed", 0, "no")


@pytest.mark.alike
def test_a_bulk(door: Door, staff: str, sim: Esp32, neighbour: Esp32) -> None:
    wanted = {"command_type": "REBOOT_DEVICE", "device_ids": [MAC, OTHER_MAC, "unheard-of"]}
    answer = door.post("/api/commands/bulk/", wanted, staff)
    made = Command.objects.get()
    assert (answer.status, answer.json()) == (
        201,
        {
            "status": "bulk_created",
            "created_count": 1,
            "failed_count": 2,
            "created_commands": [{"command_id": str(made.command_id), "device_id": OTHER_MAC}],
            "failed_devices": [
                {"device_id": "unheard-of", "error": "There is no such device.", "code": "unknown_device"},
                {"device_id": MAC, "error": WHY, "code": "unsafe_for_firmware"},
            ],
        },
    )
    forced = door.post("/api/commands/bulk/", {**wanted, "force": True}, staff)
    assert (forced.json()["created_count"], forced.json()["failed_count"]) == (2, 1)


def test_at_delivery_it_fails(door: Door, staff: str, esp32: Esp32, create: Any) -> None:
    """Made while the device had another firmware."""
    command_id = create().json()["command_id"]
    other = create("GET_STATUS").json()["command_id"]
    runs(esp32.device, "1.0.0-sim")
    assert [command["id"] for command in esp32.commands()] == [other]
    command = Command.objects.get(command_id=command_id)
    assert (command.status, command.error_message) == ("failed", f"unsafe_for_firmware: {WHY}")
    assert (command.sent_at, command.deliveries, command.executed_at) == (None, 0, None)
    assert esp32.commands() == []


def test_delivered_again_it_fails_too(esp32: Esp32, create: Any, settings: Settings) -> None:
    """The device took another firmware between two deliveries."""
    settings.COMMAND_RESULT_SECONDS = 0
    settings.UNSAFE_COMMANDS = ["GET_STATUS@2"]
    create("GET_STATUS")
    assert len(esp32.commands()) == len(esp32.commands()) == 1
    runs(esp32.device, "2")
    assert esp32.commands() == []
    assert Command.objects.get().status == "failed"


@pytest.mark.alike
def test_a_neighbours_firmware_counts_for_nothing(sim: Esp32, neighbour: Esp32, door: Door, staff: str) -> None:
    door.post(f"/api/device/{OTHER_MAC}/commands/create/", {"command_type": "REBOOT_DEVICE"}, staff)
    assert [command["command_type"] for command in neighbour.commands()] == ["REBOOT_DEVICE"]
