"""A few requests of one caller at once in Django's threads; the others wait for them, and hold up nobody else.

Every request under way stands in line for Python's lock, and a device's reply behind all of them. Who makes the server
compute gets no more done over eight connections than over a few. It divides what honest callers do; whoever has many
sessions, or invents some, has all threads as before.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from django.conf import settings

from ozone.wire.address import client_address, limit_key

AT_ONCE: Final = 2
"""A quarter of Django's threads (docs/decisions/0046)."""


def caller_of(headers: Mapping[str, str], peer: str) -> str:
    """By the token or the session that is shown, before anybody knows whether it holds; else by the address."""
    token = headers.get("authorization", "").rpartition(" ")[2]
    return token or _session(headers) or limit_key(client_address(peer, headers.get("x-forwarded-for")))


def _session(headers: Mapping[str, str]) -> str:
    for pair in headers.get("cookie", "").split(";"):
        name, _, value = pair.strip().partition("=")
        if name == settings.SESSION_COOKIE_NAME:
            return value
    return ""


class Callers:
    """Those of one event loop. Nothing is kept of one who has no request here."""

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def one(self, caller: str) -> AsyncIterator[None]:
        """A place for the length of the block, after whoever of the same caller came before."""
        await self._take(caller)
        try:
            yield
        finally:
            self._leave(caller)

    async def _take(self, caller: str) -> None:
        if self._under_way[caller] < AT_ONCE:
            self._under_way[caller] += 1
            return
        given = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(caller, deque()).append(given)
        try:
            await given
        except asyncio.CancelledError:
            if not given.cancelled():  # the place was given just before
                self._leave(caller)
            raise

    def _leave(self, caller: str) -> None:
        waiting = self._waiting.get(caller, deque())
        while waiting:
            given = waiting.popleft()
            if not waiting:
                del self._waiting[caller]
            if not given.done():
                given.set_result(None)  # the place is the next one's
                return
        self._under_way[caller] -= 1
        if not self._under_way[caller]:
            del self._under_way[caller]
