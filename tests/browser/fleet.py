"""Ozone machines that press and poll, over HTTP, against a live server."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from tests.support.server import ADMIN, PASSWORD

PAUSE_SECONDS = 0.05


class Fleet:
    """Devices called `Unit 1` and so on, each in a machine of one outlet. `presses` counts what was acknowledged."""

    def __init__(self, url: str, size: int) -> None:
        self.url = url
        self.presses = 0
        self._client = httpx.Client(base_url=url, timeout=10)
        signed_in = self._send("POST", "/api/auth/token/", {"username": ADMIN, "password": PASSWORD}, 200)
        self._staff = str(signed_in["data"]["access_token"])
        self.outlet = self._send("POST", "/api/outlets/", {"name": "Altona", "region": "Hamburg"}, 201, self._staff)
        self._keys = [self._enrol(number) for number in range(1, size + 1)]
        self._counters = [itertools.count(1) for _ in self._keys]

    def _send(self, method: str, path: str, value: Any, status: int, bearer: str = "") -> Any:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        reply = self._client.request(method, path, json=value, headers=headers)
        if reply.status_code != status:
            raise AssertionError(f"{method} {path}: {reply.status_code} {reply.text[:300]}")
        return reply.json()

    def _enrol(self, number: int) -> str:
        shaken = self._send("POST", "/api/handshake/", {"mac": f"02:F1:EE:70:00:{number:02X}", "firmware": "1.4"}, 200)
        name = f"unit-{number}"
        facts = {"device_id": name, "name": f"Unit {number}", "assigned": True}
        self._send("PATCH", f"/api/devices/{shaken['device_id']}/", facts, 200, self._staff)
        machine = {"device_id": name, "outlet_id": self.outlet["id"], "name": f"Machine {number}"}
        self._send("POST", "/api/machines/register/", machine, 201, self._staff)
        return str(shaken["token"])

    def press(self, index: int) -> None:
        """One BASIC treatment of the device at `index`."""
        counter = next(self._counters[index])
        event = {"event_id": f"n-{counter}", "event": "treatment", "treatment": "BASIC", "counter": counter}
        self._send("POST", "/api/device/events/", event, 200, self._keys[index])
        self.presses += 1

    def poll(self, index: int) -> None:
        self._client.get(
            f"/api/device/unit-{index + 1}/commands/", headers={"Authorization": f"Bearer {self._keys[index]}"}
        )

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """All of them press and poll, one after another, for the length of the block."""
        done = threading.Event()

        def work() -> None:
            for index in itertools.cycle(range(len(self._keys))):
                if done.wait(PAUSE_SECONDS):
                    return
                self.press(index)
                self.poll(index)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()

    def close(self) -> None:
        self._client.close()
