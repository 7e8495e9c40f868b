"""The C core of clients/core, compiled here and run: cuts of the power, servers that misbehave, and the real one."""

import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients.devices import MAC, Device, Operator, until
from tests.clients.replies import write_seeds
from tests.support import needs
from tests.support.length import IS_LONG, length
from tests.support.server import ROOT, LiveServer, fresh_database, live_server

CORE = ROOT / "clients" / "core"
STRICT = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
CHECKED = ["-std=c99", "-g", "-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DOZ_ENCRYPT"]

pytestmark = [
    pytest.mark.sqlite_only,
    pytest.mark.thorough,
    pytest.mark.skipif(needs.gcc() is None, reason="gcc is not here"),
    pytest.mark.skipif(needs.mbedtls() is None, reason="mbedTLS is not here"),
]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The core and its stores, compiled once for all programs."""
    folder = tmp_path_factory.mktemp("objects")
    compile_into(folder, *sorted(CORE.glob("src/*.c")), *(CORE / "stores" / name for name in STORES))
    return folder


def compile_into(folder: Path, *sources: Path) -> None:
    subprocess.run(["gcc", *CHECKED, "-c", *sources], cwd=folder, check=True)


def build(into: Path, objects: Path, *sources: str, options: Sequence[str] = ()) -> Path:
    files = [CORE / "host" / source for source in sources]
    subprocess.run(["gcc", *CHECKED, *options, "-o", into, *objects.glob("*.o"), *files, "-lmbedcrypto"], check=True)
    return into


def cuts(program: Path, seeds: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "1", str(seeds)], capture_output=True, text=True, timeout=600, check=False)


STORES = ("oz_files.c", "oz_posix.c")
LITTLEFS = ("stores/oz_littlefs.c", "host/littlefs_flash.c", "host/cuts.c", "host/fake_server.c")
CUTS = ("cuts.c", "torn_flash.c", "fake_server.c")


def test_it_compiles_without_a_warning_and_without_the_heap(tmp_path: Path) -> None:
    for options in ([], ["-DOZ_ENCRYPT"]):
        for source in sorted((CORE / "src").glob("*.c")):
            subprocess.run(
                ["gcc", *STRICT, *options, "-Os", "-c", str(source), "-o", str(tmp_path / f"{source.stem}.o")],
                check=True,
            )
    objects = [str(path) for path in tmp_path.glob("*.o")]
    wanted = subprocess.run(["nm", "-u", *objects], capture_output=True, text=True, check=True).stdout
    called = {line.split()[-1] for line in wanted.splitlines() if " U " in line}
    assert "strlen" in called
    assert called.isdisjoint({"malloc", "calloc", "realloc", "free", "printf", "snprintf", "sprintf", "time"})


def test_a_power_cut_at_every_write_loses_nothing(objects: Path, tmp_path: Path) -> None:
    done = cuts(build(tmp_path / "cuts", objects, *CUTS), length(3, 300))
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[1]) > 150


@pytest.mark.skipif(not IS_LONG, reason="littlefs by night only")
def test_nor_does_littlefs_on_its_own_emulated_flash(tmp_path: Path) -> None:
    sources = needs.littlefs()
    if sources is None:
        pytest.skip("SKIPPED: littlefs's sources are not here")
    program = tmp_path / "cuts"
    theirs = [sources / name for name in ("lfs.c", "lfs_util.c", "bd/lfs_emubd.c")]
    ours = [CORE / name for name in LITTLEFS]
    quiet = ["-DLFS_NO_DEBUG", "-DLFS_NO_WARN", "-DLFS_NO_ERROR", "-DOZ_ENCRYPT", f"-I{sources}"]
    command: list[str | Path] = ["gcc", "-std=gnu99", "-O2", *quiet, "-o", program, *theirs, *ours]
    command += [*sorted((CORE / "src").glob("*.c")), CORE / "stores" / "oz_files.c"]
    subprocess.run(command, check=True)
    done = cuts(program, 1)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[1]) > 400


@pytest.mark.parametrize(
    ("file", "line", "instead"),
    [
        ("src/queue.c", "    device->last = key; /*", "    /*"),
        (
            "src/replies.c",
            "    oz_queue_passed(device, device->upto, device->batch);",
            "    device->upto.number++;\n    oz_queue_passed(device, device->upto, device->batch);",
        ),
        (
            "stores/oz_files.c",
            "    store->limit = limit ? limit : 64;\n",
            "    store->limit = limit ? limit : 64;\n    store->size = 1;\n    store->last = store->first = 1;\n",
        ),
    ],
    ids=["a number twice", "one too many acknowledged", "writes behind what was torn"],
)
def test_the_trial_of_cuts_finds_what_is_wrong(
    objects: Path, tmp_path: Path, file: str, line: str, instead: str
) -> None:
    core, mixed = tmp_path / "core", tmp_path / "objects"
    shutil.copytree(CORE, core)
    shutil.copytree(objects, mixed)
    text = (core / file).read_text()
    assert line in text
    (core / file).write_text(text.replace(line, instead))
    compile_into(mixed, core / file)
    done = cuts(build(tmp_path / "cuts", mixed, *CUTS), 3)
    assert done.returncode != 0


def test_a_server_that_misbehaves_costs_no_tick_its_budget(objects: Path, tmp_path: Path) -> None:
    program = build(tmp_path / "stalls", objects, "stalls.c", "fake_server.c")
    done = cuts(program, length(100, 5000))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("ticks ")


@pytest.mark.parametrize(("name", "trials"), [("edges", 16), ("words", 12)])
def test_what_happens_once_in_a_life_is_survived(objects: Path, tmp_path: Path, name: str, trials: int) -> None:
    """`edges`: of flash, clock and queue; `words`: what a server may say."""
    program = build(tmp_path / name, objects, f"{name}.c", "fake_server.c")
    done = subprocess.run([program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[1]) >= trials


def test_no_reply_of_a_server_harms_it(objects: Path, tmp_path: Path) -> None:
    """Mutations of conversations; by night libFuzzer, which looks at what they reach, goes on from them."""
    seeds = write_seeds(tmp_path / "seeds")
    program = build(tmp_path / "fuzz", objects, "fuzz.c", options=["-DOZ_OWN_FUZZER"])
    runs = length(30_000, 500_000)
    done = subprocess.run([program, str(runs), "1", *seeds], capture_output=True, text=True, timeout=600, check=False)
    assert (done.returncode, done.stdout) == (0, f"runs {runs}\n"), done.stderr
    clang = needs.clang() if IS_LONG else None
    if clang:
        checked = [option.replace("=address", "=fuzzer,address") for option in CHECKED]
        sources = [*sorted((CORE / "src").glob("*.c")), CORE / "host" / "fuzz.c"]
        subprocess.run([clang, *checked, "-o", program, *sources], check=True)
        options = ["-max_total_time=20", "-max_len=8192"]
        done = subprocess.run([program, *options, seeds[0].parent], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-5000:]


# --------------------------------------------------------------------------- with the real server


@pytest.fixture(scope="module")
def program(objects: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("core") / "machine", objects, "machine.c")


def machine(program: Path, folder: Path, port: int, *options: str) -> Device:
    folder.mkdir()
    return Device(str(program), str(folder), "127.0.0.1", str(port), MAC, *options)


@contextmanager
def fleet_of_one(program: Path, folder: Path, *options: str) -> Iterator[tuple[LiveServer, Operator, Device]]:
    with fresh_database() as url, live_server(url) as server:
        operator = Operator(server)
        device = machine(program, folder, server.port, *options)
        try:
            yield server, operator, device
        finally:
            device.kill()


@pytest.mark.real_server
def test_a_machine_lives_with_the_server(program: Path, tmp_path: Path) -> None:
    """Unknown, waiting, assigned; presses before and after; commands; a restart that is told once; a held poll."""
    with fleet_of_one(program, tmp_path / "flash") as (_, operator, device):
        assert device.promised("press B 1")
        assert device.waits_until("state 2").endswith("why waiting until it is assigned to a machine")
        assert operator.events() == []
        device.kill()
        operator.assign()
        device.start()
        device.waits_until("state 3 queued 0")
        (event,) = operator.events()
        assert (event["treatment"], event["counter"], event["clock_suspect"]) == ("BASIC", 1, False)
        assert event["event_id"].endswith("-1-1")

        reset = operator.command("RESET_COUNTERS")
        until(lambda: operator.state(reset)["status"] == "executed")
        unknown = operator.command("UPDATE_FIRMWARE")
        until(lambda: operator.state(unknown)["status"] == "failed")
        assert operator.state(unknown)["error_message"] == "unknown command"

        restart = operator.command("REBOOT_DEVICE", force=True)
        while device.line() != "restart":
            pass
        device.process.wait()
        device.start()
        until(lambda: operator.state(restart)["status"] == "executed")
        assert device.heard.count("REBOOT_DEVICE") == 0  # the core's own: no handler hears of it
        device.kill()

        device.command += ["held", "20"]
        device.start()
        device.waits_until("state 3")
        time.sleep(1)
        began = time.monotonic()
        asked = operator.command("GET_STATUS")
        until(lambda: operator.state(asked)["status"] == "executed")
        assert time.monotonic() - began < 10
        assert device.promised("press P 1")  # does not wait for the poll that is held
        device.waits_until("queued 0", seconds=10)


@pytest.mark.real_server
def test_kills_of_either_side_lose_nothing(program: Path, tmp_path: Path) -> None:
    promised: list[int] = []
    with fleet_of_one(program, tmp_path / "flash", "nodate") as (server, operator, device):
        operator.assign()
        counter = 0
        for life in range(length(4, 200)):
            for press in range(12):
                counter += 1
                if device.promised(f"press S {counter}"):
                    promised.append(counter)
                if press == 5 and life % 2:
                    server.kill()
                elif press == 5:
                    device.kill()
                    device.start()
            if life % 2:
                server.start()
            if life % 20 == 19:  # a computer that starts servers fast would fill its queue
                device.waits_until("queued 0", seconds=320)
        device.waits_until("queued 0", seconds=320)
        events = operator.events()
        assert len(promised) == counter
        assert Counter(event["counter"] for event in events) == Counter(promised)
        assert not any(event["clock_suspect"] for event in events)


@pytest.mark.real_server
@pytest.mark.parametrize(
    "sealed", [True, False] if IS_LONG else [True], ids=lambda sealed: "AES-GCM" if sealed else "plain"
)
def test_a_meter_claims_and_sends_its_readings(program: Path, tmp_path: Path, sealed: bool) -> None:
    with fresh_database() as url, live_server(url) as server:
        operator = Operator(server)
        made = operator.http.post("/api/devices/", json={"name": "meter"}).json()
        wanted = {"encryption": "AESGCM"} if sealed else {}
        token = operator.http.post(f"/api/devices/{made['device_id']}/provision", json=wanted).json()["token"]
        device = machine(program, tmp_path / "flash", server.port, "meter", token)
        try:
            for value in range(60):
                assert device.promised(f'reading {{"voltage": {value}, "of": {{"a": [1, "ü"]}} }}')
            assert device.ask('reading {"voltage": }').startswith("refused -5")
            assert device.ask("reading [1]").startswith("refused -5")
            device.waits_until("state 3 queued 0")
            history = operator.http.get(f"/api/devices/{made['device_id']}/telemetry?limit=100").json()["results"]
            assert Counter(row["payload"]["voltage"] for row in history) == Counter(range(60))
        finally:
            device.kill()
