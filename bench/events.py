"""Ozone machines: events against the same route without submit and against a plain Django view; ten thousand held
polls, what they cost in memory and in events, and how soon a command reaches one."""

import asyncio
import http.client
import json
import random
import resource
import statistics
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from bench import servers
from bench.load import REPORT, device_key, run_wrk

EVENTS = "/api/device/events/"
HELD = 10_000
COMMANDS = 300
WAIT_SECONDS = 30

_SCRIPT = """
local keys, position, first = {}, 0, %(first)s

function init(args)
  for number = 0, %(devices)d - 1 do
    keys[number] = {["Content-Type"] = "application/json",
                    ["Authorization"] = "Bearer " .. string.format("bench%%06d", number) .. string.rep("k", 32)}
  end
end

function request()
  position = (position + 1) %% %(period)d
  local device = position %% %(devices)d
  local body = string.format(
    '{"event_id":"bench-%%d-B%%012d","event":"treatment","treatment":"BASIC","counter":%%d,"firmware":"1.0.0"}',
    device, first + position, position %% 2000000000)
  return wrk.format("POST", "%(path)s", keys[device], body)
end
"""


def write_script(folder: Path, name: str, *, devices: int, repeat: bool = False) -> Path:
    """A script for wrk that presses the buttons of `devices` in turn; with `repeat` the same ones again and again."""
    script = folder / f"{name}.lua"
    # No two runs number their events alike.
    first = "0" if repeat else "os.time() * 1000000"
    period = devices if repeat else 2**31 - 1
    script.write_text(_SCRIPT % {"devices": devices, "path": EVENTS, "first": first, "period": period} + REPORT)
    return script


def open_files() -> int:
    """Raises the limit of open files as far as it goes; what it then is."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


class _Poller(asyncio.Protocol):
    """One device that always has a poll under way, and notes when commands reach it."""

    def __init__(self, crowd: "Crowd", number: int) -> None:
        self._crowd = crowd
        self._number = number
        self._request = (
            f"GET /api/device/bench-{number}/commands/?wait={WAIT_SECONDS} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {device_key(number)}\r\n\r\n"
        ).encode()
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)  # type: ignore[attr-defined]
        self._crowd.transports.append(transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, blank, body = self._buffer.partition(b"\r\n\r\n")
        if not blank or not body.endswith(b"}"):
            return
        self._buffer = b""
        if not head.startswith(b"HTTP/1.1 200 "):
            self._crowd.bad.append(head[:80].decode(errors="replace"))
            return
        if b'"count":0' not in body:
            for command in json.loads(body)["commands"]:
                self._crowd.arrived[command["command_id"]] = time.monotonic()
        self._transport.write(self._request)  # type: ignore[attr-defined]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._crowd.is_open:
            self._crowd.bad.append("connection lost")


class Crowd:
    """Ten thousand devices that wait for a command, from one event loop in a thread of its own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.transports: list[Any] = []
        self.arrived: dict[str, float] = {}
        self.bad: list[str] = []
        self.is_open = True

    async def gather(self, count: int) -> None:
        loop = asyncio.get_running_loop()
        for first in range(0, count, 100):
            await asyncio.gather(
                *(
                    loop.create_connection(partial(_Poller, self, number), "127.0.0.1", self.port)
                    for number in range(first, min(first + 100, count))
                )
            )
            await asyncio.sleep(0.02)

    def leave(self) -> None:
        self.is_open = False
        for transport in self.transports:
            transport.abort()


def measure_held(server: servers.Server, script: Path, seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """A figure: resident memory with `HELD` polls held, the rate of events beside them of that without, deliveries."""
    files = open_files()
    say(f"up to {files:,} open files")
    loop = uvloop.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    crowd = Crowd(server.port)
    rates: dict[str, list[float]] = {"alone": [], "beside": []}
    rates["alone"].append(run_wrk(script, server.port, connections=64, seconds=seconds).rate)
    before = server.memory()
    asyncio.run_coroutine_threadsafe(crowd.gather(HELD), loop).result(120)
    time.sleep(2)
    memory = server.memory()
    rates["beside"].append(run_wrk(script, server.port, connections=64, seconds=seconds).rate)
    delivered = _deliver(server.port, crowd)
    rates["beside"].append(run_wrk(script, server.port, connections=64, seconds=seconds).rate)
    loop.call_soon_threadsafe(crowd.leave)
    time.sleep(2)
    rates["alone"].append(run_wrk(script, server.port, connections=64, seconds=seconds).rate)
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    share = statistics.mean(rates["beside"]) / statistics.mean(rates["alone"])
    problems = [f"{len(crowd.bad)} polls went wrong: {crowd.bad[:2]}"] if crowd.bad else []
    if len(delivered) < COMMANDS:
        problems.append(f"{COMMANDS - len(delivered)} commands did not arrive")
    ordered = sorted(delivered) or [float("inf")]
    return {
        **memory,
        "at_start_mb": before["rss_mb"],
        "held": HELD,
        "open_files": files,
        "share_of_events": share,
        "delivery_p50_ms": ordered[len(ordered) // 2] * 1000,
        "delivery_p99_ms": ordered[int(len(ordered) * 0.99) - 1] * 1000,
        "problems": problems,
    }


def _deliver(port: int, crowd: Crowd) -> list[float]:
    """Seconds from an operator's request to the command's arrival at its device, for commands one after the other."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def call(path: str, body: dict[str, Any], bearer: str = "") -> dict[str, Any]:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {bearer}"} if bearer else {})
        connection.request("POST", path, json.dumps(body), headers)
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer

    access = call("/api/auth/token/", {"username": "admin", "password": "password"})["data"]["access_token"]
    sent: dict[str, float] = {}
    for device in random.sample(range(HELD), COMMANDS):
        began = time.monotonic()
        made = call(f"/api/device/bench-{device}/commands/create/", {"command_type": "SYNC_TIME"}, access)
        sent[made["command_id"]] = began
        time.sleep(0.01)
    time.sleep(1)
    return [crowd.arrived[command] - began for command, began in sent.items() if command in crowd.arrived]
