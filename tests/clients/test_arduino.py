"""The Arduino library's examples, built as sketches and run against the real server, plain and over TLS."""

import subprocess
import zipfile
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.devices import Operator, until
from tests.clients.sketches import Builder, Sketch
from tests.clients.tls import KINDS, speakers
from tests.support import needs
from tests.support.length import length
from tests.support.server import ROOT, LiveServer, fresh_database, live_server

BASIC, STANDARD, PREMIUM = 25, 26, 27
"""Pins of the buttons."""
OTHER_MAC = "EC:E3:34:46:2B:C1"

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.real_server,
    pytest.mark.skipif(needs.arduino() is None, reason="arduino-builder is not here"),
    pytest.mark.skipif(needs.nginx() is None, reason="nginx is not here"),
]


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Builder:
    return Builder(tmp_path_factory.mktemp("arduino"))


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with fresh_database() as url, live_server(url) as running:
        yield running


def test_a_treatment_machine_over_tls(builder: Builder, server: LiveServer, tmp_path: Path) -> None:
    program = builder.build("TreatmentMachine", {r'\.resetReason\("start"\)': '.resetReason("start").poll(300)'})
    operator = Operator(server)
    with speakers(str(needs.nginx()), tmp_path, server.port) as (ports, ca):
        heard = {}
        for kind in KINDS:
            board = Sketch(program, tmp_path / "no flash", ports[kind], ca)
            heard[kind] = board.waits_for("waiting until|no connection").split()[1]
            board.kill()
        assert heard == {"good": "2", "tls 1.2": "2", "other name": "0", "foreign": "0", "expired": "0"}
        board = Sketch(program, tmp_path / "flash", ports["good"], ca)
        try:
            lives(board, operator, server)
        finally:
            board.kill()


def lives(board: Sketch, operator: Operator, server: LiveServer) -> None:
    """Presses and kills, by night of the server, too, and each of the eight commands."""
    promised = [board.press(BASIC)]
    board.waits_for("state 2 assign me")
    board.kill()
    operator.assign()
    board.start()
    board.waits_for("state 3 online")
    for life in range(length(2, 200)):
        server_dies = life and not life % 2
        if server_dies:
            server.kill()
        promised += [board.press(STANDARD) for _ in range(3)]
        if life:
            board.kill()
            board.start()
        if server_dies:
            server.start()
    until(lambda: len(operator.events()) == len(promised))
    assert Counter(event["counter"] for event in operator.events()) == Counter(promised)

    said = {
        "RESET_COUNTERS": ("executed", "counters are 0"),
        "UPDATE_SETTINGS": ("executed", "set"),
        "GET_STATUS": ("executed", "up "),
        "SYNC_TIME": ("executed", "time known"),
        "CLEAR_QUEUE": ("executed", "queue cleared"),
        "UPDATE_FIRMWARE": ("failed", "this firmware is updated by cable"),
    }
    payloads = {"UPDATE_SETTINGS": {"payload": {"beep_ms": 5}}}
    made = {command: operator.command(command, **payloads.get(command, {})) for command in said}
    for command, (status, message) in said.items():
        state = until(partial(ended, operator, made[command]))
        assert state["status"] == status, state
        assert str(state["error_message"] if status == "failed" else state["message"]).startswith(message)

    restart = operator.command("REBOOT_DEVICE")
    board.waits_for("^restart$")
    board.process.wait()
    board.start()
    until(lambda: operator.state(restart)["status"] == "executed")
    forgotten = operator.command("CLEAR_MEMORY")
    until(lambda: operator.state(forgotten)["status"] == "executed")
    assert board.press(PREMIUM) == 1
    assert board.press(BASIC) == 1
    until(lambda: len(operator.events()) == len(promised) + 2)


def ended(operator: Operator, command_id: str) -> dict[str, Any] | None:
    state = operator.state(command_id)
    return None if state["status"] in ("pending", "sent") else state


