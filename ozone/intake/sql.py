"""Many rows in one statement, in the dialect of the database: what makes a group commit fast.

One statement also means that the driver leaves Python's lock alone until all of its rows are written, so the
event loop goes on meanwhile (executemany takes and gives the lock once a row).
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final

import psycopg
from django.db.backends.base.base import BaseDatabaseWrapper

MAX_CHUNK: Final = 512
"""Rows a statement on SQLite; sizes are powers of two, so that few statements are prepared and each is reused."""


class BulkInsert:
    """INSERT of any number of rows into one table.

    `columns`: name -> PostgreSQL type. `suffix`: what follows the values, as ON CONFLICT …; `returning`: columns of
    the rows that were really inserted.
    """

    def __init__(self, table: str, columns: dict[str, str], suffix: str = "", returning: Sequence[str] = ()) -> None:
        names = ", ".join(columns)
        tail = f"{suffix} RETURNING {', '.join(returning)}" if returning else suffix
        self._returns = bool(returning)
        self._head = f"INSERT INTO {table} AS t ({names})"
        self._one = f"({', '.join('?' * len(columns))})"
        self._tail = tail
        self._sqlite: dict[int, str] = {}
        self._kinds = list(columns.values())
        # An array a column: one statement for any number of rows, prepared once.
        arrays = ", ".join(f"%s::{'text' if kind == 'jsonb' else kind}[]" for kind in columns.values())
        casts = ", ".join(f"{name}::jsonb" if kind == "jsonb" else name for name, kind in columns.items())
        self._postgres = f"{self._head} SELECT {casts} FROM unnest({arrays}) AS v ({names}) {tail}"

    def run(self, connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Inserts `rows` inside the caller's transaction; the returned columns, where any were asked for."""
        if not rows:
            return []
        if connection.vendor == "sqlite":
            return self._run_sqlite(connection, rows)
        cursor = psycopg.Cursor(connection.connection)
        arrays = [_array(column, kind) for column, kind in zip(zip(*rows, strict=True), self._kinds, strict=True)]
        cursor.execute(self._postgres, arrays, prepare=True)
        return cursor.fetchall() if self._returns else []

    def _run_sqlite(self, connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        start = 0
        while start < len(rows):
            size = min(MAX_CHUNK, 1 << (len(rows) - start).bit_length() - 1)
            values = tuple(chain.from_iterable(rows[start : start + size]))
            cursor = connection.connection.execute(self._sqlite_statement(size), values)
            if self._returns:
                found.extend(cursor.fetchall())
            start += size
        return found

    def _sqlite_statement(self, size: int) -> str:
        statement = self._sqlite.get(size)
        if statement is None:
            statement = f"{self._head} VALUES {', '.join([self._one] * size)} {self._tail}"
            self._sqlite[size] = statement
        return statement


def _array(column: Sequence[Any], kind: str) -> str:
    """A column as PostgreSQL's array literal. Measured: the driver's own arrays take eight times as long."""
    if kind in ("text", "jsonb"):
        return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in column]) + "}"
    return "{" + ",".join(["NULL" if value is None else f'"{value}"' for value in column]) + "}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def read_moment(value: Any) -> datetime | None:
    """A time as the driver gives it, aware: on SQLite it comes without its zone, which is UTC."""
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def moment(connection: BaseDatabaseWrapper, value: datetime | None) -> Any:
    """An aware UTC time as the driver takes it: on SQLite the text that Django's own fields write."""
    if value is None or connection.vendor != "sqlite":
        return value
    return str(value)[:-6]  # without its +00:00
