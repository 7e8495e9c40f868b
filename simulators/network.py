"""The network between one simulated machine and the server: an honest one, or one that does what real ones do."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from simulators.client import Connection, Endpoint, NoAnswer, Reply

LATE_SECONDS = (0.2, 2.0)  # after the device has hung up


class Trouble(Enum):
    """What may happen to one request."""

    NONE = "none"
    CUT = "the connection broke before the whole request was sent"
    DROPPED = "the connection broke after the request was sent"
    LOST = "the reply came, and was lost on its last way"
    TWICE = "the request arrived on two connections at once"
    LATE = "the request arrived after the device had given up"


CHANCES = {Trouble.CUT: 0.02, Trouble.DROPPED: 0.015, Trouble.LOST: 0.03, Trouble.TWICE: 0.03, Trouble.LATE: 0.002}
"""How likely each trouble is on a hostile network, for one request."""


@dataclass(slots=True)
class Weather:
    """What the networks of all machines have in common: whether they are hostile now."""

    hostile: bool


class Network:
    """One device's way to the server: one kept connection, one request at a time, `timeout` seconds each."""

    def __init__(
        self,
        endpoint: Endpoint,
        chance: random.Random,
        weather: Weather,
        *,
        timeout: float,
        overheard: Callable[[Reply], None],
    ) -> None:
        """`overheard` is told each reply that the server gave and the device never saw."""
        self._endpoint = endpoint
        self._chance = chance
        self._weather = weather
        self._timeout = timeout
        self._overheard = overheard
        self._connection = Connection(endpoint, timeout=timeout)
        self._strays: set[asyncio.Task[Reply | None]] = set()
        self._offline_until = 0.0

    def go_offline(self, seconds: float) -> None:
        """Nothing gets through for so long, or until the weather is better."""
        self.close()
        self._offline_until = time.monotonic() + seconds

    async def exchange(self, request: bytes, *, may_come_late: bool = True) -> Reply:
        """Send the bytes and return the reply. Raises NoAnswer, which tells whether the server may have got it."""
        if self._weather.hostile and time.monotonic() < self._offline_until:
            raise NoAnswer("no network", sent=False)
        match self._trouble(may_come_late):
            case Trouble.CUT:
                await self._connection.send_and_hang_up(request[: self._chance.randrange(1, len(request))])
                raise NoAnswer(Trouble.CUT.value, sent=False)
            case Trouble.DROPPED:
                await self._connection.send_and_hang_up(request)
                raise NoAnswer(Trouble.DROPPED.value, sent=True)
            case Trouble.LOST:
                self._overheard(await self._connection.exchange(request))
                self._connection.close()
                raise NoAnswer(Trouble.LOST.value, sent=True)
            case Trouble.TWICE:
                return await self._on_two_connections(request)
            case Trouble.LATE:
                self._send_apart(request, self._timeout + self._chance.uniform(*LATE_SECONDS))
                await asyncio.sleep(self._timeout)
                raise NoAnswer(Trouble.LATE.value, sent=True)
        return await self._connection.exchange(request)

    def _trouble(self, may_come_late: bool) -> Trouble:
        if not self._weather.hostile:
            return Trouble.NONE
        left = self._chance.random()
        for trouble, share in CHANCES.items():
            left -= share
            if left < 0:
                return trouble if may_come_late or trouble is not Trouble.LATE else Trouble.NONE
        return Trouble.NONE

    async def _on_two_connections(self, request: bytes) -> Reply:
        """The reply that comes first; the other one is nobody's."""
        copies = [self._send_apart(request), self._send_apart(request)]
        for first in asyncio.as_completed(copies):
            if (reply := await first) is not None:
                return reply
        raise NoAnswer("neither copy was answered", sent=True)

    def _send_apart(self, request: bytes, delay: float = 0.0) -> asyncio.Task[Reply | None]:
        task = asyncio.create_task(self._apart(request, delay))
        self._strays.add(task)
        task.add_done_callback(self._strays.discard)
        return task

    async def _apart(self, request: bytes, delay: float) -> Reply | None:
        await asyncio.sleep(delay)
        connection = Connection(self._endpoint, timeout=self._timeout)
        try:
            reply = await connection.exchange(request)
        except NoAnswer:
            return None
        finally:
            connection.close()
        self._overheard(reply)
        return reply

    async def settled(self) -> None:
        """Returns when no copy of a request is under way any more."""
        while self._strays:
            await asyncio.wait(self._strays)

    def close(self) -> None:
        """Drop the connection, as a restart does. Copies that are under way arrive nevertheless."""
        self._connection.close()
