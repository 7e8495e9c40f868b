"""Each kind of client on a full disk: it refuses, loses nothing that it took, and goes on once there is room."""

import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ozone_telemetry_client import Command, Queue, QueueFailed, Result, Settings, State
from ozone_telemetry_client import Device as PythonDevice
from ozone_telemetry_client.conversation import Answer, Conversation

from tests.clients.conversations import Clock, conversation, welcome
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
IN_PREFERENCES = {
    "#include <OzoneLittleFS.h>": "#include <OzonePreferences.h>",
    r"OzoneLittleFS store\(LittleFS\)": 'OzonePreferences store("ozone")',
}
PRESSES = 100
"""More than fit into what is left of a file's last block."""

pytestmark = pytest.mark.sqlite_only


# --------------------------------------------------------------------------- the Python client's file


def full(queue: Queue) -> None:
    """No page more than it has, as on a full disk."""
    (pages,) = queue._database.execute("PRAGMA page_count").fetchone()
    queue._database.execute(f"PRAGMA max_page_count = {pages}")


def roomy(queue: Queue) -> None:
    queue._database.execute("PRAGMA max_page_count = 100000")


def presses_until_refused(talk: Conversation) -> list[str]:
    taken: list[str] = []

    def presses() -> None:
        while True:
            taken.append(talk.press("BASIC", len(taken)))

    with pytest.raises(QueueFailed, match="full"):
        presses()
    return taken


def test_a_full_disk_refuses_and_all_that_was_taken_is_there(tmp_path: Path) -> None:
    talk = conversation(tmp_path, Clock())
    welcome(talk)
    full(talk.queue)
    taken = presses_until_refused(talk)
    assert len(talk.queue) == len(taken) > 1
    with pytest.raises(QueueFailed):
        talk.press("BASIC", 1)
    talk.queue.drop_oldest, talk.queue.capacity = True, len(taken)
    with pytest.raises(QueueFailed):
        talk.reading({"long": "x" * 20_000})
    assert (len(talk.queue), talk.queue.dropped) == (len(taken), 0)
    assert [record.body["event_id"] for record in talk.queue.oldest(1000)] == taken
    roomy(talk.queue)
    talk.reading({"long": "x" * 20_000})
    assert (len(talk.queue), talk.queue.dropped) == (len(taken), 1)


def test_a_command_on_a_full_disk_is_not_begun_and_one_that_was_done_is_told(tmp_path: Path) -> None:
    done: list[str] = []

    def reset(command: Command) -> Result:
        done.append(command.command_id)
        return Result(True, "x" * 200_000)

    talk = conversation(tmp_path, Clock(), handlers={"RESET_COUNTERS": reset})
    welcome(talk)
    full(talk.queue)
    poll = talk.next_request()
    assert poll is not None
    commands = [{"command_id": name, "command_type": "RESET_COUNTERS"} for name in ("c1", "c2" * 5000)]
    talk.answered(poll, Answer(200, {"commands": commands}))
    talk.answered(poll, Answer(200, {"commands": commands}))
    assert done == ["c1"]
    assert talk.next_request() is None
    roomy(talk.queue)
    told = []
    for _ in commands:
        report = talk.next_request()
        assert report is not None and report.job == "result"
        told.append((report.about.command_id, report.body["success"]))
        talk.answered(report, Answer(200, {"status": "updated"}))
    assert told == [("c1", True), ("c2" * 5000, False)]


@pytest.mark.real_server
def test_a_thread_outlives_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """Locked by another process; `why` says so, and what was taken before goes out after."""
    with fresh_database() as url, live_server(url) as server:
        operator = Operator(server)
        queue = Queue(tmp_path / "queue.sqlite3")
        queue._database.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(tmp_path / "queue.sqlite3", isolation_level=None)
        device = PythonDevice(server.url, queue, Settings(mac=MAC, hello_seconds=0.2))
        device.press("BASIC", 1)
        other.execute("BEGIN IMMEDIATE")
        with device:
            until(lambda: "locked" in device.why)
            with pytest.raises(QueueFailed, match="locked"):
                device.press("BASIC", 2)
            assert device.state is not State.ONLINE
            other.execute("ROLLBACK")
            operator.assign()
            device.press("BASIC", 3)
            until(lambda: not len(queue))
            assert device.state is State.ONLINE and "locked" not in device.why
        assert sorted(event["counter"] for event in operator.events()) == [1, 3]
        queue.close()
        with pytest.raises(QueueFailed):
            device.press("BASIC", 4)


# --------------------------------------------------------------------------- a disk of its own

by_night = pytest.mark.skipif(not IS_LONG, reason="a disk of its own by night only")


def core(tmp_path: Path, folder: Path, port: int) -> list[str]:
    if needs.gcc() is None:
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


@by_night
@pytest.mark.real_server
@pytest.mark.parametrize("kind", [core, micropython, python])
def test_a_full_disk_costs_no_press_that_was_taken(
    kind: Callable[[Path, Path, int], list[str]], tmp_path: Path
) -> None:
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


@by_night
@pytest.mark.real_server
@pytest.mark.skipif(needs.arduino() is None, reason="arduino-builder is not here")
@pytest.mark.parametrize("edits", [{}, IN_PREFERENCES], ids=["LittleFS", "Preferences"])
def test_nor_does_it_cost_a_sketch_one(edits: dict[str, str], tmp_path: Path) -> None:
    program = Builder(tmp_path / "arduino").build("TreatmentMachine", edits)
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
