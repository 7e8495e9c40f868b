"""Sees what other processes committed: reads one small row every 50 ms and tells whoever asked for a change.

One mechanism for SQLite and PostgreSQL; what this process itself commits takes effect directly, without it.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections

logger = logging.getLogger("intake")

PERIOD: Final = 0.05
BLIND_SECONDS: Final = 2.0
REST: Final = 0.25
"""Between two changes taken over: a fleet that enrols changes the row with every claim."""


class Watcher:
    """Calls `on_change` whenever the row that `query` reads differs from the last one.

    Differs, not grows: a restored backup goes back. `query` returns at most one row.
    """

    def __init__(self, query: str, on_change: Callable[[], None], using: str = DEFAULT_DB_ALIAS) -> None:
        self._query = query
        self._on_change = on_change
        self._using = using
        self._seen: tuple[object, ...] | None = None
        self._changed_at = float("-inf")
        self._read_at = float("-inf")
        self._stop = threading.Event()
        self._looked = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    @property
    def is_blind(self) -> bool:
        """Whether nothing could be read for two seconds: what is remembered may then be revoked."""
        return time.monotonic() - self._read_at > BLIND_SECONDS

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
        self._seen = None

    def reset_after_fork(self) -> None:
        self._thread = None
        self._lock = threading.Lock()
        self._seen = None

    def _run(self) -> None:
        connection = connections[self._using]
        connection.make_debug_cursor = connection.make_cursor  # type: ignore[method-assign,assignment]
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
            now = time.monotonic()
            if row != self._seen and now - self._changed_at >= REST:
                self._on_change()
                # Remembered only now: a change that could not be taken over is seen again at the next look.
                self._seen = row
                self._changed_at = now
            self._read_at = now
        except (DatabaseError, InterfaceError) as error:
            if not self.is_blind:
                logger.warning("watcher: the database cannot be read: %s", error)
            connection.close()
