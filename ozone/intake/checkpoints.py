"""SQLite's write-ahead log goes into the database beside the writer, not in one of its commits.

SQLite itself does it in the commit that makes the log long enough: for fifty milliseconds and more, most of them a wait
for the disk, in which everybody waits whose message is in that commit. That is one commit in a hundred: the p99.
"""

import logging
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake.standing import standing
from ozone.wire.errors import Unavailable

logger = logging.getLogger("ozone.intake")

FRAMES: Final = 3_000
"""New pages in the log after which they are copied, 12 MB. Fewer would write the pages of an index more often."""
AT_COMMIT: Final = 12_000
"""At so many, copied or not, the writer's commit copies the rest: SQLite begins the log anew only where nothing is left
in it, and with a busy writer something always is."""
LOOK_SECONDS: Final = 0.05
"""How far apart it is looked whether there is enough: a look is a dozen calls of the system, each of which gives
Python's lock away."""
AGAIN_SECONDS: Final = 1.0
"""After one that failed, or met another process at it."""
_HEADER, _FRAME_HEADER, _SALTS = 32, 24, 8


class Checkpoints:
    """Of one writer, whose thread calls what is here."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._not_before = 0.0
        self._began = b""
        self._due = FRAMES

    def look(self, connection: BaseDatabaseWrapper) -> None:
        """After a commit: begins to copy where there is enough. Raises nothing."""
        if connection.vendor != "sqlite" or (self._thread is not None and self._thread.is_alive()):
            return
        now = time.monotonic()
        if now < self._not_before:
            return
        if not self._is_due(f"{connection.settings_dict['NAME']}-wal"):
            self._not_before = now + LOOK_SECONDS
            return
        thread = threading.Thread(target=self._copy, args=(connection,), name="checkpoint", daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads than the system gives
            self._put_off(error)
        else:
            self._thread = thread

    def wait(self) -> None:
        """Until what was begun has ended."""
        if self._thread is not None:
            self._thread.join()

    def _is_due(self, log: str) -> bool:
        began = salts(log)
        if began != self._began:
            self._began, self._due = began, FRAMES
        return began != b"" and salts(log, self._due) == began

    def _copy(self, connection: BaseDatabaseWrapper) -> None:
        """In the thread; of the connection, which is the writer's, nothing but its name is used."""
        try:
            with closing(opened(str(connection.settings_dict["NAME"]))) as raw:
                # Another file of that name would get the log of this one.
                standing.check(connection)
                frames = copy_log(raw)
        except (sqlite3.Error, Unavailable) as error:  # a full disk, a file that is gone: who writes hears of it, too
            self._put_off(error)
        else:
            if frames > 0:
                self._due = frames + FRAMES
            else:
                self._put_off("another process is at it")

    def _put_off(self, why: object) -> None:
        logger.info("writer: the log is not copied into the database now: %s", why)
        self._not_before = time.monotonic() + AGAIN_SECONDS


def opened(path: str) -> sqlite3.Connection:
    """A connection to a database that is there; none is made. Nothing has been read of it."""
    return sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=rw", uri=True)


def copy_log(raw: sqlite3.Connection) -> int:
    """Copies what is in the log now, waiting for nobody; how many frames that is, in all that it has been told since it
    began. None or fewer: another process is at it."""
    raw.execute("PRAGMA synchronous = FULL")
    return int(raw.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()[1])


def salts(log: str, frame: int = 0) -> bytes:
    """What a write-ahead log's header bears since it began anew, or one of its frames, from 1: those that were written
    since then bear the same (https://www.sqlite.org/fileformat2.html#walformat). Empty where there is none."""
    try:
        with open(log, "rb", buffering=0) as file:
            header = file.read(_HEADER)
            if not frame:
                return header[16 : 16 + _SALTS]
            file.seek(_HEADER + (frame - 1) * (_FRAME_HEADER + int.from_bytes(header[8:12], "big")) + 8)
            return file.read(_SALTS)
    except OSError:  # no log, no database in a file, or a disk that fails
        return b""
