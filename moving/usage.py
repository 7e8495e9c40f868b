"""Whether somebody else has a database open: what is put in its place, or said of it, would be wrong at once."""

import fcntl
import os
from pathlib import Path
from typing import Any, Final

_SHARED: Final = 0x4000_0002
"""Where in its file SQLite locks while a connection reads; in WAL mode for as long as the connection lives."""
_SHARED_BYTES: Final = 510


def is_open_elsewhere(path: Path) -> bool:
    """Whether another process has the SQLite database open. This one must not: its own locks would be lost."""
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:  # nobody writes to what cannot be written to
        return False
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SHARED_BYTES, _SHARED)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


def others_on(connection: Any) -> int:
    """Clients of the PostgreSQL database beside this connection of psycopg."""
    row = connection.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND usesysid IS NOT NULL"  # a role without rights sees no more of others' sessions; autovacuum's have none
    ).fetchone()
    return int(row[0])
