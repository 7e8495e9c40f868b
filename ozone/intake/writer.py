"""The durable write path: one thread a process, one transaction for all that waits, replies only after COMMIT.

A submission is resolved when the transaction that holds it has been committed, and never before: a 2xx means
stored. What cannot be committed soon is refused with `Unavailable` (503), and what the database refuses fails
alone: the batch is halved until the culprit stands by itself.

Knows no domain model: each kind of row is stored by a function that an app registers.
"""

import asyncio
import concurrent.futures
import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import silence
from ozone.intake.failures import first_line, is_transient, poison
from ozone.intake.last import last_writes
from ozone.intake.standing import log_identity, replaced, standing
from ozone.intake.turns import LOOK_MILLISECONDS, begun, turns
from ozone.wire import metrics
from ozone.wire.conf import options
from ozone.wire.deadlines import deadlines
from ozone.wire.errors import ApiError, ServerError, Unavailable
from ozone.wire.tracebacks import clear_frames

logger = logging.getLogger("ozone.intake")

Store = Callable[[BaseDatabaseWrapper, list[Any]], Sequence[Any] | None]
"""Stores rows of one kind inside the writer's transaction; returns a result a row, or None where none is needed."""

MAX_SUBMISSIONS: Final = 4096
MAX_BYTES: Final = 4 * 1024 * 1024
"""One transaction takes no more than this, so that a commit stays short whatever waits."""
LARGE_ROWS: Final = 50
LARGE_BYTES: Final = 16 * 1024
"""What is larger lets everything small go first, in turn, and a transaction takes LARGE_TOGETHER rows of it at most:
whoever sends batch after batch holds up one reading by one batch, not by eight."""
LARGE_TOGETHER: Final = 1000
CALL_SECONDS: Final = 0.005
"""How long the cold writes of one transaction may take, the first of them apart; the rest follow in the next."""
MIN_SIZE: Final = 1024
"""What the smallest submission counts in the queue: its Python objects weigh about this much."""
LOCK_MILLISECONDS: Final = 1000
"""How long the writer waits for a lock; with the time in the queue it stays under the firmware's 5 s."""
REPLY_SECONDS: Final = 3.5
"""How long it waits for the database, whose own statement_timeout is 3 s: nobody waits longer for the writer."""

CALL: Final = "call"
_STOP: Final = object()


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


