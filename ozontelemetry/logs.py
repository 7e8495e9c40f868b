"""Where log lines go, and how: JSON objects (LOG_FORMAT=json), and a file that several processes share (LOG_FILE)."""

import itertools
import json
import logging
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

from ozone.wire.times import iso

if sys.platform != "win32":
    import fcntl


class JsonFormatter(logging.Formatter):
    """One object a line: time, level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": iso(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class SharedFileHandler(logging.Handler):
    """A log file that any number of processes write and rotate, and no line is lost.

    A line is one write in append mode, so lines of several processes stand one after another. Whoever finds the file
    full renames it (django.log.1 is the newest of `backups`) under a lock; the others notice before their next line
    that the name belongs to another file now. A line on its way meanwhile is at the end of django.log.1.

    Where the file cannot be written this says so once on standard error, and tries again with every line. On Windows,
    where an open file cannot be renamed, it does not rotate.
    """

    def __init__(self, filename: str, max_bytes: int = 10 * 1024 * 1024, backups: int = 5) -> None:
        super().__init__()
        self._path = Path(filename).absolute()
        self._max_bytes = max_bytes
        self._backups = backups
        self._file = -1
        self._has_failed = False

    def emit(self, record: logging.LogRecord) -> None:
        line = (self.format(record) + "\n").encode("utf-8", "backslashreplace")
        try:
            self._open()
            if sys.platform != "win32" and os.fstat(self._file).st_size + len(line) > self._max_bytes:
                self._rotate(len(line))
            os.write(self._file, line)
            self._has_failed = False
        except OSError as error:
            if not self._has_failed:
                sys.stderr.write(f"{self._path} cannot be written: {error}. Log lines are here only.\n")
            self._has_failed = True

    def close(self) -> None:
        self.acquire()
        try:
            self._forget()
        finally:
            self.release()
        super().close()

    def _open(self) -> None:
        """The file that has the name now: another process may have rotated, or somebody may have removed it."""
        try:
            now = os.stat(self._path)
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._forget()
        else:
            if self._file >= 0 and not os.path.samestat(now, os.fstat(self._file)):
                self._forget()
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _forget(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _rotate(self, needed: int) -> None:
        lock = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._open()
            size = os.fstat(self._file).st_size
            if size and size + needed > self._max_bytes:  # nobody has done it meanwhile
                names = [self._path, *(Path(f"{self._path}.{number}") for number in range(1, self._backups + 1))]
                for newer, older in reversed(list(itertools.pairwise(names))):
                    if newer.exists():
                        newer.replace(older)
                self._open()
        finally:
            os.close(lock)
