"""Processes that tests kill at any moment."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

from django.db import connection

ROOT: Final = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Of processes that use the tests' database."""
    return {**os.environ, "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings"}


def database_url() -> str:
    of = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{of['NAME']}"
    return f"postgres://{of['USER']}:{of['PASSWORD']}@{of['HOST']}:{of['PORT']}/{of['NAME']}"


class Forge:
    """Forks runners with all modules loaded (alerts.tests.forge): `what` each of them does is a word of its own."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._forge = subprocess.Popen(
            [sys.executable, "-m", "alerts.tests.forge"],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.alive: list[int] = []

    def start(self) -> None:
        assert self._forge.stdin and self._forge.stdout
        self._forge.stdin.write(f"{self._what}\n")
        self._forge.stdin.flush()
        self.alive.append(int(self._forge.stdout.readline()))

    def kill(self, place: int = 0) -> None:
        """Unless told the one that has lived longest, wherever it is."""
        os.kill(self.alive.pop(place), signal.SIGKILL)

    def close(self) -> None:
        while self.alive:
            self.kill()
        self._forge.kill()
        self._forge.wait(10)


class Commands:
    """Of `manage.py`, each with its own interpreter; they are started in turn, and killed with all their children."""

    def __init__(self, *commands: list[str]) -> None:
        self._commands = commands
        self.alive: list[tuple[int, subprocess.Popen[bytes]]] = []
        self._free = list(range(len(commands)))

    def start(self) -> None:
        """The one that was killed last, or the next."""
        place = self._free.pop(0)
        process = subprocess.Popen(
            [sys.executable, "manage.py", *self._commands[place]],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.alive.append((place, process))

    def kill(self, place: int = 0) -> None:
        number, process = self.alive.pop(place)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)
        self._free.append(number)

    def close(self) -> None:
        while self.alive:
            self.kill()
