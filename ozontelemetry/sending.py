"""Replies leave by the event loop, and nobody's reading is waited for without an end."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ozone.wire.deadlines import deadlines

Send = Callable[[Any], Awaitable[None]]

PIECE: Final = 32 * 1024
"""Bytes that the server is given at a time: it keeps some thirty of them for a client that does not read."""
SECONDS: Final = 15.0
"""How long a piece may wait for a slow reader."""
UNREAD_BYTES: Final = 64 * 1024 * 1024
"""How much of whole replies may wait to be read, in all; past it the one that has waited longest is dropped."""


class SlowReader(Exception):
    """The client does not read what it asked for: its reply is dropped, and its connection with it."""


class Sender:
    def __init__(self) -> None:
        self._size = 0
        self._under_way: OrderedDict[asyncio.Task[Any], int] = OrderedDict()

    async def take(self, send: Send, message: dict[str, Any]) -> None:
        """Raises SlowReader when the client has not made room for it in time."""
        try:
            await deadlines().within(SECONDS, send(message))
        except TimeoutError:
            raise SlowReader from None

    async def send_whole(self, send: Send, head: dict[str, Any], body: bytes) -> None:
        """In one piece where it is small. Raises SlowReader."""
        await send(head)
        if len(body) <= PIECE:
            await send({"type": "http.response.body", "body": body})
            return
        task = asyncio.current_task()
        assert task is not None
        self._under_way[task] = len(body)
        self._size += len(body)
        while self._size > UNREAD_BYTES and len(self._under_way) > 1:
            oldest = next(iter(self._under_way))
            self._forget(oldest)
            oldest.cancel()
        try:
            for start in range(0, len(body), PIECE):
                more = start + PIECE < len(body)
                piece = body[start : start + PIECE]
                await self.take(send, {"type": "http.response.body", "body": piece, "more_body": more})
        except asyncio.CancelledError:
            if task in self._under_way:
                raise
            task.uncancel()
            raise SlowReader from None
        finally:
            self._forget(task)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._size -= self._under_way.pop(task, 0)


sender: Final = Sender()
