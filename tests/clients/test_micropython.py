"""The client of clients/micropython in MicroPython's interpreter: torn writes, TLS, the real server."""

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.clients.devices import MAC, Device, Operator, until
from tests.clients.replies import KINDS as KINDS_OF_DEVICES
from tests.clients.replies import write_seeds
from tests.clients.tls import KINDS, speakers
from tests.support import needs
from tests.support.length import IS_LONG, length
from tests.support.server import ROOT, LiveServer, fresh_database, live_server

CLIENT = ROOT / "clients" / "micropython"
PROGRAMS = ROOT / "tests" / "clients" / "on_micropython"

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.skipif(needs.micropython() is None, reason="micropython is not here"),
]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = needs.micropython("mpy-cross")
    if compiler is None:
        pytest.skip("SKIPPED: mpy-cross is not here")
    into = tmp_path_factory.mktemp("compiled")
    make = ["make", "-s", "micropython", f"COMPILED={into}", f"MPY_CROSS={compiler}", f"PYTHON={sys.executable}"]
    subprocess.run(make, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return into


@pytest.fixture(params=["source", "compiled"])
def client(request: pytest.FixtureRequest) -> Path:
    return CLIENT if request.param == "source" else Path(request.getfixturevalue("compiled"))


def run(program: str, *arguments: str, client: Path = CLIENT) -> subprocess.CompletedProcess[str]:
    command = [str(needs.micropython()), "-X", "heapsize=4m", str(PROGRAMS / program), str(client), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


@pytest.mark.thorough
def test_torn_writes_lose_nothing(client: Path) -> None:
    count = length(40, 1000)
    done = run("cuts.py", str(count), client=client)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[3]) > count // 3


def test_no_reply_of_a_server_harms_it(tmp_path: Path) -> None:
    seeds = map(str, write_seeds(tmp_path / "seeds")[:: len(KINDS_OF_DEVICES)])
    runs = length(300, 20_000)
    done = run("replies.py", str(tmp_path / "flash"), str(runs), *seeds)
    assert (done.returncode, done.stdout) == (0, f"runs {runs}\n"), done.stdout[-3000:] + done.stderr[-3000:]


def test_what_mip_installs_is_the_whole_client(tmp_path: Path) -> None:
    """From a server that has this folder, as `mip` does: each file that package.json names, and no other."""
    packed = json.loads((CLIENT / "package.json").read_text())
    for target, source in packed["urls"]:
        shutil.copy(CLIENT / source, tmp_path / target)
    assert {path.name for path in CLIENT.glob("*.py")} == {path.name for path in tmp_path.glob("*.py")}
    command = [str(needs.micropython()), "-c", "import ozone; print(ozone.Ozone.press.__name__)"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "press\n"), done.stderr


@contextmanager
def machine(
    folder: Path,
    url: str,
    *options: str,
    interpreter: Sequence[str] = (),
    heap: str = "64k",
    client: Path = CLIENT,
) -> Iterator[Device]:
    command = [*(interpreter or [str(needs.micropython())]), "-X", f"heapsize={heap}"]
    device = Device(*command, str(PROGRAMS / "machine.py"), str(client), str(folder), url, MAC, *options)
    try:
        yield device
    finally:
        device.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with fresh_database() as url, live_server(url) as running:
        yield running


@pytest.mark.real_server
def test_a_machine_lives_with_the_server_through_kills(server: LiveServer, tmp_path: Path) -> None:
    operator = Operator(server)
    promised: list[int] = []
    with machine(tmp_path / "flash", server.url, "nodate") as device:
        assert device.promised("press B 1")
        promised.append(1)
        device.waits_until("state 2")
        operator.assign()
        device.waits_until("state 3 queued 0")
        asked = operator.command("UPDATE_SETTINGS", payload={"a": "ü"})
        until(lambda: operator.state(asked)["status"] == "executed")
        assert operator.state(asked)["message"] == "settings ü"
        unknown = operator.command("UPDATE_FIRMWARE")
        until(lambda: operator.state(unknown)["status"] == "failed")

        for life in range(length(4, 200)):
            for press in range(12):
                counter = promised[-1] + 1
                assert device.promised(f"press S {counter}")
                promised.append(counter)
                if press == 5 and life % 2:
                    server.kill()
                elif press == 5:
                    device.kill()
                    device.start()
            if life % 2:
                server.start()
            if life % 20 == 19:  # a computer that starts servers fast would fill its queue
                device.waits_until("queued 0", 330)
        device.waits_until("queued 0", 330)
    events = operator.events()
    assert Counter(event["counter"] for event in events) == Counter(promised)
    assert not any(event["clock_suspect"] for event in events)


def said_first(device: Device) -> str:
    """What it says of itself after its first exchange."""
    return str(until(lambda: said if "not connected yet" not in (said := device.ask("state")) else ""))


@pytest.mark.real_server
@pytest.mark.skipif(needs.nginx() is None, reason="nginx is not here")
def test_tls_speaks_with_whom_the_ca_vouches_for(server: LiveServer, tmp_path: Path) -> None:
    heard = {}
    with speakers(str(needs.nginx()), tmp_path, server.port) as (ports, ca):
        for kind in KINDS:
            url = f"https://127.0.0.1:{ports[kind]}"
            with machine(tmp_path / f"flash-{ports[kind]}", url, "ca", str(ca)) as device:
                heard[kind] = "state 0" not in said_first(device)
    assert heard == {"good": True, "tls 1.2": True, "other name": False, "foreign": False, "expired": False}


def executed(operator: Operator, command_id: str) -> bool:
    return bool(operator.state(command_id)["status"] == "executed")


@pytest.mark.real_server
@pytest.mark.skipif(not IS_LONG, reason="32 bits by night only")
@pytest.mark.skipif(needs.nginx() is None, reason="nginx is not here")
@pytest.mark.parametrize(("client", "heap"), [("source", "38k"), ("compiled", "32k")], indirect=["client"])
def test_all_of_it_lives_in_so_much_heap_of_32_bits(tmp_path: Path, client: Path, heap: str) -> None:
    """As on a chip, over TLS: it waits, is assigned, sends a queue, hears of commands."""
    interpreter = needs.micropython_of_32_bits()
    if interpreter is None:
        pytest.skip("SKIPPED: MicroPython for 32 bits is not here")
    with (
        fresh_database() as url,
        # A reply for which there is no memory at that moment is lost; a command comes again, here after so long.
        live_server(url, COMMAND_RESULT_SECONDS="5") as server,
        speakers(str(needs.nginx()), tmp_path, server.port) as (ports, ca),
    ):
        operator = Operator(server)
        there = f"https://127.0.0.1:{ports['good']}"
        board = partial(machine, interpreter=interpreter, heap=heap, client=client)
        with board(tmp_path / "flash", there, "ca", str(ca)) as device:
            counter = 0
            for life in range(3):
                for _ in range(30):
                    counter += 1
                    assert device.promised(f"press S {counter}")
                if not life:
                    device.waits_until("state 2")
                    operator.assign()
                device.waits_until("state 3 queued 0")
                asked = operator.command("UPDATE_SETTINGS", payload={"a": "ü" * 40})
                until(partial(executed, operator, asked))
                device.kill()
                device.start()
        assert Counter(event["counter"] for event in operator.events()) == Counter(range(1, counter + 1))
