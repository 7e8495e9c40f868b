"""A device of the clients in a process of its own, told what to do on stdin, and the person who operates it."""

import os
import subprocess
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.support.server import ADMIN, PASSWORD, LiveServer

MAC = "EC:E3:34:46:2B:C0"
SECONDS = 60.0


class Device:
    """`command` may be changed between two starts."""

    def __init__(self, *command: str) -> None:
        self.command = list(command)
        self.heard: list[str] = []
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, env={**os.environ}
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said, "the device ended"
        return said.strip()

    def ask(self, words: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{words}\n")
        self.process.stdin.flush()
        while (said := self.line()).startswith("command "):
            self.heard.append(said.split()[1])
        return said

    def promised(self, words: str) -> bool:
        return self.ask(words).startswith("promised")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def waits_until(self, words: str, seconds: float = SECONDS) -> str:
        return str(until(lambda: said if words in (said := self.ask("state")) else "", seconds))


def until(found: Callable[[], Any], seconds: float = SECONDS) -> Any:
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return result


class Operator:
    def __init__(self, server: LiveServer) -> None:
        self.http = httpx.Client(base_url=server.url, timeout=10)
        signed_in = self.http.post("/api/auth/token/", json={"username": ADMIN, "password": PASSWORD}).json()
        self.http.headers["Authorization"] = f"Bearer {signed_in['data']['access_token']}"

    def assign(self) -> None:
        """Once it has shaken hands."""
        until(lambda: self.http.patch(f"/api/devices/{MAC}/", json={"assigned": True}).is_success)

    def command(self, command_type: str, **more: Any) -> str:
        sent = self.http.post(f"/api/device/{MAC}/commands/create/", json={"command_type": command_type, **more})
        assert sent.status_code == 201, sent.text
        return str(sent.json()["command_id"])

    def state(self, command_id: str) -> dict[str, Any]:
        recent = self.http.get(f"/api/device/{MAC}/commands/status/").json()["recent_commands"]
        return dict(next(command for command in recent if command["command_id"] == command_id))

    def events(self) -> list[dict[str, Any]]:
        return list(self.http.get("/api/events/?limit=10000").json())
