"""Django's `migrate`, one at a time on PostgreSQL: beside a server that starts, too."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.commands.migrate import Command as Migrate
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

LOCK = 0x020E_0001
"""The advisory lock under which one process at a time prepares a PostgreSQL database."""
LOOK = 0.1
"""Seconds between two tries to get it."""


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        with alone(connections[options["database"]]):
            super().handle(*args, **options)


@contextmanager
def alone(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """On PostgreSQL one process at a time is in the block: of several that start at once the first does it all, and the
    others find next to nothing to do. Who is in it may enter it again."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        # Asked for, not waited for: an index that the other makes live waits for every statement under way.
        while not _has_lock(cursor):
            time.sleep(LOOK)
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])


def _has_lock(cursor: Any) -> bool:
    cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
    return bool(cursor.fetchone()[0])
