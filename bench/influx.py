"""InfluxDB 1.6 beside ours, in turns: single readings and batches from one load generator, each reply after its fsync.
Ours is there twice, with one process and with two: InfluxDB uses as many processors as there are.

Its settings are its package's defaults, with auth on, an fsync for every write, and as little log as ours: none of
requests, and no statistics of its own in a database. All of its devices are one user; ours have a key each. A batch has
a time a point there, made by the load generator: points without one would be one point.
"""

import base64
import http.client
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import psutil

from bench import servers
from bench.databases import count_rows
from bench.load import BATCH, REPORT, Load, in_turn, reading, run_wrk
from bench.ports import free_port

ROUNDS: Final = 5
START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 15.0
TELEMETRY: Final = "device_gateway_devicetelemetry"
DATABASE, PASSWORD = "ozone", "bench"
LOADS: Final = (("64", "single", 64, 1), ("256", "single", 256, 1), ("batch", "batch", 2, BATCH))
"""Name of the load, its script, connections, readings a request."""
_NOTHING: Final = ({"rate": 0.0}, {"rate": 1.0})
"""Where InfluxDB has answered in no round: the figure is invalid then."""

_CONFIGURATION = """
reporting-disabled = true
bind-address = "127.0.0.1:%(inner)d"
[meta]
dir = "%(folder)s/meta"
[data]
dir = "%(folder)s/data"
wal-dir = "%(folder)s/wal"
wal-fsync-delay = "0s"
[monitor]
store-enabled = false
[http]
bind-address = "127.0.0.1:%(port)d"
auth-enabled = true
log-enabled = false
"""

_BATCHES = """
local devices, position, round = {}, 0, os.time() * 1e6

function init(args)
  local parts
  for line in assert(io.open("%(points)s", "r")):lines() do
    if not parts then parts = {line} else parts[#parts + 1] = string.format("%%03d\\n%%s", #parts - 1, line) end
    if #parts == %(batch)d then
      parts[#parts + 1] = string.format("%%03d", #parts - 1)
      devices[#devices + 1], parts = parts, nil
    end
  end
end

function request()
  position, round = position %% #devices + 1, round + 1
  local body = table.concat(devices[position], string.format(" %%.0f", round))
  return %(request)s
end
"""
"""Each batch has a microsecond of its own, and each of its points a nanosecond of that."""


class InfluxUnavailable(RuntimeError):
    """There is no InfluxDB to measure; the message says how to get one."""


class Influx:
    """A running InfluxDB with an empty database."""

    def __init__(self, process: psutil.Popen, port: int) -> None:
        self.process = process
        self.port = port

    def ask(self, query: str) -> Any:
        """The rows that a statement finds. Raises RuntimeError."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            path = f"/query?{urlencode({'db': DATABASE, 'q': query})}"
            connection.request("POST", path, headers={"Authorization": _basic("admin")})
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        result = answer.get("results", [answer])[0]
        if "error" in result:
            raise RuntimeError(f"InfluxDB: {query}: {result['error']}")
        return [row for series in result.get("series", []) for row in series["values"]]

    def count(self) -> int:
        """How many points are stored."""
        rows = self.ask("SELECT count(voltage) FROM reading")
        return int(rows[0][1]) if rows else 0


OURS: Final = {"one": "1", "two": "2"}
"""Our processes."""

Turn = tuple[int, psutil.Process, dict[str, Path], Callable[[], int]]
"""A server's port, its process, its scripts by kind, and how many readings it has stored."""


