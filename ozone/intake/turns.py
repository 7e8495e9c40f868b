"""Whose turn it is to write to SQLite, which takes one writer at a time and keeps no queue: whoever finds it locked
looks again every 0.1 s, and a busy writer's transactions follow each other without such a pause between them.

Inside one process a queue is possible. The writer has the turn for the whole of its transaction. Any other connection
has it until its own transaction has begun; then the writer is the one that finds the lock taken, and not for long.

Between processes there is none, and whoever has the turn looks more often (`begun`, `_soon`): the others of its own
process wait behind it.
"""

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

SECONDS: Final = 3.0
"""Who has waited this long goes on without a turn: then SQLite itself decides, as it does between processes."""
LOOK_MILLISECONDS: Final = 2
"""How long SQLite itself waits for a lock where we look again: it looks after 1 ms, and once more."""
_READS: Final = ("SELECT", "PRAGMA", "EXPLAIN", "VACUUM INTO")


class Turns:
    """A lock that passes to whoever has waited longest. One thread may take it again inside."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nobody has it, and nobody waits; for the child of a fork."""
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    @property
    def is_mine(self) -> bool:
        """Whether this thread has the turn."""
        return self._owner == threading.get_ident()

    @contextmanager
    def one(self, seconds: float = SECONDS) -> Iterator[None]:
        """Waits for its turn, at most so long, and has it for the length of the block."""
        has_taken = not self.is_mine and self._take(seconds)
        try:
            yield
        finally:
            if has_taken:
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
    with turns.one():
        if many:  # may have written some of its rows
            return execute(sql, params, many, context)
        return _soon(execute, sql, params, many, context)


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
