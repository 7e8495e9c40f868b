"""Load from `wrk`: the script it runs, the command, and what it reports."""

import json
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

INGEST = "/gateway/device-data/ingest"
BATCH = 1_000
PACED = 256
"""Connections of a load that comes at a rate, whatever the replies take, as long as one of them is free."""

# One thread of wrk saturates any of the servers here; a second one would only take their processor from them.
_ROUND = """
local requests, position = {}, 0

function init(args)
  for line in assert(io.open("%(lines)s", "r")):lines() do
    requests[#requests + 1] = %(request)s
  end
end

function request()
  position = position %% #requests + 1
  return requests[position]
end
"""

_REQUEST = f"""wrk.format("POST", "{INGEST}",
      {{["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. line:match("^%S+")}},
      line:match(" (.*)$"))"""

REPORT = """
function done(summary, latency, all)
  local e = summary.errors
  io.write(string.format(
    '{"requests": %d, "microseconds": %d, "p50_us": %d, "p99_us": %d, "max_us": %d, '
    .. '"bad_status": %d, "connect": %d, "read": %d, "write": %d, "timeout": %d}\\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    e.status, e.connect, e.read, e.write, e.timeout))
end
"""
"""How any script ends: what wrk saw, as a line of JSON."""


_PACE = """
local ffi = require("ffi")
ffi.cdef("typedef struct { long seconds; long nanoseconds; } moment; int clock_gettime(int clock, moment *at);")
local moment, slot = ffi.new("moment"), nil

function delay()
  ffi.C.clock_gettime(1, moment)
  local now = tonumber(moment.seconds) * 1000 + tonumber(moment.nanoseconds) / 1e6
  slot = (slot or now) + %(milliseconds).6f
  return math.max(0, math.floor(slot - now + 0.5))
end
"""
"""Each request has its time, by a clock that does not wait for replies: what is late is sent at once."""


class LoadUnavailable(RuntimeError):
    """wrk is not installed."""


@dataclass(frozen=True)
class Load:
    """What one run of wrk saw. Latencies are wrk's, corrected by it for requests it could not send in time."""

    connections: int
    seconds: float
    replies: int
    rate: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    errors: dict[str, int]

    @property
    def clean(self) -> bool:
        """Every reply was 2xx or 3xx, and no connection failed (that none was 3xx, the count of rows shows)."""
        return not any(self.errors.values())

    def as_dict(self) -> dict[str, object]:
        """For the JSON file."""
        return asdict(self)


def device_key(number: int) -> str:
    """API key of the n-th device: known in advance, so that nothing has to be passed about; as long as real ones."""
    return f"bench{number:06d}".ljust(43, "k")


def reading(number: int) -> str:
    """A body as the energy meter's sketch sends it, about 80 bytes, in different values."""
    return (
        f'{{"voltage":{228 + number % 97 / 10:.1f},"current":{number % 50 / 10:.1f},'
        f'"power_factor":0.{90 + number % 10},"kwh":{1000 + number / 10:.1f},"rssi":-{40 + number % 50}}}'
    )


def find_wrk() -> str:
    """Path of wrk, or the way to get it."""
    path = shutil.which("wrk")
    if path is None:
        raise LoadUnavailable("wrk is not installed: `apt-get install -y wrk` (Debian), `brew install wrk` (macOS)")
    return path


def write_script(folder: Path, name: str, *, devices: int, batch: int, first: int = 0) -> Path:
    """A script for wrk that sends a request of each of `devices` devices in turn; `batch` 1 is a single reading."""
    lines, script = folder / f"{name}.txt", folder / f"{name}.lua"
    with lines.open("w") as file:
        for device in range(first, first + devices):
            readings = [reading(device * batch + n) for n in range(batch)]
            body = readings[0] if batch == 1 else f"[{','.join(readings)}]"
            file.write(f"{device_key(device)} {body}\n")
    script.write_text(in_turn(lines, _REQUEST))
    return script


def in_turn(lines: Path, request: str) -> str:
    """A script that sends, again and again, what the Lua expression `request` makes of each `line` of a file."""
    return _ROUND % {"lines": lines, "request": request} + REPORT


def paced(script: Path, rate: float) -> Path:
    """The same requests, so many a second."""
    path = script.with_name("paced.lua")
    pace = _PACE % {"milliseconds": 1000 / rate}
    path.write_text(script.read_text().removesuffix(REPORT) + pace + REPORT)
    return path


def run_wrk(script: Path, port: int, *, connections: int, seconds: float) -> Load:
    """Load the server on `port` and wait for the end."""
    whole_seconds = max(1, round(seconds))  # wrk knows no fractions
    command = [find_wrk(), "-t1", f"-c{connections}", f"-d{whole_seconds}s", "--timeout", "10s"]
    command += ["-s", str(script), f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=whole_seconds + 60, check=True)
    answer = json.loads(done.stdout.strip().splitlines()[-1])
    duration = answer["microseconds"] / 1e6
    return Load(
        connections=connections,
        seconds=duration,
        replies=answer["requests"],
        rate=answer["requests"] / duration,
        p50_ms=answer["p50_us"] / 1e3,
        p99_ms=answer["p99_us"] / 1e3,
        max_ms=answer["max_us"] / 1e3,
        errors={name: answer[name] for name in ("bad_status", "connect", "read", "write", "timeout")},
    )
