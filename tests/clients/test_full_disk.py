"""Each kind of client on a full disk: it refuses, loses nothing that it took, and goes on once there is room."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.devices import MAC, Device, Operator, until
from tests.clients.sketches import Builder, Sketch
from tests.support import needs
from tests.support.hazards import fill, small_disk
from tests.support.length import IS_LONG
from tests.support.server import ROOT, fresh_database, live_server

CORE = ROOT / "clients" / "core"
MICROPYTHON = ROOT / "clients" / "micropython"
PROGRAMS = ROOT / "tests" / "clients"
BASIC = 25
"""A button's pin."""
PRESSES = 100
"""More than fit into what is left of a file's last block."""

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.real_server,
    pytest.mark.skipif(not IS_LONG, reason="a disk of its own by night only"),
]


def core(tmp_path: Path, folder: Path, port: int) -> list[str]:
    if not (needs.gcc() and needs.mbedtls()):
        pytest.skip("gcc is not here")
    program = tmp_path / "machine"
    stores = [CORE / "stores" / name for name in ("oz_files.c", "oz_posix.c")]
    sources = [*sorted(CORE.glob("src/*.c")), *stores, CORE / "host" / "machine.c"]
    subprocess.run(["gcc", "-std=c99", "-O1", "-o", program, *sources], check=True)
    folder.mkdir()
    return [str(program), str(folder), "127.0.0.1", str(port), MAC, "nodate"]


def micropython(_: Path, folder: Path, port: int) -> list[str]:
    interpreter = needs.micropython()
    if interpreter is None:
        pytest.skip("micropython is not here")
    program = str(PROGRAMS / "on_micropython" / "machine.py")
    return [interpreter, program, str(MICROPYTHON), str(folder), f"http://127.0.0.1:{port}", MAC, "nodate"]


def python(_: Path, folder: Path, port: int) -> list[str]:
    folder.mkdir()
    program = str(PROGRAMS / "machine.py")
    return [sys.executable, program, str(ROOT / "clients/python"), str(folder), f"http://127.0.0.1:{port}", MAC]


@contextmanager
def running(command: list[str]) -> Iterator[Device]:
    device = Device(*command)
    try:
        yield device
    finally:
        device.kill()


@pytest.mark.parametrize("kind", [core, micropython, python], ids=lambda kind: kind.__name__)
def test_a_full_disk_costs_no_press_that_was_taken(kind: object, tmp_path: Path) -> None:
    assert callable(kind)
    with small_disk() as disk, fresh_database() as url, live_server(url) as server:
        operator = Operator(server)
        with running(kind(tmp_path, disk / "flash", server.port)) as device:
            assert device.promised("press B 1")
            promised = [1]
            device.waits_until("state 2")
            operator.assign()
            device.waits_until("state 3 queued 0")

            server.kill()
            filler = fill(disk)
            promised += [counter for counter in range(2, PRESSES) if device.promised(f"press B {counter}")]
            assert len(promised) < PRESSES - 1, "the disk was not full"
            device.kill()
            filler.unlink()
            device.start()  # not even a start changes what it has promised
            assert "state 0" in device.ask("state")
            filler = fill(disk)
            refused = [counter for counter in range(PRESSES, 2 * PRESSES) if not device.promised(f"press B {counter}")]
            promised += sorted(set(range(PRESSES, 2 * PRESSES)) - set(refused))
            assert refused
            server.start()
            device.waits_until("state 3", 330)
            if kind is not python:  # what has been sent makes room; SQLite needs room for that
                device.waits_until("queued 0")
            filler.unlink()
            assert device.promised("press B 1000")
            device.waits_until("queued 0", 330)
        stored = Counter(event["counter"] for event in operator.events())
        assert stored == Counter([*promised, 1000])


@pytest.mark.skipif(needs.arduino() is None, reason="arduino-builder is not here")
def test_nor_does_it_cost_a_sketch_one(tmp_path: Path) -> None:
    program = Builder(tmp_path / "arduino").build("TreatmentMachine", {})
    with small_disk() as disk, fresh_database() as url, live_server(url) as server:
        operator = Operator(server)
        board = Sketch(program, disk / "flash", server.port)
        try:
            promised = [board.press(BASIC)]
            board.waits_for("state 2 assign me")
            operator.assign()
            board.waits_for("state 3 online")
            until(lambda: len(operator.events()) == 1)

            filler = fill(disk)
            for _ in range(PRESSES):
                board.touch(BASIC)
                said = board.waits_for("promised|not taken").split()
                if said[0] == "not":
                    break
                promised.append(int(said[2]))
            assert said[0] == "not", "the disk was not full"
            until(lambda: len(operator.events()) == len(promised))
            filler.unlink()
            promised.append(board.press(BASIC))
            assert promised == list(range(1, len(promised) + 1))
            until(lambda: len(operator.events()) == len(promised))
        finally:
            board.kill()
        assert Counter(event["counter"] for event in operator.events()) == Counter(promised)
