"""What waits for the writer: one row, one array of rows or one service call, and whoever waits for its commit."""

import asyncio
import concurrent.futures
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ozone.wire.errors import ApiError

logger = logging.getLogger("ozone.intake")

CALL: Final = "call"
"""The kind of a cold write: a service and its arguments."""
LARGE_ROWS: Final = 50
LARGE_BYTES: Final = 16 * 1024
"""What is larger lets everything small go first."""
LARGE_TOGETHER: Final = 1000
"""A transaction takes at most so many rows of it: who sends batch after batch holds others up by one, not by eight."""
ROW_BYTES: Final = 256
"""What a row of them weighs; one of more counts as several, for its bytes are what it costs."""


@dataclass(slots=True, eq=False)
class Submission:
    """One row (or one array of rows, or one service call) and whoever waits for it."""

    kind: str
    row: Any
    size: int
    rows: int
    since: float
    loop: asyncio.AbstractEventLoop | None
    future: "asyncio.Future[Any] | concurrent.futures.Future[Any]"
    result: Any = None
    error: BaseException | None = None
    postponed: bool = False

    @property
    def is_large(self) -> bool:
        return self.rows > LARGE_ROWS or self.size > LARGE_BYTES

    @property
    def weight(self) -> int:
        """In rows of its kind."""
        return max(self.rows, self.size // ROW_BYTES)


def fail(batch: Sequence[Submission], make: Callable[[], ApiError]) -> None:
    for item in batch:
        item.postponed = False
        item.error = make()  # one exception each: every waiter raises its own


def settle(batch: Sequence[Submission]) -> None:
    """Wakes everybody who waits, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Submission]] = {}
    for item in batch:
        if item.loop is None:
            _resolve([item])
        else:
            by_loop.setdefault(item.loop, []).append(item)
    for loop, items in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, items)
        except RuntimeError:
            logger.warning("writer: %d submissions are stored, but their event loop has closed", len(items))


def _resolve(batch: Sequence[Submission]) -> None:
    for item in batch:
        future = item.future
        if not future.done():  # whoever waited may have left
            if item.error is None:
                future.set_result(item.result)
            else:
                future.set_exception(item.error)
