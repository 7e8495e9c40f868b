"""Whose turn it is to write to SQLite, which takes one writer at a time and keeps no queue: whoever finds it locked
looks again every 0.1 s, and a busy writer's transactions follow each other without such a pause between them.

Inside one process a queue is possible. The writer has the turn for the whole of its transaction. Any other connection
has it until its own transaction has begun; then the writer is the one that finds the lock taken, and not for long.

Between our processes the kernel keeps one: a lock on a file beside the database belongs to the turn, and whoever dies
with it has given it back. Nothing but the order rests on it. Other programs know nothing of it and are met at
SQLite's own lock, where whoever has the turn looks more often (`begun`, `_soon`): the others wait behind it.
"""

import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from django.db import OperationalError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ozone.wire.tracebacks import clear_frames

logger = logging.getLogger("ozone.intake")

SECONDS: Final = 3.0
"""Who has waited this long goes on without a turn: then SQLite itself decides, as it does between processes."""
SUFFIX: Final = "-turn"
"""Of the file beside the database."""
LOOK_MILLISECONDS: Final = 2
"""How long SQLite itself waits for a lock where we look again: it looks after 1 ms, and once more."""
_begins: Final = threading.local()
_READS: Final = ("SELECT", "PRAGMA", "EXPLAIN", "VACUUM INTO")


class Between:
    """Turns of processes, by the file of the database. One thread of a process at a time asks for one."""

    def __init__(self) -> None:
        self._files: dict[str, int | None] = {}
        """What is locked, open for as long as the process lives; None: it is done without."""

    def close(self) -> None:
        """In the child of a fork, which would hold what its parent held when that is killed."""
        for file in self._files.values():
            if file is not None:
                os.close(file)
        self._files = {}

    @contextmanager
    def one(self, database: str) -> Iterator[None]:
        file = self._opened(database)
        if file is None or not _locks(file, fcntl.LOCK_EX):
            yield
            return
        try:
            yield
        finally:
            _locks(file, fcntl.LOCK_UN)

    def _opened(self, database: str) -> int | None:
        if database not in self._files:
            self._files[database] = _open(database)
        return self._files[database]


def _open(database: str) -> int | None:
    if not os.path.isfile(database):  # none, or one in memory
        return None
    try:
        return os.open(f"{database}{SUFFIX}", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        logger.warning("database: without %s%s processes do not take turns: %s", database, SUFFIX, error)
        return None


def _locks(file: int, how: int) -> bool:
    """Whether this file system can. By `flock`: locks of the kind that SQLite has would be given away with others."""
    try:
        fcntl.flock(file, how)
    except OSError:
        return False
    return True


class Turns:
    """A lock that passes to whoever has waited longest. One thread may take it again inside."""

    def __init__(self) -> None:
        self._between = Between()
        self.reset()

    def reset(self) -> None:
        """Nobody has it, and nobody waits; for the child of a fork."""
        self._between.close()
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    @property
    def is_mine(self) -> bool:
        """Whether this thread has the turn."""
        return self._owner == threading.get_ident()

    @contextmanager
    def one(self, seconds: float = SECONDS, database: str = "") -> Iterator[None]:
        """Waits for its turn, at most so long, and has it for the length of the block; also among the processes that
        write to the file `database`, and for those as long as it takes: one that is stopped in its transaction holds
        SQLite's own lock, too."""
        if self.is_mine or not self._take(seconds):
            yield
            return
        try:
            with self._between.one(database):
                yield
        finally:
            self._pass_on()

    def _take(self, seconds: float) -> bool:
        given = threading.Event()
        me = (threading.get_ident(), given)
        with self._lock:
            if self._owner is None:
                self._owner = me[0]
                return True
            self._waiting.append(me)
        if given.wait(seconds):
            return True
        with self._lock:
            if not given.is_set():
                self._waiting.remove(me)
            return given.is_set()

    def _pass_on(self) -> None:
        with self._lock:
            self._owner = None
            if self._waiting:
                self._owner, given = self._waiting.popleft()
                given.set()


turns: Final = Turns()


def waited() -> float:
    """Seconds for which this thread has waited, in its life, for the beginnings of its transactions on SQLite."""
    return getattr(_begins, "seconds", 0.0)


@contextmanager
def begun(using: str, seconds: float) -> Iterator[None]:
    """A transaction, begun as soon as no other process writes to SQLite. The connection's `busy_timeout` is
    LOOK_MILLISECONDS: SQLite's own looks are up to 0.1 s apart, and somebody who writes in short steps with shorter
    pauses is then met by one step after the other. Raises OperationalError when it is still locked after `seconds`.
    """
    until = time.monotonic() + seconds
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(transaction.atomic(using=using, durable=True))
                break
            except OperationalError as error:
                if not _is_locked(error) or time.monotonic() > until:
                    raise
                clear_frames(error)
        yield


def _is_locked(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY


os.register_at_fork(after_in_child=turns.reset)


def _in_turn(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Around each statement of a connection: whatever begins to write, a transaction or one statement, in its turn."""
    if context["connection"].in_atomic_block or str(sql).lstrip().upper().startswith(_READS):
        return execute(sql, params, many, context)
    if turns.is_mine:  # the writer, who looks by itself
        return execute(sql, params, many, context)
    began = time.monotonic()
    try:
        with turns.one(database=str(context["connection"].settings_dict["NAME"])):
            if many:  # may have written some of its rows
                return execute(sql, params, many, context)
            return _soon(execute, sql, params, many, context)
    finally:
        if str(sql).startswith("BEGIN"):
            _begins.seconds = waited() + time.monotonic() - began


def _soon(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """As soon as no other process writes. SQLite's own looks come 0.1 s apart, and meanwhile the writer would wait for
    the turn: beside a process that writes in many short steps it stood still for most of a second."""
    raw = context["connection"].connection
    (before,) = raw.execute("PRAGMA busy_timeout").fetchone()
    until = time.monotonic() + before / 1000
    raw.execute(f"PRAGMA busy_timeout = {LOOK_MILLISECONDS}")
    try:
        while True:
            try:
                return execute(sql, params, many, context)
            except OperationalError as error:
                if not _is_locked(error) or time.monotonic() > until:
                    raise
                clear_frames(error)
    finally:
        raw.execute(f"PRAGMA busy_timeout = {before}")


def _join(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "sqlite" and _in_turn not in connection.execute_wrappers:
        connection.execute_wrappers.append(_in_turn)


connection_created.connect(_join, weak=False, dispatch_uid="intake.turns")