def measure(
    urls: Sequence[str],
    ours: dict[str, Path],
    folder: Path,
    devices: dict[str, int],
    seconds: float,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """A figure: of each load `one_share_NAME` and `two_share_NAME`, our rate of InfluxDB's, the median of the rounds;
    and of `one`, `two` and `influx` `NAME_rate` (readings/s), `NAME_p50_ms`, `NAME_p99_ms`, `NAME_cpu_us` (of the
    server's own processes, for a reading), medians too. `urls`: a database for each of ours. `ours`, `devices`: by kind
    (`single`, `batch`) our scripts, and of how many devices they are.

    Raises InfluxUnavailable.
    """
    figure: dict[str, Any] = {"problems": []}
    with ExitStack() as stack:
        influx = stack.enter_context(_running(folder))
        theirs = {kind: _write_script(folder, kind, number) for kind, number in devices.items()}
        turns: dict[str, Turn] = {"influx": (influx.port, influx.process, theirs, influx.count)}
        for (who, workers), url in zip(OURS.items(), urls, strict=True):
            server = stack.enter_context(servers.product(url, WORKERS=workers))
            turns[who] = server.port, server.process, ours, partial(count_rows, url, TELEMETRY)
        for port, _, scripts, _ in turns.values():
            run_wrk(scripts["single"], port, connections=64, seconds=1)
        for name, kind, connections, batch in LOADS:
            found: dict[str, list[dict[str, float]]] = {who: [] for who in turns}
            for _ in range(ROUNDS):
                for who, (port, process, scripts, count) in turns.items():
                    before, spent = count(), _cpu(process)
                    load = run_wrk(scripts[kind], port, connections=connections, seconds=seconds)
                    spent, stored = _cpu(process) - spent, count() - before
                    found[who].append(_figures(load, batch, spent / stored if stored else 0.0))
                    figure["problems"] += _problems(who, load, batch, stored)
            _keep(figure, name, found, say)
    return {**figure, "rate": figure["two_64_rate"]}


def _figures(load: Load, batch: int, cpu: float) -> dict[str, float]:
    return {"rate": load.rate * batch, "p50_ms": load.p50_ms, "p99_ms": load.p99_ms, "cpu_us": cpu * 1e6}


def _problems(who: str, load: Load, batch: int, stored: int) -> list[str]:
    """What is in flight when the load ends may be stored without a reply."""
    problems = [f"{who}: {count} x {error}" for error, count in load.errors.items() if count]
    if not load.replies:
        problems.append(f"{who}: no reply in {load.seconds:.0f} s")
    if not load.replies * batch <= stored <= (load.replies + load.connections) * batch:
        problems.append(f"{who}: {stored} stored for {load.replies} replies")
    return problems


def _keep(
    figure: dict[str, Any], name: str, found: dict[str, list[dict[str, float]]], say: Callable[[str], None]
) -> None:
    for who in OURS:
        rounds = [(ours, theirs) for ours, theirs in zip(found[who], found["influx"], strict=True) if theirs["rate"]]
        shares = [ours["rate"] / theirs["rate"] for ours, theirs in rounds or [_NOTHING]]
        figure[f"{who}_share_{name}"] = statistics.median(shares)
    for who, measured in found.items():
        for key in measured[0]:
            figure[f"{who}_{name}_{key}"] = statistics.median(one[key] for one in measured)
    tells = ", ".join(
        f"{who} p50 {figure[f'{who}_{name}_p50_ms']:.1f} p99 {figure[f'{who}_{name}_p99_ms']:.1f} ms, "
        f"{figure[f'{who}_{name}_cpu_us']:.1f} µs of processor a reading"
        for who in found
    )
    told = ", ".join(f"{who} {figure[f'{who}_share_{name}']:.2f}" for who in OURS)
    say(f"beside InfluxDB, {name}: {told} of its rate; {tells}")


def _cpu(process: psutil.Process) -> float:
    """Seconds of processor of a process and all it has started."""
    family = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:2]) for one in family)


def _write_script(folder: Path, kind: str, devices: int) -> Path:
    """For wrk: the points of the readings that ours are, in InfluxDB's line protocol."""
    batch = BATCH if kind == "batch" else 1
    points = folder / f"influx-{kind}.txt"
    with points.open("w") as file:
        for device in range(devices):
            for number in range(batch):
                fields = json.loads(reading(device * batch + number))
                values = ",".join(f"{name}={value}" for name, value in fields.items())
                file.write(f"reading,device=bench{device:06d} {values}\n")
    script = folder / f"influx-{kind}.lua"
    post = f'wrk.format("POST", "/write?db={DATABASE}", {{["Authorization"] = "{_basic("device")}"}}, %s)'
    if kind == "batch":
        script.write_text(_BATCHES % {"points": points, "batch": BATCH, "request": post % "body"} + REPORT)
    else:
        script.write_text(in_turn(points, post % "line"))
    return script


def _basic(user: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{PASSWORD}'.encode()).decode()}"


@contextmanager
def _running(folder: Path) -> Iterator[Influx]:
    binary = shutil.which("influxd")
    if binary is None:
        raise InfluxUnavailable("influxd is not installed: `apt-get install -y influxdb` (Debian)")
    with tempfile.TemporaryDirectory(prefix="influx-", dir=folder) as own:
        port, inner = free_port(), free_port()
        configuration = Path(own) / "influxdb.conf"
        configuration.write_text(_CONFIGURATION % {"folder": own, "port": port, "inner": inner})
        with (Path(own) / "server.log").open("w+") as log:
            command = [binary, "run", "-config", str(configuration)]
            process = psutil.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            try:
                influx = Influx(process, port)
                if not _becomes_ready(influx):
                    log.seek(0)
                    raise InfluxUnavailable(f"InfluxDB does not start: {log.read()[-2000:]}")
                yield influx
            finally:
                process.terminate()
                try:
                    process.wait(STOP_SECONDS)
                except psutil.TimeoutExpired:
                    process.kill()
                    process.wait(STOP_SECONDS)


def _becomes_ready(influx: Influx) -> bool:
    """With its users: without an administrator it takes none but the statement that makes one."""
    deadline = time.monotonic() + START_SECONDS
    while influx.process.poll() is None and time.monotonic() < deadline:
        try:
            influx.ask(f"CREATE USER admin WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES")
        except OSError:
            time.sleep(0.1)
            continue
        influx.ask(f"CREATE DATABASE {DATABASE}")
        influx.ask(f"CREATE USER device WITH PASSWORD '{PASSWORD}'")
        influx.ask(f"GRANT WRITE ON {DATABASE} TO device")
        return True
    return False
