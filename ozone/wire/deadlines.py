"""One timer for everything that waits on an event loop: a timer for each request would cost a tenth of the request."""

import asyncio
import math
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Final

SWEEP_SECONDS: Final = 0.25
_EXPIRED: Final = -math.inf


class Deadlines:
    """What waits on one loop, and until when. Late by at most a quarter of a second."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        # Ordered by time because each entry waits equally long; the head is swept away as it is done.
        self._futures: deque[tuple[float, asyncio.Future[Any], Callable[[], Exception]]] = deque()
        self._tasks: dict[asyncio.Task[Any], float] = {}
        loop.call_later(SWEEP_SECONDS, self._sweep)

    def add(self, future: "asyncio.Future[Any]", seconds: float, error: Callable[[], Exception]) -> None:
        """If `future` is not done in time, it ends with `error()`."""
        self._futures.append((self.loop.time() + seconds, future, error))

    async def within(self, seconds: float, awaitable: Any) -> Any:
        """The result of `awaitable`, or TimeoutError."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks[task] = self.loop.time() + seconds
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._tasks[task] == _EXPIRED:
                task.uncancel()
                raise TimeoutError from None
            raise
        finally:
            del self._tasks[task]

    def _sweep(self) -> None:
        now = self.loop.time()
        futures = self._futures
        while futures and (futures[0][0] < now or futures[0][1].done()):
            _, future, error = futures.popleft()
            if not future.done():
                future.set_exception(error())
        for task in [task for task, until in self._tasks.items() if _EXPIRED < until < now]:
            self._tasks[task] = _EXPIRED
            task.cancel()
        self.loop.call_later(SWEEP_SECONDS, self._sweep)


_here: Final = threading.local()


def deadlines() -> Deadlines:
    """Those of the running loop, the only one that runs in this thread."""
    loop = asyncio.get_running_loop()
    found: Deadlines | None = getattr(_here, "deadlines", None)
    if found is None or found.loop is not loop:
        found = _here.deadlines = Deadlines(loop)
    return found
