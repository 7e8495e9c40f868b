"""The durable write path: one transaction for all that waits, replies only after COMMIT.

A submission is resolved when the transaction that holds it has been committed, and never before: a 2xx means
stored.

On SQLite one thread writes everything. PostgreSQL takes several writers, and there what is large or cold has a thread
and a connection of its own: no reading waits for a batch, or for a stranger's handshake.

Knows no domain model: each kind of row is stored by a function that an app registers.
"""

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connections

from ozone.intake.lane import Kind, Lane, Locks, Store
from ozone.intake.submission import CALL, LARGE_TOGETHER, Submission
from ozone.wire import metrics
from ozone.wire.conf import options
from ozone.wire.deadlines import deadlines
from ozone.wire.errors import Unavailable

MIN_SIZE: Final = 1024
"""What the smallest submission counts in the queue: its Python objects weigh about this much."""
APART_TOGETHER: Final = 4 * LARGE_TOGETHER
"""Nothing small waits for what is apart, and a transaction's statements cost as much as dozens of claims."""


class Writer:
    """Rows come from any thread or event loop; the lanes' threads write them."""

    def __init__(self, using: str = DEFAULT_DB_ALIAS) -> None:
        self.using = using
        self._kinds: dict[str, Kind] = {}
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._quick = Lane("intake-writer", self.using, self._kinds, self._forget)
        self._slow = Lane("intake-writer-slow", self.using, self._kinds, self._forget)
        self._apart = Lane("intake-writer-apart", self.using, self._kinds, self._forget, APART_TOGETHER)
        self._lanes = self._quick, self._slow, self._apart

    @cached_property
    def _has_one_lane(self) -> bool:
        return connections[self.using].vendor == "sqlite"

    def register(
        self,
        kind: str,
        store: Store,
        locks: Locks | None = None,
        *,
        is_piped: bool = False,
        is_apart: bool = False,
        weight: int = 1,
    ) -> None:
        """Rows of `kind` are stored by `store`. Kinds are stored in the order of their registration, always; what
        `store` locks it tells by `locks`. `is_piped`, `is_apart` and `weight`: see Kind."""
        self._kinds[kind] = Kind(store, locks, is_piped, is_apart, weight)

    def submit(self, kind: str, row: Any, size: int = 0, rows: int = 1) -> "asyncio.Future[Any]":
        """Queues a row from a running event loop; the future ends when the row is committed, or with an ApiError.

        `size` is the row's weight in bytes, `rows` how many rows of a table it holds. Raises Unavailable when the
        queue is full; the future ends with it when there was no answer in WRITE_REPLY_SECONDS (the row may then still
        be stored).
        """
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        deadlines().add(future, options().WRITE_REPLY_SECONDS, _no_answer)
        self._enqueue(Submission(kind, row, size, rows, time.monotonic(), loop, future))
        return future

    def post(self, kind: str, row: Any, size: int = 0, rows: int = 1) -> "concurrent.futures.Future[Any]":
        """Queues a row from anywhere, for whoever does not wait or waits in a thread."""
        future: concurrent.futures.Future[Any] = concurrent.futures.Future()
        self._enqueue(Submission(kind, row, size, rows, time.monotonic(), None, future))
        return future

    def submit_and_wait(self, kind: str, row: Any, size: int = 0, rows: int = 1) -> Any:
        """As `submit`, from a thread: waits for the commit and returns its result.

        Raises what refused the row, or Unavailable as above.
        """
        try:
            return self.post(kind, row, size, rows).result(options().WRITE_REPLY_SECONDS)
        except concurrent.futures.TimeoutError:
            raise _no_answer() from None

    @property
    def depth(self) -> int:
        """Submissions that wait."""
        return sum(lane.depth for lane in self._lanes)

    @property
    def is_healthy(self) -> bool:
        """False when a thread has died; before the first submission there is none to die."""
        return all(lane.is_healthy for lane in self._lanes)

    def stop(self, timeout: float = 5.0) -> None:
        """Commits what waits, ends the threads and closes their connections. The next submission starts others."""
        with self._lock:
            threads = [lane.end() for lane in self._lanes]
        until = time.monotonic() + timeout
        for thread in threads:
            if thread is not None:
                thread.join(max(0.0, until - time.monotonic()))

    def reset_after_fork(self) -> None:
        """A child process has neither the threads nor what waited for them."""
        self._begin()

    def _enqueue(self, submission: Submission) -> None:
        if submission.kind not in self._kinds and submission.kind != CALL:
            raise LookupError(f"nobody has registered a store for the kind {submission.kind!r}")
        submission.size = max(submission.size, MIN_SIZE)
        lane = self._lane_of(submission)
        with self._lock:
            if self._waiting_bytes + submission.size > options().WRITE_QUEUE_BYTES:
                raise Unavailable("The server has more to write than it can. Send it again.", code="queue_full")
            self._waiting_bytes += submission.size
            lane.put(submission)

    def _lane_of(self, submission: Submission) -> Lane:
        if self._has_one_lane:
            return self._quick
        if submission.kind == CALL:
            return self._slow
        if self._kinds[submission.kind].is_apart:
            return self._apart
        return self._slow if submission.is_large else self._quick

    def _forget(self, done: Sequence[Submission]) -> None:
        """From a lane's thread: those have been settled."""
        with self._lock:
            self._waiting_bytes -= sum(item.size for item in done)
        metrics.QUEUE_DEPTH.set(self.depth)


def _no_answer() -> Unavailable:
    return Unavailable(code="commit_timeout")
