"""Statements that are sent one after the other, without a wait for PostgreSQL's reply to each.

A transaction of readings is BEGIN, two statements and COMMIT: four replies to wait for, and two in a pipeline. What a
statement finds is waited for where it is fetched; what is wrong with one is told with a later reply, at COMMIT the
latest.
"""

from contextlib import ExitStack, suppress
from typing import Any

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper


class Pipeline:
    """Of one connection at a time, from one transaction to the next: to leave it takes a reply, too."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._raw: Any = None
        self._entered: psycopg.Pipeline | None = None

    def serve(self, connection: BaseDatabaseWrapper) -> None:
        """Has Django begin its transactions by a BEGIN of their own, as it does on SQLite. To turn the driver's
        autocommit off and on, its other way, waits for a reply each time."""
        if connection.vendor != "postgresql":
            return
        wrapper: Any = connection
        turn = wrapper._set_autocommit

        def begin() -> None:
            with connection.wrap_database_errors:
                connection.connection.execute("BEGIN")
                if self._entered is not None and connection.connection is self._raw:
                    # Until then the driver knows of no transaction, and its commit() would do nothing.
                    self._entered.sync()

        def set_autocommit(on: bool) -> None:
            if connection.connection.autocommit != on:
                turn(on)

        wrapper._start_transaction_under_autocommit = begin
        wrapper._set_autocommit = set_autocommit

    def enter(self, connection: BaseDatabaseWrapper) -> None:
        """What follows is sent without waiting, where the database is PostgreSQL and connected."""
        raw: Any = connection.connection
        if connection.vendor != "postgresql" or (raw is self._raw and raw is not None):
            return
        self.leave()
        if raw is not None:
            with connection.wrap_database_errors:
                self._entered = self._stack.enter_context(raw.pipeline())
            self._raw = raw

    def leave(self) -> None:
        """Each statement is waited for again. What was wrong has been told, or is told by the next one."""
        self._raw = self._entered = None
        with suppress(psycopg.Error):
            self._stack.close()
