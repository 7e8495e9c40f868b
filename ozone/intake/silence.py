"""A PostgreSQL that says nothing any more is left, also where its machine still takes what is sent to it.

TCP notices a machine that is gone (`tcp_user_timeout`, `keepalives_…`: ozontelemetry/settings.py). A server that is
frozen, or waits for a disk that is, it does not notice, and no time-out of the server's own runs out then. The writer
and the watcher wait for a reply so long and no longer. What else waits, a statistic perhaps, may take its time while
the watcher gets its replies, and ends when that one has none.
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
    """The watcher got no reply: whoever has waited since before it did, and for SECONDS, gets none either."""
    _Noticed.at = time.monotonic()


def wait_at_most(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """Call before it connects."""
    connection.reply_seconds = seconds  # type: ignore[attr-defined]


def _is_overdue(began: float, seconds: float | None) -> bool:
    waited = time.monotonic() - began
    return waited > (SECONDS if seconds is None else seconds) and (seconds is not None or began <= _Noticed.at)


def _ending(waiting: Generator[Any, Any, Any], seconds: float | None) -> Generator[Any, Any, Any]:
    """psycopg's own steps of a wait; ten times a second it says that nothing has come."""
    began = time.monotonic()
    try:
        wanted = next(waiting)
        while True:
            ready = yield wanted
            if ready == READY_NONE and _is_overdue(began, seconds):
                raise OperationalError("the database does not answer")
            wanted = waiting.send(ready)
    except StopIteration as end:
        return end.value


def _made(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor != "postgresql":
        return
    raw: Any = connection.connection
    wait: Callable[..., Any] = raw.wait
    seconds: float | None = getattr(connection, "reply_seconds", None)
    raw.wait = lambda waiting, *args, **named: wait(_ending(waiting, seconds), *args, **named)


connection_created.connect(_made, dispatch_uid="ozone.intake.silence")
