"""One thread of the writer with its queue and its connection: one transaction for all that waits.

What cannot be committed soon is refused with `Unavailable` (503), and what the database refuses fails alone: the batch
is halved until the culprit stands by itself.
"""

import itertools
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NamedTuple

from django.db import DatabaseError, InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import silence
from ozone.intake.checkpoints import AT_COMMIT, Checkpoints
from ozone.intake.failures import first_line, is_lost, is_undone, poison
from ozone.intake.last import last_writes
from ozone.intake.pipelines import Pipeline
from ozone.intake.sql import keep_no_log
from ozone.intake.standing import log_identity, replaced, standing
from ozone.intake.submission import CALL, LARGE_TOGETHER, Submission, fail, settle
from ozone.intake.turns import LOOK_MILLISECONDS, begun, turns
from ozone.wire import metrics
from ozone.wire.conf import options
from ozone.wire.errors import ApiError, ServerError, Unavailable
from ozone.wire.tracebacks import clear_frames

logger = logging.getLogger("ozone.intake")

Store = Callable[[BaseDatabaseWrapper, list[Any]], Sequence[Any] | None]
"""Stores rows of one kind inside the writer's transaction; returns a result a row, or None where none is needed."""


class Locks(NamedTuple):
    """What a kind's store locks before it writes anything: rows of one table, in the order of their keys."""

    lock: Callable[[BaseDatabaseWrapper, list[int]], Any]
    """Locks the rows of these keys, which are sorted, until the commit."""
    keys: Callable[[BaseDatabaseWrapper, list[Any]], Collection[int]]
    """Which keys the kind's rows need."""


class Kind(NamedTuple):
    store: Store
    locks: Locks | None = None
    is_piped: bool = False
    """Its store asks for no more than what it fetches: nothing depends on how many rows a statement changed, or on what
    an error says of the one that brought it about."""
    is_apart: bool = False
    """It needs no row that what devices send writes; on PostgreSQL it waits for none of that, nor fails with it."""
    weight: int = 1
    """As how many a row counts where what is large is put together: what follows from it is written, too."""


MAX_SUBMISSIONS: Final = 4096
MAX_BYTES: Final = 4 * 1024 * 1024
"""One transaction takes no more than this, so that a commit stays short whatever waits."""
CALL_SECONDS: Final = 0.005
"""How long the cold writes of one turn may take, the first of them apart; the rest follow in the next."""
CALLS_TOGETHER: Final = 256
"""More than CALL_SECONDS are enough for."""
LOCK_MILLISECONDS: Final = 1000
"""How long the writer waits for a lock; with the time in the queue it stays under the firmware's 5 s."""
REPLY_SECONDS: Final = 3.5
"""How long it waits for the database, whose own statement_timeout is 3 s: nobody waits longer for the writer."""

_STOP: Final = object()