class Writer:
    """The queue and its thread. Rows come from any thread or event loop; one thread writes them."""

    def __init__(self, using: str = DEFAULT_DB_ALIAS) -> None:
        self.using = using
        self._kinds: dict[str, Store] = {}
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._later: deque[Submission] = deque()
        self._large_is_next = False
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._thread: threading.Thread | None = None
        self._log: tuple[Any, Any] = (None, None)
        """SQLite's write-ahead log as it was after the first COMMIT of the connection named first."""

    def register(self, kind: str, store: Store) -> None:
        """Rows of `kind` are stored by `store`. Kinds are stored in the order of their registration, always."""
        self._kinds[kind] = store

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
        return self._queue.qsize() + len(self._later)

    @property
    def is_healthy(self) -> bool:
        """False when the thread has died; before the first submission there is none to die."""
        return self._thread is None or self._thread.is_alive()

    def stop(self, timeout: float = 5.0) -> None:
        """Commits what waits, ends the thread and closes its connection. The next submission starts another."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._queue.put(_STOP)
            thread.join(timeout)

    def reset_after_fork(self) -> None:
        """A child process has neither the thread nor what waited for it."""
        self._queue = queue.SimpleQueue()
        self._later = deque()
        self._lock = threading.Lock()
        self._waiting_bytes = 0
        self._thread = None

    def _enqueue(self, submission: Submission) -> None:
        if submission.kind not in self._kinds and submission.kind != CALL:
            raise LookupError(f"nobody has registered a store for the kind {submission.kind!r}")
        submission.size = max(submission.size, MIN_SIZE)
        with self._lock:
            if self._waiting_bytes + submission.size > options().WRITE_QUEUE_BYTES:
                raise Unavailable("The server has more to write than it can. Send it again.", code="queue_full")
            self._waiting_bytes += submission.size
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="intake-writer", daemon=True)
                self._thread.start()
        self._queue.put(submission)

    # Everything below runs in the writer's thread.

    def _run(self) -> None:
        connection = connections[self.using]
        _prepare(connection)
        stopping = False
        while self._later or not stopping:
            batch, told = self._take(may_wait=not stopping and not self._later)
            stopping = stopping or told
            try:
                self._write(connection, batch)
            except BaseException as error:  # nothing may end this thread: whoever waits must hear
                logger.exception("writer: unexpected failure, %d submissions refused", len(batch))
                _fail(batch, lambda: ServerError())
                clear_frames(error)
            done = [item for item in batch if not item.postponed]
            self._later.extendleft(item for item in reversed(batch) if item.postponed)
            _settle(done)
            with self._lock:
                self._waiting_bytes -= sum(item.size for item in done)
            metrics.QUEUE_DEPTH.set(self.depth)
        connection.close()

    def _take(self, *, may_wait: bool) -> tuple[list[Submission], bool]:
        """What is small of all that waits, then what is large, up to the bounds of one transaction; and whether the
        end was told."""
        batch: list[Submission] = []
        size = 0
        item = self._queue.get() if may_wait else self._next()
        while item is not None and item is not _STOP:
            if item.is_large:
                self._later.append(item)
            else:
                batch.append(item)
                size += item.size
                if len(batch) >= MAX_SUBMISSIONS or size >= MAX_BYTES:
                    break
            item = self._next()
        if batch and self._later and not self._large_is_next:
            self._large_is_next = True  # what is small has a transaction of its own, and the next is for what is large
            return batch, item is _STOP
        self._large_is_next = False
        rows = 0
        while self._later and (not rows or rows + self._later[0].rows <= LARGE_TOGETHER):
            batch.append(self._later.popleft())
            rows += batch[-1].rows
        return batch, item is _STOP

    def _next(self) -> Any:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def _write(self, connection: BaseDatabaseWrapper, batch: list[Submission]) -> None:
        too_old = time.monotonic() - options().WRITE_QUEUE_SECONDS
        late = [item for item in batch if item.since < too_old]
        _fail(late, lambda: Unavailable(code="queued_too_long"))
        fresh = [item for item in batch if item.since >= too_old] if late else batch
        if fresh:
            self._commit(connection, fresh)

    def _commit(self, connection: BaseDatabaseWrapper, batch: list[Submission], may_retry: bool = True) -> None:
        started = time.perf_counter()
        if connection.connection is None:
            _set_timeouts(connection)
        before = connection.connection
        at_commit = False
        try:
            with self._turn(connection), begun(self.using, LOCK_MILLISECONDS / 1000):
                with last_writes.gather(connection):
                    self._store(connection, batch)
                at_commit = True
        except (OperationalError, InterfaceError) as error:
            # Before COMMIT was sent nothing can have been stored, so a deadlock or a lost connection is worth
            # one more try; after it nobody knows.
            lost = before is not None and connection.connection is not before
            retryable = may_retry and not at_commit and (lost or is_transient(connection, error))
            _repair(connection, before)
            clear_frames(error)
            if retryable:
                self._commit(connection, batch, may_retry=False)
            else:
                logger.warning("writer: %d submissions refused: %s", len(batch), first_line(error))
                _fail(batch, lambda: Unavailable())
        except Exception as error:
            _repair(connection, before)
            if len(batch) > 1:
                clear_frames(error)
                # Savepoints would not isolate it: foreign keys are checked at COMMIT.
                middle = len(batch) // 2
                self._commit(connection, batch[:middle])
                self._commit(connection, batch[middle:])
            else:
                logger.exception("writer: one submission of kind %r refused", batch[0].kind)
                clear_frames(error)
                batch[0].error = poison(error)
        else:
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - started)
            metrics.COMMIT_ROWS.observe(sum(item.rows for item in batch))
            self._look_where_it_went(connection, batch)

    def _look_where_it_went(self, connection: BaseDatabaseWrapper, batch: list[Submission]) -> None:
        """Nobody hears that a row is stored in a file that is not the database any more (two stats a transaction)."""
        log = log_identity(connection)
        if self._log[0] is not connection.connection:
            self._log = connection.connection, log
        try:
            standing.check(connection)
            if log != self._log[1]:
                logger.error("writer: the database's -wal file was removed or replaced. Restart the server")
                raise replaced()
        except ApiError:
            _fail(batch, replaced)

    def _turn(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """SQLite's other writers in this process get their turn between two batches."""
        return turns.one(LOCK_MILLISECONDS / 1000) if connection.vendor == "sqlite" else nullcontext()

    def _store(self, connection: BaseDatabaseWrapper, batch: list[Submission]) -> None:
        by_kind: dict[str, list[Submission]] = {}
        for item in batch:
            by_kind.setdefault(item.kind, []).append(item)
        for kind, store in self._kinds.items():
            if items := by_kind.get(kind):
                with connection.wrap_database_errors:
                    results = store(connection, [item.row for item in items])
                for item, result in zip(items, results or itertools.repeat(None), strict=False):
                    item.result, item.error = result, None
        until = 0.0
        for item in by_kind.get(CALL, ()):
            item.postponed = bool(until) and time.perf_counter() > until
            if item.postponed:
                continue
            until = until or time.perf_counter() + CALL_SECONDS
            service, arguments = item.row
            try:
                with (
                    connection.wrap_database_errors,
                    transaction.atomic(using=self.using),
                    last_writes.gather(connection),
                ):
                    item.result, item.error = service(**arguments), None
            except (OperationalError, InterfaceError):
                raise
            except ApiError as error:
                clear_frames(error)
                item.error = error
            except Exception as error:
                logger.exception("writer: %s failed", service.__qualname__)
                clear_frames(error)
                item.error = poison(error)


