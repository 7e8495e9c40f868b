"""Connections to PostgreSQL that threads of a test leave go to those of the next one.

A test with a writer makes two or three. Each is a process of the server, which learns all tables anew: with it a test
computes half as long again.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg.pq import TransactionStatus

_Free = list[tuple[dict[str, Any], Any]]


@contextlib.contextmanager
def connections_kept() -> Iterator[None]:
    """What is closed in order is kept, and taken as new; on leaving all are closed."""
    free: _Free = []
    wrappers: Any = DatabaseWrapper
    connect, close = wrappers.get_new_connection, wrappers._close

    def get_new_connection(wrapper: Any, conn_params: dict[str, Any]) -> Any:
        while (found := _taken(free, conn_params)) is not None:
            with contextlib.suppress(psycopg.Error):  # the server has ended it since
                found.execute("DISCARD ALL")
                wrapper.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
                return found
        made = connect(wrapper, conn_params)
        made.asked_with = conn_params
        return made

    def _close(wrapper: Any) -> None:
        raw = wrapper.connection
        asked_with = getattr(raw, "asked_with", None)
        if asked_with is None or raw.closed or raw.info.transaction_status != TransactionStatus.IDLE:
            close(wrapper)
            return
        vars(raw).pop("wait", None)  # ozone/intake/silence.py has wrapped it
        raw.autocommit = True
        free.append((asked_with, raw))

    wrappers.get_new_connection, wrappers._close = get_new_connection, _close
    try:
        yield
    finally:
        wrappers.get_new_connection, wrappers._close = connect, close
        for _, raw in free:
            raw.close()


def _taken(free: _Free, conn_params: dict[str, Any]) -> Any:
    for place, (asked_with, raw) in enumerate(free):
        if asked_with == conn_params:
            del free[place]
            return raw
    return None
