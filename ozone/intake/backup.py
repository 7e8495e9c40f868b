"""A copy of a SQLite database that is in use."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from errno import ENOSPC
from pathlib import Path
from typing import Final

STEP: Final = 4_096
"""Pages (of 4 KiB) between two looks at the disk: written at the end all at once, they would hold up every commit."""
SPARE: Final = 64 * 1024 * 1024
"""Bytes of the disk that a copy leaves to the database's own log."""


def back_up(source: Path, target: Path, progress: Callable[[int, int], None] = lambda *_: None) -> None:
    """Copies the database as it is at one moment into a new file that only its owner may read, and syncs it.

    `progress` is told how many pages of how many are done. It is one long read: until it ends, SQLite's log grows with
    what is written meanwhile. Raises OSError or sqlite3.Error; then nothing is left of the copy.
    """
    if shutil.disk_usage(target.parent).free < source.stat().st_size + SPARE:
        raise OSError(ENOSPC, f"no room for a copy of {source.name} in {target.parent}")
    file = os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)

    def look(_: int, left: int, pages: int) -> None:
        os.fsync(file)
        progress(pages - left, pages)

    try:
        with closing(sqlite3.connect(source, isolation_level=None)) as reader, closing(sqlite3.connect(target)) as copy:
            # In a read transaction: else SQLite's backup starts over with every commit of another connection.
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
            reader.backup(copy, pages=STEP, progress=look)
        os.fsync(file)
    except BaseException:
        target.unlink()
        raise
    finally:
        os.close(file)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
