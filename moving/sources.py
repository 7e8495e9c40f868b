"""An earlier system's database, opened so that nothing can be written to it: a SQLite file or a PostgreSQL URL."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote

import psycopg
from psycopg.rows import dict_row

STEP: Final = 500
"""Rows read at once."""

Row = dict[str, Any]


class NoSource(Exception):
    """The source cannot be opened or read; the sentence says why."""


class Source(Protocol):
    """`columns`: table -> its columns; `keys`: table -> the column of its primary key, where it has one of one column;
    `row_key`: what names a row of any table, if anything does."""

    columns: dict[str, Sequence[str]]
    keys: dict[str, str]
    row_key: str | None

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """The rows of a SELECT with `?` for values."""

    def close(self) -> None: ...


def open_source(where: str) -> Source:
    """`where`: a path, `sqlite:///path` or a PostgreSQL URL. Raises NoSource."""
    if where.startswith(("postgres://", "postgresql://")):
        return PostgresSource(where)
    path = Path(where.removeprefix("sqlite:///") if where.startswith("sqlite:///") else where)
    if not path.is_file():
        raise NoSource(f"There is no file {path}.")
    return SqliteSource(path)


def find_keys(source: Source, tables: Iterable[str]) -> None:
    """For tables that have lost their primary keys, as copies of tables do: the first column, where it names each row
    once, else what names any row. Raises NoSource where there is neither."""
    for table in tables:
        if table not in source.columns or table in source.keys:
            continue
        column = source.columns[table][0]
        (found,) = source.query(f'SELECT COUNT(*) AS n, COUNT(DISTINCT "{column}") AS names FROM "{table}"')
        key = column if found["n"] == found["names"] else source.row_key
        if key is None:
            raise NoSource(
                f"{table} has no primary key, and {column} does not name each of its rows once. Move from a copy with"
                f" one: ALTER TABLE {table} ADD COLUMN moved_id bigserial PRIMARY KEY"
            )
        source.keys[table] = key


def walk(source: Source, table: str, step: int = STEP) -> Iterator[list[Row]]:
    """All rows of a table in the order of its key, in pieces; none where there is no such table."""
    if table not in source.columns:
        return
    key = source.keys[table]
    cells = "*" if key in source.columns[table] else f'"{key}" AS "{key}", *'
    after: Any = None
    while True:
        condition, values = ("", ()) if after is None else (f' WHERE "{key}" > ?', (after,))
        rows = source.query(f'SELECT {cells} FROM "{table}"{condition} ORDER BY "{key}" LIMIT {step}', values)
        if not rows:
            return
        yield rows
        after = rows[-1][key]


def count(source: Source, table: str) -> int:
    return int(source.query(f'SELECT COUNT(*) AS n FROM "{table}"')[0]["n"]) if table in source.columns else 0


class SqliteSource:
    row_key: str | None = "rowid"

    def __init__(self, path: Path) -> None:
        try:
            self._connection = open_read_only(path)
            self._connection.row_factory = sqlite3.Row
            # What is not UTF-8 must not end the move: it arrives with replacement characters.
            self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            tables = self.query("SELECT name FROM sqlite_master WHERE type = 'table'")
            self.columns: dict[str, Sequence[str]] = {}
            self.keys: dict[str, str] = {}
            for name in (row["name"] for row in tables):
                info = self.query(f'PRAGMA table_info("{name}")')
                self.columns[name] = [column["name"] for column in info]
                keys = [column["name"] for column in info if column["pk"]]
                if len(keys) == 1:
                    self.keys[name] = keys[0]
        except sqlite3.Error as error:
            raise NoSource(f"{path} cannot be read as a SQLite database: {error}.") from None

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return [dict(row) for row in self._connection.execute(sql, tuple(values))]

    def close(self) -> None:
        self._connection.close()


def open_read_only(path: Path) -> sqlite3.Connection:
    """Beside its server, with that server's log; or, on a medium that takes no lock, as it stands, where there is no
    log that would be missed."""
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    log = Path(f"{path.resolve()}-wal")
    tails = [""] if log.is_file() and log.stat().st_size else ["", "&immutable=1"]
    for tail in tails:
        connection = sqlite3.connect(address + tail, uri=True, timeout=10, check_same_thread=False)
        try:
            connection.execute("SELECT 1 FROM sqlite_master")
        except sqlite3.OperationalError:
            connection.close()
            if tail == tails[-1]:
                raise
        else:
            return connection
    raise AssertionError("one of the two is returned or raised")


class PostgresSource:
    row_key: str | None = None

    def __init__(self, url: str) -> None:
        try:
            self._connection = psycopg.connect(url, autocommit=True, row_factory=dict_row, connect_timeout=10)
            self._connection.execute("SET default_transaction_read_only = on")
            self._connection.execute("SET TIME ZONE 'UTC'")
            rows = self.query(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = ANY(current_schemas(false)) ORDER BY ordinal_position"
            )
            keys = self.query(
                "SELECT k.table_name, k.column_name FROM information_schema.key_column_usage k"
                " JOIN information_schema.table_constraints c USING (constraint_name, table_name, table_schema)"
                " WHERE c.constraint_type = 'PRIMARY KEY' AND k.ordinal_position = 1"
                " AND k.table_schema = ANY(current_schemas(false))"
            )
        except psycopg.Error as error:
            # The URL has a password: it does not stand in the sentence.
            raise NoSource(f"The PostgreSQL source cannot be read: {str(error).partition(chr(10))[0]}") from None
        self.columns: dict[str, Sequence[str]] = {}
        for row in rows:
            self.columns[row["table_name"]] = [*self.columns.get(row["table_name"], ()), row["column_name"]]
        self.keys = {row["table_name"]: row["column_name"] for row in keys}

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        return self._connection.execute(sql.replace("?", "%s"), tuple(values) or None).fetchall()

    def close(self) -> None:
        self._connection.close()