def test_a_meter_sends_fifty_readings_a_second(builder: Builder, server: LiveServer, tmp_path: Path) -> None:
    """All but those that made room, though the server is away for a while; and it claims once."""
    operator = Operator(server)
    made = operator.http.post("/api/devices/", json={"name": "meter"}).json()
    path = f"/api/devices/{made['device_id']}"
    token = operator.http.post(f"{path}/provision", json={}).json()["token"]
    program = builder.build("EnergyMeter", {r'PROVISIONING_TOKEN = "".*': f'PROVISIONING_TOKEN = "{token}";'})
    board = Sketch(program, tmp_path / "flash", server.port)
    try:
        board.waits_for("state 3")
        server.kill()
        board.waits_for("state 0")
        server.start()
        board.waits_for("state 3")
        until(lambda: len(numbers(operator, path, 1)) > 300)
        made_room = [int(board.waits_for("made room").split()[-3])]
        board.kill()
        board.start()  # with the key it has on flash
        until(lambda: len(numbers(operator, path, 2)) > 50)
        made_room.append(int(board.waits_for("made room").split()[-3]))
    finally:
        board.kill()
    for boot, room in enumerate(made_room, 1):
        stored = numbers(operator, path, boot)
        assert len(set(stored)) == len(stored)
        assert stored[-1] - len(stored) <= room


def numbers(operator: Operator, path: str, boot: int) -> list[int]:
    rows = operator.http.get(f"{path}/telemetry?limit=5000").json()["results"]
    ids = [row["payload"]["message_id"].split("-") for row in rows]
    return sorted(int(number) for _, of, number in ids if int(of) == boot)


def test_a_machine_in_the_field_changes_firmware(builder: Builder, server: LiveServer, tmp_path: Path) -> None:
    """Here over a Client of the board, as in other people's sketches."""
    edits = {
        r"OzoneTcp tcp;\nOzoneTls tls.*": "WiFiClient client;",
        r"OzoneDevice ozone\(.*": "OzoneDevice ozone(client, store);",
    }
    program = builder.build("FieldMigration", edits)
    operator = Operator(server)
    met = httpx.post(f"{server.url}/api/handshake/", json={"mac": OTHER_MAC}).json()
    assert operator.http.patch(f"/api/devices/{OTHER_MAC}/", json={"assigned": True}).is_success
    bearer = {"Authorization": f"Bearer {met['token']}"}
    assert httpx.get(f"{server.url}/api/device/{OTHER_MAC}/commands/", headers=bearer).is_success

    flash = tmp_path / "flash"
    flash.mkdir()
    eeprom = bytearray(b"\xff" * 512)
    for at, text in ((140, met["device_id"]), (204, met["token"])):
        eeprom[at : at + len(text) + 1] = text.encode() + b"\0"
    (flash / "eeprom").write_bytes(eeprom)
    board = Sketch(program, flash, server.port, mac=OTHER_MAC)
    board.waits_for("identity taken over")
    board.waits_for("state 3 online")
    board.kill()
    (flash / "eeprom").unlink()  # once is enough
    board.start()
    board.waits_for("state 3 online")
    board.kill()

    board = Sketch(program, tmp_path / "empty", server.port, mac=OTHER_MAC)
    board.waits_for("no identity in the EEPROM")
    assert board.waits_for("state 4").endswith("press Allow re-enrolment on its page")
    board.kill()


def test_the_zip_holds_the_one_core(tmp_path: Path) -> None:
    subprocess.run(["make", "-s", "arduino", f"ARDUINO={tmp_path}"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    with zipfile.ZipFile(tmp_path / "OzoneTelemetry.zip") as packed:
        core = packed.read("OzoneTelemetry/src/core/src/queue.c")
        names = packed.namelist()
    assert core == (ROOT / "clients/core/src/queue.c").read_bytes()
    for name in ("library.properties", "keywords.txt", "src/OzoneTelemetry.h", "src/core/include/ozone.h"):
        assert f"OzoneTelemetry/{name}" in names
