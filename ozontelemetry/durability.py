"""Whether the PostgreSQL keeps what it has acknowledged, asked before a server starts in production.

A 2xx means stored: without these settings it means that nothing has gone wrong yet.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from django.core.checks import CheckMessage, Error, Warning
from django.db import DatabaseError, connection

LONGEST_SILENCE: Final = 5000
"""Milliseconds of `wal_sender_timeout`: for so long every write waits for a synchronous standby that has gone."""

_QUERY: Final = """
SELECT current_setting('fsync') = 'on',
       current_setting('synchronous_commit'),
       current_setting('synchronous_standby_names') <> '',
       (SELECT setting::int FROM pg_settings WHERE name = 'wal_sender_timeout'),
       (SELECT array_agg(sync_state) FROM pg_stat_replication)
"""


@dataclass(frozen=True)
class Facts:
    """What a PostgreSQL says of itself."""

    fsync: bool = True
    synchronous_commit: str = "on"
    waits_for_standby: bool = True
    wal_sender_timeout: int = LONGEST_SILENCE
    """Milliseconds; 0: for ever."""
    standbys: tuple[str | None, ...] = ("sync",)
    """`sync`, `quorum`, `potential` or `async`; None where the role may not know."""


def facts() -> Facts | None:
    """Of the database; None where it is SQLite, or cannot be asked."""
    if connection.vendor != "postgresql":
        return None
    was_open = connection.connection is not None
    try:
        with connection.cursor() as cursor:
            cursor.execute(_QUERY)
            fsync, synchronous_commit, waits, timeout, standbys = cursor.fetchone()
            return Facts(fsync, synchronous_commit, waits, timeout, tuple(standbys or ()))
    except DatabaseError:
        return None
    finally:
        if not was_open:
            connection.close()


def judge(facts: Facts, *, has_standby: bool) -> Iterator[CheckMessage]:
    """What is wrong; `has_standby`: the option HA, another host is to take over without a loss."""
    if not facts.fsync:
        yield Error(
            "PostgreSQL has fsync = off: what was acknowledged is gone after a power cut.",
            hint="ALTER SYSTEM RESET fsync; SELECT pg_reload_conf();",
            id="ozone.E021",
        )
    if facts.synchronous_commit not in ("on", "remote_apply"):
        yield Error(
            f"PostgreSQL has synchronous_commit = {facts.synchronous_commit}: it acknowledges what it has not stored.",
            hint="Set it to on for the server, the database and the role: "
            "ALTER SYSTEM, ALTER DATABASE … and ALTER ROLE … RESET synchronous_commit.",
            id="ozone.E022",
        )
    if not has_standby:
        return
    if not facts.waits_for_standby:
        yield Error(
            "HA is set, and PostgreSQL waits for no standby: what was acknowledged last is gone with the primary.",
            hint="Patroni: synchronous_mode: true and synchronous_mode_strict: true. Without it: "
            "synchronous_standby_names = 'ANY 1 (two, three)'.",
            id="ozone.E023",
        )
    elif None not in facts.standbys and not {"sync", "quorum"} & set(facts.standbys):
        yield Warning(
            "HA is set, and no synchronous standby is connected: every write waits until one is.",
            hint="Start a standby; SELECT * FROM pg_stat_replication shows those that are connected.",
            id="ozone.W021",
        )
    if not 0 < facts.wal_sender_timeout <= LONGEST_SILENCE:
        yield Error(
            "HA is set, and wal_sender_timeout is longer than five seconds: for so long each write waits for a "
            "standby that has gone.",
            hint="ALTER SYSTEM SET wal_sender_timeout = '5s' (Patroni: among the parameters).",
            id="ozone.E024",
        )