def _prepare(connection: BaseDatabaseWrapper) -> None:
    """The writer's own manners, before its first transaction."""
    # In development Django would log every query in memory: a third of the speed, and a leak.
    connection.make_debug_cursor = connection.make_cursor  # type: ignore[method-assign,assignment]
    connection.queries_log = deque(maxlen=0)  # where it would note each COMMIT
    if connection.vendor == "sqlite":
        # A host project may leave Django's DEFERRED, which fails when another connection wrote in between.
        connection.transaction_mode = "IMMEDIATE"  # type: ignore[attr-defined]
    silence.wait_at_most(connection, REPLY_SECONDS)
    _set_timeouts(connection)


def _set_timeouts(connection: BaseDatabaseWrapper) -> None:
    try:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute(f"PRAGMA busy_timeout = {LOOK_MILLISECONDS}")
                cursor.execute("PRAGMA synchronous = FULL")
            elif connection.vendor == "postgresql":
                # Half as long again: a circle is found after PostgreSQL's deadlock_timeout, a second, and ends there.
                cursor.execute(f"SET lock_timeout = {LOCK_MILLISECONDS * 3 // 2}")
                cursor.execute("SET statement_timeout = 3000")
    except DatabaseError:
        # Not reachable now: the transaction that follows says so to whoever waits, and _repair comes here again.
        connection.close()


def _repair(connection: BaseDatabaseWrapper, before: Any) -> None:
    """After a failure: a connection that is not usable is replaced before the next transaction.

    One that Django has replaced already, at the end of the transaction it was lost in, has its timeouts to learn.
    """
    if connection.connection is None or not connection.is_usable():
        connection.close()
        _set_timeouts(connection)
    elif connection.connection is not before:
        _set_timeouts(connection)


def _no_answer() -> Unavailable:
    return Unavailable(code="commit_timeout")


def _fail(batch: Sequence[Submission], make: Callable[[], ApiError]) -> None:
    for item in batch:
        item.postponed = False
        item.error = make()  # one exception each: every waiter raises its own


def _settle(batch: Sequence[Submission]) -> None:
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
