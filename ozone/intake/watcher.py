"""Sees what other processes committed: reads one small row every 50 ms and tells whoever asked for a change.

One mechanism for SQLite and PostgreSQL; what this process itself commits takes effect directly, without it.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections

from ozone.intake import silence
from ozone.intake.sql import keep_no_log
from ozone.intake.standing import standing
from ozone.wire.clock import clock_watch
from ozone.wire.errors import Unavailable

logger = logging.getLogger("ozone.intake")

PERIOD: Final = 0.05
BLIND_SECONDS: Final = 2.0


class _Column:
    """One column that is watched, and who hears of its changes."""

    def __init__(self, on_change: Callable[[], None], rest: float) -> None:
        self.on_change = on_change
        self.rest = rest
        self.forget()

    def forget(self) -> None:
        self.seen: object = None
        self.changed_at = float("-inf")

    def look(self, value: object, now: float) -> None:
        if value != self.seen and now - self.changed_at >= self.rest:
            self.on_change()
            # Remembered only now: a change that could not be taken over is seen again at the next look.
            self.seen = value
            self.changed_at = now


class Watcher:
    """Tells of every column of the row that `query` reads when it differs from before.

    Differs, not grows: a restored backup goes back. `query` returns at most one row.
    """

    def __init__(self, query: str, using: str = DEFAULT_DB_ALIAS) -> None:
        self._query = query
        self._using = using
        self._columns: dict[int, _Column] = {}
        self._read_at = float("-inf")
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def tell(self, column: int, on_change: Callable[[], None], rest: float = 0.0) -> None:
        """Calls `on_change` in the watcher's thread at the first look and whenever that column has changed.

        Two calls are at least `rest` seconds apart: what changes with every claim of a fleet need not be followed.
        """
        self._columns[column] = _Column(on_change, rest)

    @property
    def is_blind(self) -> bool:
        """Whether nothing could be read for two seconds: what is remembered may then be revoked."""
        return time.monotonic() - self._read_at > BLIND_SECONDS

    def has_looked(self) -> None:
        """Whoever takes long over a change says so, when it has read the database itself meanwhile. Nobody waits for
        the end of the first look then."""
        self._read_at = time.monotonic()
        self._looked.set()

    def ensure_started(self) -> None:
        """Starts the thread and waits for its first look, so that the caller does not find it blind."""
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._stop.clear()
                self._looked.clear()
                self._thread = threading.Thread(target=self._run, name="intake-watcher", daemon=True)
                self._thread.start()
                self._looked.wait(BLIND_SECONDS)

    def stop(self) -> None:
        with self._lock:
            thread, self._thread = self._thread, None
        self._stop.set()
        if thread is not None:
            thread.join(2)
        self._forget()

    def reset_after_fork(self) -> None:
        self._thread = None
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        for column in self._columns.values():
            column.forget()

    def _run(self) -> None:
        connection = connections[self._using]
        keep_no_log(connection)
        silence.wait_at_most(connection, silence.SECONDS)
        while not self._stop.is_set():
            try:
                self._look()
            except Exception:
                logger.exception("watcher: unexpected failure")
            self._looked.set()
            self._stop.wait(PERIOD)
        connection.close()

    def _look(self) -> None:
        connection = connections[self._using]
        try:
            with connection.cursor() as cursor:
                cursor.execute(self._query)
                row = cursor.fetchone()
            with suppress(Unavailable):
                standing.check(connection)  # says so in the log
            clock_watch.look()
            now = time.monotonic()
            for index, column in self._columns.items():
                column.look(row[index] if row else None, now)
            # Whoever took long may have read it later.
            self._read_at = max(self._read_at, now)
        except (DatabaseError, InterfaceError) as error:
            if not self.is_blind:
                logger.warning("watcher: the database cannot be read: %s", error)
            silence.notice()
            connection.close()
