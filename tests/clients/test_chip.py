"""The core for chips: what it takes of one, and by night its life on a virtual one with the real server."""

import re
import subprocess
import time
from functools import cache
from pathlib import Path

import httpx
import pytest

from tests.clients.devices import MAC, Operator, until
from tests.support import needs
from tests.support.length import IS_LONG
from tests.support.server import ROOT, fresh_database, live_server

CORE = ROOT / "clients" / "core"
TEXT_LIMIT = 16 * 1024
"""Bytes of the core's code and constants."""
STACK_LIMIT = 1024
"""Bytes of the deepest call, the store in files with it, the sketch's functions and its file system's without."""
TARGET = ["--specs=picolibc.specs", "-march=rv32imc", "-mabi=ilp32", "-Os", "-std=c99"]
ESP8266 = ["--specs=/usr/lib/xtensa-lx106-elf/picolibc.specs", "-mlongcalls", "-Os", "-std=c99"]
MEMORY = {"flash": 0x80000000, "flash_size": 0x20000, "ram": 0x80020000, "ram_size": 0x30000, "stack_size": 0x1000}
WITHIN = {"oz_reply_feed": {"oz_walk_feed", "oz_keep_body"}}
"""Calls by address that lead back into the core."""

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.thorough,
    pytest.mark.skipif(needs.riscv() is None, reason="riscv64-unknown-elf-gcc is not here"),
]


@pytest.fixture
def compiler() -> str:
    return str(needs.riscv())


Chip = tuple[str, list[str]]
"""A compiler, and its options."""


@pytest.fixture(params=["rv32imc", "ESP8266"])
def chip(request: pytest.FixtureRequest, compiler: str) -> Chip:
    if request.param == "rv32imc":
        return compiler, TARGET
    lx106 = needs.lx106() if IS_LONG else None
    if lx106 is None:
        pytest.skip("the ESP8266 by night only")
    return lx106, ESP8266


def test_its_code_and_memory_fit(chip: Chip, tmp_path: Path) -> None:
    compiler, options = chip
    for source in sorted((CORE / "src").glob("*.c")):
        subprocess.run([compiler, *options, "-c", str(source)], cwd=tmp_path, check=True)
    size = [compiler.removesuffix("gcc") + "size", *map(str, tmp_path.glob("*.o"))]
    sizes = subprocess.run(size, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    assert sum(int(line.split()[0]) for line in sizes) <= TEXT_LIMIT
    assert sum(int(line.split()[1]) + int(line.split()[2]) for line in sizes) == 0


@pytest.mark.parametrize("options", [[], ["-DOZ_ENCRYPT"]], ids=["plain", "AES-GCM"])
def test_its_deepest_call_fits_a_stack(chip: Chip, tmp_path: Path, options: list[str]) -> None:
    compiler, target = chip
    for source in (*sorted((CORE / "src").glob("*.c")), CORE / "stores" / "oz_files.c"):
        subprocess.run(
            [compiler, *target, *options, "-fcallgraph-info=su", "-c", str(source)], cwd=tmp_path, check=True
        )
    graphs = [path.read_text() for path in tmp_path.glob("*.ci")]
    frames: dict[str, int] = {}
    calls: dict[str, set[str]] = {}
    for graph in graphs:
        for name, label in re.findall(r'node: \{ title: "([^"]+)" label: "([^"]*)"', graph):
            if frame := re.search(r"(\d+) bytes", label):
                frames[name] = int(frame[1])
        for caller, called in re.findall(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', graph):
            calls.setdefault(caller, set()).add(called)
    store = {name for name in frames if re.search(r"oz_files\.c:(append|replace|next)$", name)}
    assert len(store) == 3
    for caller, called in calls.items():
        if "__indirect_call" in called and "oz_files" not in caller:
            called |= store | WITHIN.get(caller, set())

    @cache
    def deepest(name: str) -> tuple[int, tuple[str, ...]]:
        below = max((deepest(called) for called in calls.get(name, ())), default=(0, ()))
        return frames.get(name, 0) + below[0], (name, *below[1])

    depth, path = max(map(deepest, frames))
    assert 300 < depth <= STACK_LIMIT, path


@pytest.mark.real_server
@pytest.mark.skipif(not IS_LONG, reason="a virtual chip by night only")
def test_it_lives_on_bare_metal(compiler: str, tmp_path: Path) -> None:
    """Handshake, an event that goes out twice, a held poll, a result; over a UART, in 192 KB of RAM."""
    qemu = needs.virtual_chip()
    if qemu is None:
        pytest.skip("SKIPPED: qemu-system-riscv32 is not here: apt-get install qemu-system-misc")
    program, heard = tmp_path / "virt.elf", tmp_path / "heard"
    layout = ",".join(f"--defsym=__{name}={value:#x}" for name, value in MEMORY.items())
    sources = [*sorted((CORE / "src").glob("*.c")), CORE / "host" / "virt.c"]
    command = [compiler, *TARGET, "--oslib=semihost", f"-Wl,{layout}", "-o", str(program), *map(str, sources)]
    subprocess.run(command, check=True)
    with fresh_database() as url, live_server(url) as server:
        operator = Operator(server)
        assert httpx.post(f"{server.url}/api/handshake/", json={"mac": MAC}).is_success
        operator.assign()
        machine = ["-M", "virt", "-m", "8M", "-bios", "none", "-nographic", "-monitor", "none", "-kernel", str(program)]
        wires = ["-chardev", f"socket,id=line,host=127.0.0.1,port={server.port}", "-serial", "chardev:line"]
        voice = ["-chardev", f"file,id=voice,path={heard}", "-semihosting-config", "enable=on,chardev=voice"]
        board = subprocess.Popen([qemu, *machine, *wires, *voice], stdin=subprocess.DEVNULL)
        try:
            until(lambda: heard.exists() and "the press again" in heard.read_text())
            (event,) = operator.events()
            assert (event["treatment"], event["counter"], event["clock_suspect"]) == ("BASIC", 1, False)
            time.sleep(2)  # the poll is held
            asked = operator.command("GET_STATUS")
            until(lambda: operator.state(asked)["status"] == "executed", 15)
            assert operator.state(asked)["message"] == "on bare metal"
        finally:
            board.kill()
            board.wait()
    assert "command GET_STATUS" in heard.read_text()
