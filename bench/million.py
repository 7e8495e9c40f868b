"""A large fleet on two nodes: their start and memory, a key that is revoked at the other node, what people look at,
what the processes that lead do, and readings beside a registry that changes."""

import http.client
import json
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import servers
from bench.load import INGEST, PACED, Load, device_key, paced, reading, run_wrk, write_script
from bench.many import MACHINES
from bench.pages import PATHS, Window
from bench.scale import Client

DEVICES = 1_000_000
PASSWORD = "of a bench that nobody else sees"
ONLINE = "/api/devices/online/?limit=100"
SENDERS = 500
"""Devices that send beside what is measured; those that are revoked are others."""
BESIDE = 200.0
"""Readings a second beside revocations."""
REVOKED = 20
LOOKS = 10
LEAST = SENDERS + (REVOKED + 1) * MACHINES
ROUNDS = 4
CHANGES = 2.0
"""Of the registry, a second."""
LOAD_SECONDS = 120.0
HUNDRED_THOUSAND = 100_000


def measure(url: str, folder: Path, seconds: float, devices: int, say: Callable[[str], None]) -> dict[str, Any]:
    """A figure. `url`: a database of `bench.many` with so many devices.

    `start_s`: until a node is ready; `first_ms`: until its first reading is stored; `loaded_s`: from then on, until it
    knows all keys; `node_mb`: of a node's process then, `mb_per_100000` devices. `revoked_s`: until a key is 401 at the
    other node, the longest; `refused`: readings beside it that were not stored. `looks`: by what a person asks for,
    milliseconds. `share`: readings beside CHANGES a second of the registry, of those without; `dearer`: what one costs
    that node in processor time, of what it costs without: who makes the changes is on the same machine.
    Beside them what `bench.followers` says.
    """
    followers = json.loads(servers.run_module("bench.followers", env=servers.product_environment(url), seconds=900))
    say(f"followers: {followers}")
    more = {"WORKERS": "1", "DJANGO_SUPERUSER_PASSWORD": PASSWORD, "LIMIT_PERSON_CALLS": "1000000/10"}
    script = write_script(folder, "senders", devices=SENDERS, batch=1)
    began = time.monotonic()
    with servers.product(url, **more) as one:
        start = time.monotonic() - began
        with servers.product(url, **more) as two:
            loads = [_load_keys(server, devices) for server in (one, two)]
            memory = max(worker_mb(server) for server in (one, two))
            say(f"start {start:.1f} s, keys {loads}, {memory:.0f} MB")
            staff = Client(one.port, PASSWORD)
            revoked, refused = _revoke(staff, two.port, paced(script, BESIDE), devices)
            say(f"revoked after {max(revoked):.3f} s at most, {refused} refused beside it")
            looks = _look(two.port)
            say(f"looks {looks}")
            found = [_share(staff, two, script, seconds, devices) for _ in range(ROUNDS)]
            shares, dearer = [share for share, _ in found], [cost for _, cost in found]
            say(f"shares {shares}, dearer {dearer}")
    return {
        "devices_registered": devices,
        "start_s": start,
        "first_ms": max(first for first, _ in loads),
        "loaded_s": max(loaded for _, loaded in loads),
        "node_mb": memory,
        "mb_per_100000": memory * HUNDRED_THOUSAND / max(devices, HUNDRED_THOUSAND),
        "revoked_s": max(revoked),
        "refused": refused,
        "looks": looks,
        "online_ms": looks[ONLINE]["ms"],
        "look_ms": max(looks[f"a look at {path}"]["ms"] for path in PATHS),
        "page_ms": max(looks[path]["ms"] for path in PATHS),
        "shares": shares,
        "share": statistics.median(shares),
        "dearer": statistics.median(dearer),
        **followers,
        "problems": [],
    }


def worker_mb(server: servers.Server) -> float:
    """Resident megabytes of the largest of its processes."""
    family = [server.process, *server.process.children(recursive=True)]
    return float(max(process.memory_info().rss for process in family)) / servers.MEGABYTE


