"""Whether the database that is open is still the one that its name means.

A file that is removed or replaced while it is open goes on taking writes that nobody will ever find. So what the path
names is compared with what was opened: by the writer after every COMMIT, before anybody hears of it, by the watcher
twenty times a second, by whatever else writes before it does. A server of PostgreSQL that has become another one is
known by its system identifier, asked whenever a connection is made.
"""

import logging
import os
import threading
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from ozone.wire.errors import Unavailable

logger = logging.getLogger("ozone.intake")

Identity = tuple[int, int] | None
"""Device and number of a file; None: there is none of this name."""
_SERVER: Final = "SELECT system_identifier FROM pg_control_system()"


class Standing:
    """One process's databases by name, as they were when it first opened them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: dict[str, Identity] = {}
        self._servers: dict[str, int] = {}
        self._others: set[str] = set()
        """Names whose newest connection leads to another server than the first one did."""
        self._said: dict[str, str | None] = {}

    def note(self, connection: BaseDatabaseWrapper) -> None:
        """A connection was made: the first one says what its name means from now on."""
        name = _name(connection)
        if connection.vendor == "sqlite":
            self._opened.setdefault(name, identity(name))
        elif connection.vendor == "postgresql":
            try:
                with connection.connection.cursor() as cursor:
                    number: int = cursor.execute(_SERVER).fetchone()[0]
            except Exception as error:  # no right to ask, or no server of this kind: then nothing is compared
                logger.info("database: its server does not say who it is: %s", error)
                return
            if self._servers.setdefault(name, number) == number:
                self._others.discard(name)
            else:
                self._others.add(name)

    def check(self, connection: BaseDatabaseWrapper) -> None:
        """Raises Unavailable, code `database_replaced`, where nothing may be stored; logs when that changes."""
        name = _name(connection)
        trouble = self._trouble(connection, name)
        if trouble != self._said.get(name):
            with self._lock:
                if trouble != self._said.get(name):
                    self._said[name] = trouble
                    if trouble is None:
                        logger.warning("database: it is the one that was opened again; writes go on")
                    else:
                        logger.error("database: %s", trouble)
        if trouble is not None:
            raise replaced()

    def _trouble(self, connection: BaseDatabaseWrapper, name: str) -> str | None:
        if connection.vendor != "sqlite":
            if name not in self._others:
                return None
            return (
                "another PostgreSQL server answers than the one this process began with. Nothing is stored until the "
                "first one is back, or the server is restarted: restart it when the new one is meant"
            )
        opened = self._opened.get(name)
        if opened is None or (found := identity(name)) == opened:
            return None
        return (
            f"{name} was {'removed' if found is None else 'replaced'} while it is open. Nothing is stored until it is "
            "back, or the server is restarted: put the right file there (docs/operations.md, Backup and restore), then "
            "restart"
        )

    def forget(self) -> None:
        """As in a new process."""
        self.__init__()  # type: ignore[misc]


def _name(connection: BaseDatabaseWrapper) -> str:
    return str(connection.settings_dict["NAME"])


def identity(path: str) -> Identity:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def log_identity(connection: BaseDatabaseWrapper) -> Identity:
    """The file of SQLite's write-ahead log, which lives as long as somebody has the database open."""
    return identity(f"{_name(connection)}-wal") if connection.vendor == "sqlite" else None


def replaced() -> Unavailable:
    return Unavailable(
        "The database was replaced while the server runs. An operator must look; keep it and send it again.",
        code="database_replaced",
    )


standing = Standing()
os.register_at_fork(after_in_child=standing.forget)


def _made(connection: BaseDatabaseWrapper, **_: Any) -> None:
    standing.note(connection)


connection_created.connect(_made, dispatch_uid="ozone.intake.standing")
