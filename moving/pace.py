"""How fast a move may go beside a serving system: short steps, between which the devices' writer gets its turn.

On SQLite one process writes at a time. The writer looks for its turn every few milliseconds (`begun`), so what lies
between two steps need only be longer than that, and as long as they are where others write as much as we.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connection

from device_gateway.leading import MOVE, RENEWED, Lease
from moving.sources import Row, Source, walk
from ozone.intake.pauses import Pauses
from ozone.intake.sql import keep_no_log
from ozone.intake.turns import LOOK_MILLISECONDS, begun

READ_AT_ONCE: Final = 2048
"""Rows of a history that are read, and sorted into steps."""
WRITTEN_AT_ONCE: Final = 128
"""Rows of one transaction, at most: on SQLite nobody else writes meanwhile. One statement takes that many."""
STEP_SECONDS: Final = 0.01
"""After which a transaction takes no further row, where rows are written one by one."""
TIMES_A_STEP: Final = 2
"""Whoever was held up by a step has more to write after it, for as long as the step took and longer."""
_NEVER: Final = float("inf")
_WAITS: Final = 30.0
"""Seconds for which a step waits for its turn."""


class _Pace:
    """Of the steps of a move."""

    def __init__(self) -> None:
        self._pauses = Pauses(TIMES_A_STEP)
        self._told = _NEVER

    @contextmanager
    def step(self) -> Iterator[None]:
        """A transaction."""
        _wait(LOOK_MILLISECONDS)
        try:
            with self._pause(), begun(DEFAULT_DB_ALIAS, _WAITS):
                _wait(int(_WAITS * 1000))
                self._tell(time.monotonic())
                gc.disable()  # after it, not while everybody waits: there is much to look through
                yield
        finally:
            gc.enable()

    def _pause(self) -> AbstractContextManager[None]:
        return self._pauses.step() if connection.vendor == "sqlite" else nullcontext()

    def _tell(self, now: float) -> None:
        """That a move is under way. Else the server's ledger would look into every device anew after each of its steps,
        in one process with whoever takes in what devices send."""
        if now - self._told >= RENEWED:
            Lease.take(MOVE, MOVE)
            self._told = now

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Steps say so; at the end it is over at once, and some seconds after a move was killed."""
        self._told = float("-inf")
        try:
            yield
        finally:
            self._told = _NEVER
            Lease.give_back(MOVE, MOVE)


_pace: Final = _Pace()
step: Final = _pace.step
under_way: Final = _pace.under_way


@contextmanager
def unlogged() -> Iterator[None]:
    """Without development's log of queries: a million rows are many."""
    keep_no_log(connection)
    try:
        yield
    finally:
        del connection.make_debug_cursor


@contextmanager
def forced_at_the_end() -> Iterator[None]:
    """On SQLite steps are not forced to disk one by one: each would hold the lock while the disk is waited for, and a
    power cut costs what a repeat brings again. What is written is forced at the end; and whatever the server
    acknowledges meanwhile is forced by itself, with all that was written before it.
    """
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        yield
        return
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        cursor.execute("PRAGMA synchronous = FULL")
        # A commit forces the whole log; the number is kept for others, and stays what it is.
        ((version,),) = cursor.execute("PRAGMA user_version").fetchall()
        cursor.execute(f"PRAGMA user_version = {int(version)}")


def _wait(milliseconds: int) -> None:
    """For how long SQLite itself waits for a lock."""
    if connection.vendor == "sqlite":
        connection.cursor().execute(f"PRAGMA busy_timeout = {milliseconds}")


def each_row(source: Source, table: str, move: Callable[[Row], None]) -> None:
    """Calls `move` with every row of the table, as many in one transaction as STEP_SECONDS take."""
    for rows in walk(source, table, WRITTEN_AT_ONCE):
        left = iter(rows)
        row = next(left, None)
        while row is not None:
            with step():
                until = time.monotonic() + STEP_SECONDS
                is_over = False
                while row is not None and not is_over:
                    move(row)
                    row, is_over = next(left, None), time.monotonic() > until
