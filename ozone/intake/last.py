"""What several stores of one transaction have for rows of one table is written once, last.

Each statement locks its rows in order; two of them for one table do not, and two processes would wait for each other in
a circle. A row that every kind of message touches is therefore written by one statement, after all others.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper

Store = Callable[[BaseDatabaseWrapper, list[Any]], None]


class LastWrites:
    """Rows by the function that stores them, for the writer's transaction that is under way in this thread."""

    def __init__(self) -> None:
        self._stores: list[Store] = []
        self._thread = threading.local()

    def register(self, store: Store) -> None:
        """At the end of a transaction stores run in the order of their registration, always."""
        if store not in self._stores:
            self._stores.append(store)

    def add(self, connection: BaseDatabaseWrapper, store: Store, rows: Sequence[Any]) -> None:
        """Rows for `store`: at the end of the block around, at once where there is none."""
        gathered: dict[Store, list[Any]] | None = getattr(self._thread, "gathered", None)
        if gathered is not None:
            gathered.setdefault(store, []).extend(rows)
        elif rows:
            with connection.wrap_database_errors:
                store(connection, list(rows))

    @contextmanager
    def gather(self, connection: BaseDatabaseWrapper) -> Iterator[None]:
        """What is added in the block is stored at its end, or becomes that of the block around it; nothing where it
        fails."""
        around = getattr(self._thread, "gathered", None)
        gathered: dict[Store, list[Any]] = {}
        self._thread.gathered = gathered
        try:
            yield
        finally:
            self._thread.gathered = around
        for store in self._stores:
            if store in gathered:
                self.add(connection, store, gathered[store])


last_writes: Final = LastWrites()
