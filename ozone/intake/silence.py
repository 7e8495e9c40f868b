"""A PostgreSQL that says nothing any more is left, also where its machine still takes what is sent to it.

TCP notices a machine that is gone (`tcp_user_timeout`, `keepalives_…`: ozontelemetry/settings.py). A server that is
frozen, or waits for a disk that is, it does not notice, and no time-out of the server's own runs out then. The writer
and the watcher wait for a reply so long and no longer. What else waits, a statistic perhaps, may take its time while
the watcher gets its replies, and ends when that one has none: at once, and later on a connection that was not heard
since, which may lead to the host that was left.
"""

import time
from collections.abc import Callable, Generator
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg import OperationalError
from psycopg.waiting import READY_NONE

SECONDS: Final = 2.0
"""Without a reply to the watcher's small question."""


class _Noticed:
    at = float("-inf")


def notice() -> None:
    """The watcher got no reply: who waits for SECONDS where nothing was heard since gets none either."""
    _Noticed.at = time.monotonic()


def wait_at_most(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Call before it connects."""
    connection.reply_seconds = seconds  # type: ignore[attr-defined]


class _Line:
    """One connection, and when it was heard last."""

    def __init__(self, seconds: float | None) -> None:
        self._seconds = seconds
        self._heard = time.monotonic()

    def ending(self, waiting: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """psycopg's own steps of a wait; ten times a second it says that nothing has come."""
        began = time.monotonic()
        try:
            wanted = next(waiting)
            while True:
                ready = yield wanted
                if ready == READY_NONE and self._is_overdue(began):
                    raise OperationalError("the database does not answer")
                wanted = waiting.send(ready)
        except StopIteration as end:
            self._heard = time.monotonic()
            return end.value

    def _is_overdue(self, began: float) -> bool:
        waited = time.monotonic() - began
        if self._seconds is not None and waited > self._seconds:
            return True
        return waited > SECONDS and self._heard <= _Noticed.at


def _made(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor != "postgresql":
        return
    raw: Any = connection.connection
    wait: Callable[..., Any] = raw.wait
    line = _Line(getattr(connection, "reply_seconds", None))
    raw.wait = lambda waiting, *args, **named: wait(line.ending(waiting), *args, **named)


connection_created.connect(_made, dispatch_uid="ozone.intake.silence")
