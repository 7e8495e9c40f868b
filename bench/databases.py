"""Databases to measure on: a template filled once, and a fresh copy of it for each measurement."""

import shutil
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from bench.postgres import PrivatePostgres

Fill = Callable[[str], None]
"""Creates tables and devices in the empty database whose URL it gets."""


def connect(url: str) -> Any:
    """A connection of the plain driver (`sqlite3` or `psycopg`), in autocommit."""
    if url.startswith("sqlite:///"):
        return sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10, isolation_level=None)
    return psycopg.connect(url, autocommit=True)


def count_rows(url: str, table: str) -> int:
    """Number of rows, once it no longer grows: requests cut off by the end of the load may still be stored."""
    connection = connect(url)
    try:
        before, deadline = -1, time.monotonic() + 10
        while True:
            (now,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
            if now == before or time.monotonic() > deadline:
                return int(now)
            before = now
            time.sleep(0.2)
    finally:
        connection.close()


@dataclass
class Store(ABC):
    """One kind of database."""

    name: str

    @abstractmethod
    def make_template(self, template: str, fill: Fill) -> None:
        """Fill a new template."""

    @abstractmethod
    def copy(self, template: str) -> str:
        """URL of a fresh copy of a template."""

    @abstractmethod
    def drop(self, url: str) -> None:
        """Remove a copy nobody uses any more."""

    @abstractmethod
    def version(self) -> str:
        """What it is, for the report."""


class SqliteStore(Store):
    """Files in one folder, which should lie on a disk: where fsync costs nothing the figures mean nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__("sqlite")
        self._folder = folder
        self._copies = 0

    def make_template(self, template: str, fill: Fill) -> None:
        path = self._folder / f"{template}.sqlite3"
        fill(f"sqlite:///{path}")
        with sqlite3.connect(path) as connection:
            # All into the one file: copies must not depend on a write-ahead log beside it.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()

    def copy(self, template: str) -> str:
        self._copies += 1
        path = self._folder / f"copy-{self._copies}.sqlite3"
        shutil.copyfile(self._folder / f"{template}.sqlite3", path)
        return f"sqlite:///{path}"

    def drop(self, url: str) -> None:
        path = url.removeprefix("sqlite:///")
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(path + suffix).unlink(missing_ok=True)

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"


class PostgresStore(Store):
    """Databases of a private server."""

    def __init__(self, server: PrivatePostgres) -> None:
        super().__init__("postgres")
        self._server = server
        self._copies = 0

    def make_template(self, template: str, fill: Fill) -> None:
        fill(self._server.create_database(template))

    def copy(self, template: str) -> str:
        self._copies += 1
        return self._server.create_database(f"copy_{self._copies}", template=template)

    def drop(self, url: str) -> None:
        self._server.drop_database(url.rpartition("/")[2])

    def version(self) -> str:
        return f"PostgreSQL {self._server.version}"
