"""What people's pages cost: an unchanged look, open dashboards beside the readings, the first page of a large fleet."""

import http.client
import json
import re
import statistics
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import servers
from bench.fleet import VIEWER_PASSWORD
from bench.load import INGEST, device_key, reading, run_wrk, write_script

DEVICES, OWNED = 2_000, 1_000
"""The viewer's devices are the first half; the load comes from the others, so that a page changes as we say."""
DASHBOARDS = 50
CHANGED = OWNED // 10
PATHS = ("/", "/devices/")
EMPTY = "/favicon.ico"
"""The smallest thing that Django answers: a redirect, through the whole chain of middleware."""
LOOKS = 60
REST = 0.5
"""Seconds before each, in which the server has other things to do: a version that another look has just read is not
this one's cost, and neither is waking a processor that had fallen asleep."""
ROUNDS = 3
FIRST_PAGES = 20


class Window:
    """A browser's tab: a session, what the page shows, and looks for what is new."""

    def __init__(self, port: int, username: str, password: str, path: str = PATHS[1]) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        body = json.dumps({"username": username, "password": password})
        _, headers, _ = self._ask("POST", "/api/auth/login/", {"Content-Type": "application/json"}, body)
        self._cookie = {"Cookie": "; ".join(text.split(";")[0] for text in headers.get_all("Set-Cookie", []))}
        self.path = path
        self.load()

    def load(self) -> None:
        status, _, html = self.get(self.path)
        if status != 200:
            raise RuntimeError(f"{self.path}: {status}")
        self._version = re.findall(r'data-version="([^"]+)"', html)[0]
        self._lists: dict[str, dict[str, str]] = {}
        for name, rows in re.findall(r'data-list="([^"]+)"[^>]*>(.*?)</(?:tbody|ul|ol|div)>', html, re.S):
            self._lists[name] = dict(re.findall(r'data-key="([^"]+)" data-tag="([^"]+)"', rows))
        self._parts = dict(re.findall(r'data-part="([^"]+)" data-tag="([^"]+)"', html))

    def get(self, path: str, **headers: str) -> tuple[int, Any, str]:
        return self._ask("GET", path, {**self._cookie, **headers})

    def look(self) -> tuple[int, int]:
        """Status and bytes of one poll; what changed is taken over."""
        groups = [f"{name}:" + ",".join(map("=".join, rows.items())) for name, rows in self._lists.items()]
        groups.append("parts:" + ",".join(map("=".join, self._parts.items())))
        known = {"HX-Request": "true", "X-Live-Version": self._version, "X-Live-Tags": ";".join(groups)}
        status, headers, html = self.get(self.path, **known)
        self._version = headers.get("X-Live-Version", self._version)
        for name, order, rows in re.findall(
            r'<template data-list="(\w+)" data-order="([^"]*)">(.*?)</template>', html, re.S
        ):
            new = self._lists[name] | dict(re.findall(r'data-key="([^"]+)" data-tag="([^"]+)"', rows))
            self._lists[name] = {key: new[key] for key in order.split()}
        self._parts |= dict(re.findall(r'data-part="([^"]+)" data-tag="([^"]+)"', html))
        return status, len(html)

    def _ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, Any, str]:
        self._connection.request(method, path, body or None, headers)
        reply = self._connection.getresponse()
        return reply.status, reply.headers, reply.read().decode()


def measure(server: servers.Server, large: servers.Server, folder: Path, seconds: float) -> dict[str, Any]:
    """A figure. `server` has DEVICES, half of them the viewer's; `large` 10,000 of nobody's, and staff `admin`.

    `look_ms`: an unchanged look, which reads its version itself, beyond an empty request. `share_still`,
    `share_changing`: readings stored beside DASHBOARDS that look once a second, of those without, while none or a tenth
    of the devices shown change every second. `first_page_ms`: a page of 10,000 devices.
    """
    viewer = Window(server.port, "viewer", VIEWER_PASSWORD)
    empty, look = _alternate(lambda: viewer.get(EMPTY), lambda: _unchanged(viewer))
    staff = Window(large.port, "admin", "password")
    first = [_time(lambda: staff.get(PATHS[1])) for _ in range(FIRST_PAGES)]
    bare = [_time(lambda: staff.get(EMPTY)) for _ in range(FIRST_PAGES)]
    script = write_script(folder, "beside", devices=DEVICES - OWNED, batch=1, first=OWNED)
    crowd = Crowd(server.port)
    still, changing = [], []
    for _ in range(ROUNDS):
        alone = run_wrk(script, server.port, connections=64, seconds=seconds).rate
        with crowd.looking():
            still.append(run_wrk(script, server.port, connections=64, seconds=seconds).rate / alone)
        alone = run_wrk(script, server.port, connections=64, seconds=seconds).rate
        with crowd.looking(changing=True):
            changing.append(run_wrk(script, server.port, connections=64, seconds=seconds).rate / alone)
    return {
        "look_ms": (look - empty) * 1000,
        "empty_ms": empty * 1000,
        "share_still": statistics.median(still),
        "share_changing": statistics.median(changing),
        "share": statistics.median(changing),
        "first_page_ms": (statistics.median(first) - statistics.median(bare)) * 1000,
        "looks": crowd.looks,
        "problems": crowd.problems(),
    }


def _unchanged(window: Window) -> None:
    status, _ = window.look()
    if status != 204:
        raise RuntimeError(f"an unchanged page was answered with {status}")


def _time(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _alternate(one: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    """Median seconds of each, called in turn; before it `one` is called for REST seconds."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(LOOKS):
        until = time.monotonic() + REST
        while time.monotonic() < until:
            one()
            time.sleep(0.005)
        for place, call in enumerate((one, other)):
            found[place].append(_time(call))
    return statistics.median(found[0]), statistics.median(found[1])


@dataclass
class Crowd:
    """DASHBOARDS windows of the viewer, half of them the dashboard, half the list of devices."""

    port: int
    looks: dict[str, int] = field(default_factory=dict)
    late: int = 0
    _windows: list[Window] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def looking(self, *, changing: bool = False) -> "_Looking":
        if not self._windows:
            paths = [PATHS[number % len(PATHS)] for number in range(DASHBOARDS)]
            self._windows = [Window(self.port, "viewer", VIEWER_PASSWORD, path) for path in paths]
        return _Looking(self, changing=changing)

    def problems(self) -> list[str]:
        return [
            f"{count} looks ended with {status}" for status, count in self.looks.items() if status not in ("200", "204")
        ]


class _Looking:
    """While it is entered every window looks once a second; with `changing` a tenth of the devices report, too."""

    def __init__(self, crowd: Crowd, *, changing: bool) -> None:
        self._crowd = crowd
        self._stop = threading.Event()
        looks = [threading.Thread(target=self._look, args=(number,)) for number in range(DASHBOARDS)]
        self._threads = looks + ([threading.Thread(target=self._report)] if changing else [])

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(1)

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _look(self, number: int) -> None:
        window = self._crowd._windows[number]
        due = time.monotonic() + number / DASHBOARDS
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            status, _ = window.look()
            self._crowd.looks[str(status)] = self._crowd.looks.get(str(status), 0) + 1
            due += 1

    def _report(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._crowd.port, timeout=30)
        due = time.monotonic()
        number = 0
        while not self._stop.wait(max(0.0, due - time.monotonic())):
            device = number % CHANGED
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {device_key(device)}"}
            connection.request("POST", INGEST, reading(number), headers)
            connection.getresponse().read()
            number += 1
            due += 1 / CHANGED