class Lane:
    """A queue and its thread, which writes what the queue holds. `kinds` may grow; `done` hears of what is settled;
    `together`: rows of what is large that a transaction takes."""

    def __init__(
        self,
        name: str,
        using: str,
        kinds: Mapping[str, Kind],
        done: Callable[[Sequence[Submission]], None],
        together: int = LARGE_TOGETHER,
    ) -> None:
        self.using = using
        self._name = name
        self._kinds = kinds
        self._done = done
        self._together = together
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._later: deque[Submission] = deque()
        """What is large."""
        self._calls: deque[Submission] = deque()
        """Those first for which the transaction before had no time."""
        self._are_rows_done = self._is_large_next = False
        """Whose turn the next transaction is."""
        self._pipeline = Pipeline()
        self._checkpoints = Checkpoints()
        self._thread: threading.Thread | None = None
        self._log: tuple[Any, Any] = (None, None)
        """SQLite's write-ahead log as it was after the first COMMIT of the connection named first."""

    # Whoever calls `put` or `end` holds the writer's lock.

    def put(self, submission: Submission) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._queue.put(submission)

    def end(self) -> threading.Thread | None:
        """Has the thread commit what waits and close its connection; the next submission starts another."""
        thread, self._thread = self._thread, None
        if thread is None or not thread.is_alive():
            return None
        self._queue.put(_STOP)
        return thread

    @property
    def depth(self) -> int:
        return self._queue.qsize() + len(self._calls) + len(self._later)

    @property
    def is_healthy(self) -> bool:
        """False when the thread has died; before the first submission there is none to die."""
        return self._thread is None or self._thread.is_alive()

    # Everything below runs in the thread.

    def _run(self) -> None:
        connection = connections[self.using]
        _prepare(connection)
        self._pipeline.serve(connection)
        stopping = False
        while (waiting := bool(self._calls or self._later)) or not stopping:
            first = self._next() if stopping or waiting else self._queue.get()
            with self._turn(connection):
                # What has come while others wrote goes with it.
                batch, told = self._take(first)
                stopping = stopping or told
                try:
                    self._write(connection, batch)
                except BaseException as error:  # nothing may end this thread: whoever waits must hear
                    logger.exception("writer: unexpected failure, %d submissions refused", len(batch))
                    fail(batch, lambda: ServerError())
                    clear_frames(error)
            done = [item for item in batch if not item.postponed]
            self._calls.extendleft(item for item in reversed(batch) if item.postponed)
            settle(done)
            self._done(done)
            self._checkpoints.look(connection)
        self._pipeline.leave()
        self._checkpoints.wait()
        connection.close()

    def _take(self, item: Any) -> tuple[list[Submission], bool]:
        """What is small of all that waits, `item` first, up to the bounds of one transaction; and whether the end was
        told. Calls and what is large take as long as hundreds of rows, so while they wait each of the three has a
        transaction in turn. What is small and comes meanwhile goes with the other two, which it would wait for."""
        batch: list[Submission] = []
        size = 0
        while item is not None and item is not _STOP:
            if item.kind == CALL:
                self._calls.append(item)
            elif item.is_large:
                self._later.append(item)
            else:
                batch.append(item)
                size += item.size
                if len(batch) >= MAX_SUBMISSIONS or size >= MAX_BYTES:
                    break
            item = self._next()
        if batch and (self._calls or self._later) and not self._are_rows_done:
            self._are_rows_done = True
            return batch, item is _STOP
        self._are_rows_done = False
        if self._calls and not (self._later and self._is_large_next):
            self._is_large_next = True
            batch += [self._calls.popleft() for _ in range(min(len(self._calls), CALLS_TOGETHER))]
            return batch, item is _STOP
        self._is_large_next = False
        rows = 0
        while self._later and (not rows or rows + self._weight(self._later[0]) <= self._together):
            batch.append(self._later.popleft())
            rows += self._weight(batch[-1])
        return batch, item is _STOP

    def _weight(self, item: Submission) -> int:
        kind = self._kinds.get(item.kind)
        return item.weight * (1 if kind is None else kind.weight)

    def _next(self) -> Any:
        try:
            return self._queue.get_nowait()
        except queue.Empty:
            return None

    def _write(self, connection: BaseDatabaseWrapper, batch: list[Submission]) -> None:
        too_old = time.monotonic() - options().WRITE_QUEUE_SECONDS
        late = [item for item in batch if item.since < too_old]
        fail(late, lambda: Unavailable(code="queued_too_long"))
        fresh = [item for item in batch if item.since >= too_old] if late else batch
        calls: list[Submission] = []
        if connection.vendor != "sqlite":
            # Each call locks what it needs and knows nothing of the others: of two processes with the same two calls in
            # different orders each would wait for the other. So each has a transaction of its own.
            calls = [item for item in fresh if item.kind == CALL]
            fresh = [item for item in fresh if item.kind != CALL] if calls else fresh
        if fresh:
            self._commit(connection, fresh)
        until = time.perf_counter() + CALL_SECONDS
        for number, call in enumerate(calls):
            call.postponed = number > 0 and time.perf_counter() > until
            if not call.postponed:
                self._commit(connection, [call])

    def _commit(self, connection: BaseDatabaseWrapper, batch: list[Submission], may_retry: bool = True) -> None:
        started = time.perf_counter()
        if connection.connection is None:
            _set_timeouts(connection)
        before = connection.connection
        at_commit = False
        try:
            if all(item.kind in self._kinds and self._kinds[item.kind].is_piped for item in batch):
                self._pipeline.enter(connection)
            else:
                self._pipeline.leave()
            with begun(self.using, LOCK_MILLISECONDS / 1000):
                with last_writes.gather(connection):
                    self._store(connection, batch)
                at_commit = True
        except (OperationalError, InterfaceError) as error:
            self._pipeline.leave()
            # What PostgreSQL has undone, and says so, is worth one more try; so is a connection that was lost before
            # COMMIT was sent: nothing can have been stored. After it nobody knows.
            lost = before is not None and connection.connection is not before
            retryable = may_retry and (is_undone(error) or (not at_commit and (lost or is_lost(connection))))
            _repair(connection, before)
            clear_frames(error)
            if retryable:
                self._commit(connection, batch, may_retry=False)
            else:
                logger.warning("writer: %d submissions refused: %s", len(batch), first_line(error))
                fail(batch, lambda: Unavailable())
        except Exception as error:
            self._pipeline.leave()
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
            fail(batch, replaced)

    def _turn(self, connection: BaseDatabaseWrapper) -> AbstractContextManager[None]:
        """SQLite's other writers get their turn between two batches."""
        if connection.vendor != "sqlite":
            return nullcontext()
        return turns.one(LOCK_MILLISECONDS / 1000, str(connection.settings_dict["NAME"]))

    def _store(self, connection: BaseDatabaseWrapper, batch: list[Submission]) -> None:
        by_kind: dict[str, list[Submission]] = {}
        for item in batch:
            by_kind.setdefault(item.kind, []).append(item)
        if len(by_kind) > 1 and connection.vendor != "sqlite":
            self._lock(connection, by_kind)
        for kind, (store, *_) in self._kinds.items():
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

    def _lock(self, connection: BaseDatabaseWrapper, by_kind: Mapping[str, Sequence[Submission]]) -> None:
        """Each kind locks its rows in order; several do not, one after the other, and two processes would wait for each
        other in a circle. So what all of them need is locked before any of them writes."""
        needed: dict[Callable[..., Any], set[int]] = {}
        for kind, (_, locks, *_) in self._kinds.items():
            if locks is not None and (items := by_kind.get(kind)):
                keys = locks.keys(connection, [item.row for item in items])
                needed.setdefault(locks.lock, set()).update(keys)
        for lock, all_keys in needed.items():
            with connection.wrap_database_errors:
                lock(connection, sorted(all_keys))


def _prepare(connection: BaseDatabaseWrapper) -> None:
    """The writer's own manners, before its first transaction."""
    keep_no_log(connection)
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
                cursor.execute(f"PRAGMA wal_autocheckpoint = {AT_COMMIT}")
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
