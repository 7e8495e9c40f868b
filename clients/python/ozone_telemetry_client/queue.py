"""What a device must not forget, in one SQLite file: records until the server has them, its token, its commands."""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

Kind = Literal["event", "reading"]

_TABLES = """
CREATE TABLE IF NOT EXISTS record (
    -- AUTOINCREMENT: without it a number comes again when the queue has emptied, and its id would be a repeat
    number INTEGER PRIMARY KEY AUTOINCREMENT, boot INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS refused (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, why TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS command (
    command_id TEXT PRIMARY KEY, stage TEXT NOT NULL, success INTEGER NOT NULL, message TEXT NOT NULL,
    data TEXT NOT NULL
);
"""
_REMEMBERED = 100
"""Commands whose results the server has: a repeat is answered, not carried out."""


class QueueFull(RuntimeError):
    """There is no room for another record, and the oldest may not be dropped: nothing was taken."""


class QueueFailed(OSError):
    """The disk is full, locked by another process, or broken: nothing was taken. It may be tried again."""


class Record(NamedTuple):
    number: int
    kind: Kind
    body: dict[str, Any]
    """As it is sent, its id and time included."""


class Kept(NamedTuple):
    """A command of which the server must still hear, or whose id is remembered. `stage`: begun, done or told."""

    command_id: str
    stage: str
    success: bool
    message: str
    data: dict[str, Any]


class Queue:
    """May be used from several threads; the file belongs to one process.

    A method that returns has it on disk. Each, and opening it, may raise QueueFailed: then nothing has changed.
    """

    def __init__(self, path: str | Path, *, capacity: int = 1_000_000, drop_oldest: bool = False) -> None:
        self._lock = threading.RLock()
        with _failing():
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = FULL")
        with self._writing() as database:
            for statement in _TABLES.split(";"):
                database.execute(statement)
        self.capacity = capacity
        self.drop_oldest = drop_oldest
        self.dropped = 0
        """Records that made room, since this queue was opened."""
        with self._writing():
            self._random = self.fact("random") or secrets.token_hex(4)
            self._boot = int(self.fact("boot") or 0) + 1
            self._put_fact("random", self._random)
            self._put_fact("boot", str(self._boot))
        self._count = int(self._rows("SELECT count(*) FROM record")[0][0])

    def __len__(self) -> int:
        return self._count

    @property
    def refused(self) -> int:
        """Records that the server refused as invalid; they are kept in the file, in `refused`."""
        return int(self._rows("SELECT count(*) FROM refused")[0][0])

    def append(self, kind: Kind, body: dict[str, Any]) -> str:
        """The id under which the server will have it. It is on disk. ValueError: no JSON; QueueFull, QueueFailed."""
        json.dumps(body, allow_nan=False)
        with self._lock:
            drops = self._count >= self.capacity
            if drops and not self.drop_oldest:
                raise QueueFull(f"{self._count} records wait for the server")
            identifier = self._append(kind, body, drops)
            self._count += not drops
            self.dropped += drops
        return identifier

    def _append(self, kind: Kind, body: dict[str, Any], drops: bool) -> str:
        with self._writing() as database:
            if drops:
                database.execute("DELETE FROM record WHERE number = (SELECT min(number) FROM record)")
            number = database.execute(
                "INSERT INTO record (boot, kind, body) VALUES (?, ?, '')", (self._boot, kind)
            ).lastrowid
            identifier = f"{self._random}-{self._boot}-{number}"
            name = "event_id" if kind == "event" else "message_id"
            text = json.dumps({**body, name: identifier}, ensure_ascii=False, allow_nan=False)
            database.execute("UPDATE record SET body = ? WHERE number = ?", (text, number))
        return identifier

    def oldest(self, most: int) -> list[Record]:
        """Of one kind, in the order in which they came."""
        rows = self._rows("SELECT number, kind, body FROM record ORDER BY number LIMIT ?", most)
        same = [row for row in rows if row[1] == rows[0][1]] if rows else []
        return [Record(number, kind, json.loads(body)) for number, kind, body in same]

    def stored(self, records: list[Record]) -> None:
        """The server has them."""
        self._pass(records)

    def set_aside(self, record: Record, why: str) -> None:
        """The server will never take it: the next go on, it stays in the file for whoever looks."""
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO refused SELECT number, kind, body, ? FROM record WHERE number = ?",
                (why[:500], record.number),
            )
        self._pass([record])

    def clear(self) -> None:
        with self._lock:
            with self._writing() as database:
                database.execute("DELETE FROM record")
            self._count = 0

    def _pass(self, records: list[Record]) -> None:
        with self._lock:
            gone = 0
            with self._writing() as database:
                for record in records:
                    gone += database.execute("DELETE FROM record WHERE number = ?", (record.number,)).rowcount
            self._count -= gone

    def fact(self, name: str) -> str | None:
        """What was put under that name, None when nothing was."""
        rows = self._rows("SELECT value FROM fact WHERE name = ?", name)
        return str(rows[0][0]) if rows else None

    def put_facts(self, **facts: str | None) -> None:
        """None forgets one."""
        with self._writing() as database:
            for name, value in facts.items():
                if value is None:
                    database.execute("DELETE FROM fact WHERE name = ?", (name,))
                else:
                    self._put_fact(name, value)

    def command(self, command_id: str) -> Kept | None:
        return next(self._commands("command_id = ?", command_id), None)

    def commands(self, stage: str) -> list[Kept]:
        return list(self._commands("stage = ?", stage))

    def put_command(self, kept: Kept) -> None:
        with self._writing() as database:
            database.execute(
                "INSERT OR REPLACE INTO command VALUES (?, ?, ?, ?, ?)",
                (*kept[:4], json.dumps(kept.data, allow_nan=False)),
            )
            database.execute(
                "DELETE FROM command WHERE stage = 'told' AND rowid <= (SELECT max(rowid) FROM command) - ?",
                (_REMEMBERED,),
            )

    def close(self) -> None:
        self._database.close()

    def _commands(self, condition: str, value: str) -> Iterator[Kept]:
        rows = self._rows(f"SELECT * FROM command WHERE {condition} ORDER BY rowid", value)
        for command_id, stage, success, message, data in rows:
            yield Kept(command_id, stage, bool(success), message, json.loads(data))

    def _put_fact(self, name: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with self._lock, _failing():
            return self._database.execute(query, values).fetchall()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _failing():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            finally:
                if self._database.in_transaction:  # SQLite itself has rolled some back, as where the disk is full
                    self._database.execute("ROLLBACK")


@contextmanager
def _failing() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as problem:
        raise QueueFailed(f"the queue's disk: {problem}") from problem