def _load_keys(server: servers.Server, devices: int) -> tuple[float, float]:
    """Milliseconds of the first reading, and seconds until the keys are known: the process no longer grows."""
    began = time.monotonic()
    while (status := _send(server.port, devices - 1)) != 201:
        if status != 503 or time.monotonic() - began > LOAD_SECONDS:
            raise RuntimeError(f"the first reading: {status}")
    first = 1000 * (time.monotonic() - began)
    before, grown = worker_mb(server), time.monotonic()
    while time.monotonic() - grown < 3 and time.monotonic() - began < LOAD_SECONDS:
        time.sleep(0.25)
        if (now := worker_mb(server)) > before + 1:
            before, grown = now, time.monotonic()
    return first, grown - began


def _send(port: int, number: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {device_key(number)}"}
        connection.request("POST", INGEST, reading(number), headers)
        reply = connection.getresponse()
        reply.read()
        return reply.status
    finally:
        connection.close()


def _revoke(staff: Client, port: int, script: Path, devices: int) -> tuple[list[float], int]:
    """Seconds until each key is refused at `port`, and how many of the readings beside it were not stored."""
    found: list[float] = []
    seconds = REVOKED * 1.2
    with ThreadPoolExecutor(1) as thread:
        beside = thread.submit(run_wrk, script, port, connections=PACED, seconds=seconds)
        for number in range(REVOKED):
            doomed = SENDERS + number * MACHINES + 1
            if (status := _send(port, doomed)) != 201:
                raise RuntimeError(f"device {doomed}: {status}")
            staff.change("POST", f"/api/devices/bench-{doomed}/rotate/", {})
            began = time.monotonic()
            while _send(port, doomed) != 401:
                if time.monotonic() - began > 30:
                    raise RuntimeError("a revoked key is taken after 30 s")
                time.sleep(0.005)
            found.append(time.monotonic() - began)
            time.sleep(0.8)
        load = beside.result()
    return found, sum(load.errors.values())


def _look(port: int) -> dict[str, dict[str, float]]:
    """By what is asked for, milliseconds: of the first, and the median of the others."""
    found = {}
    client = Client(port, PASSWORD)
    found[ONLINE] = _times(lambda: client.get(ONLINE))
    for path in PATHS:
        began = time.perf_counter()
        window = Window(port, "admin", PASSWORD, path)
        opened = 1000 * (time.perf_counter() - began)
        found[path] = {**_times(window.load), "first_ms": opened}
        found[f"a look at {path}"] = _times(window.look)
    return found


def _times(call: Callable[[], Any]) -> dict[str, float]:
    times = []
    for _ in range(LOOKS + 1):
        began = time.perf_counter()
        call()
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(0.5)  # a version that has just been read is not this one's cost
    return {"first_ms": times[0], "ms": statistics.median(times[1:]), "worst_ms": max(times[1:])}


def _share(staff: Client, server: servers.Server, script: Path, seconds: float, devices: int) -> tuple[float, float]:
    """Readings beside a registry that changes, of those before and after it; and their cost, likewise."""
    before, cost_before = _cost(server, script, seconds)
    with _changing(staff, devices):
        beside, cost_beside = _cost(server, script, seconds)
    after, cost_after = _cost(server, script, seconds)
    if not beside.clean:
        raise RuntimeError(f"beside changes: {beside.errors}")
    return 2 * beside.rate / (before.rate + after.rate), 2 * cost_beside / (cost_before + cost_after)


def _cost(server: servers.Server, script: Path, seconds: float) -> tuple[Load, float]:
    """Some seconds of readings, and the processor seconds of the node for one."""
    before = _processor_seconds(server)
    load = run_wrk(script, server.port, connections=64, seconds=seconds)
    return load, (_processor_seconds(server) - before) / (load.rate * load.seconds)


def _processor_seconds(server: servers.Server) -> float:
    family = [server.process, *server.process.children(recursive=True)]
    return float(sum(sum(process.cpu_times()[:2]) for process in family))


@contextmanager
def _changing(staff: Client, devices: int) -> Iterator[None]:
    """While the block runs devices are given other names."""
    stop = threading.Event()

    def change() -> None:
        number = 0
        due = time.monotonic()
        while not stop.wait(max(0.0, due - time.monotonic())):
            number, due = number + 1, due + 1 / CHANGES
            path = f"/api/devices/bench-{number * 7_919 % devices}/"
            staff.change("PATCH", path, {"name": f"Meter, for the {number}th time"})

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
