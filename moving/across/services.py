"""The move: each table in steps by its key, each step compared after it was written; what is there already and the same
is left alone, so that it goes on after a kill, and a second pass brings what has changed since the first."""

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psycopg
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import connection, connections
from psycopg import sql

from moving.across import state
from moving.across.state import NoMove
from moving.across.tables import Row, Table, moved_tables
from moving.backups.postgres import Connection, connected, table_names
from moving.sources import open_read_only
from moving.usage import is_open_elsewhere, others_on

ROWS: Final = 2_000
"""Of one step: one transaction."""

Progress = Callable[[int, int], None]
"""Told how many rows of how many are done."""


@dataclass
class Moved:
    """`tables`: rows and hash of each, the same on both sides; `written`: rows that were not there, or otherwise.

    `is_finished`: nobody wrote to the source meanwhile. Else it has to be run again.
    """

    tables: dict[str, tuple[int, str]] = field(default_factory=dict)
    written: int = 0
    is_finished: bool = False

    @property
    def rows(self) -> int:
        return sum(rows for rows, _ in self.tables.values())


def move(source: Path, progress: Progress) -> Moved:
    """Brings all rows of the SQLite database into DATABASE_URL's, which is PostgreSQL's. Raises NoMove, NoBackup."""
    if connection.vendor != "postgresql":
        raise NoMove("DATABASE_URL names the database to move into: a PostgreSQL URL.")
    if not source.is_file():
        raise NoMove(f"There is no file {source}.")
    is_served = is_open_elsewhere(source)
    connections.close_all()
    with connected() as made:
        if others_on(made):
            raise NoMove("Others are connected to the database to move into: it must be served by nobody yet.")
        state.begin(made, str(source.resolve()), table_names(made))
        call_command("migrate", verbosity=0, interactive=False)
        connections.close_all()
        state.set_foreign_keys_aside(made)
        try:
            with closing(open_read_only(source)) as reader:
                _require_same_schema(reader, made)
                version = _version(reader)
                moved = _move_all(reader, made, progress)
                is_served = is_served or _version(reader) != version
        except sqlite3.Error as error:
            raise NoMove(f"{source} cannot be read: {error}.") from None
        if is_served or is_open_elsewhere(source):
            return moved
        tables = [table.model for table in moved_tables()]
        try:
            state.finish(made, connection.ops.sequence_reset_sql(no_style(), tables))
        except psycopg.errors.ForeignKeyViolation as error:
            raise NoMove(f"The source has rows without their parent: {error.diag.message_detail}") from None
        finally:
            connections.close_all()
        moved.is_finished = True
        return moved


def _version(reader: sqlite3.Connection) -> int:
    """Another one after any commit of others."""
    return int(reader.execute("PRAGMA data_version").fetchone()[0])


def _require_same_schema(reader: sqlite3.Connection, made: Connection) -> None:
    query = "SELECT app, name FROM django_migrations"
    theirs, ours = set(reader.execute(query).fetchall()), set(made.execute(query).fetchall())
    if theirs != ours:
        names = ", ".join(sorted(f"{app}.{name}" for app, name in theirs ^ ours)[:3])
        raise NoMove(
            f"The source is not of this release ({names}). Migrate it first: DATABASE_URL=sqlite:///… manage.py migrate"
        )


def _move_all(reader: sqlite3.Connection, made: Connection, progress: Progress) -> Moved:
    tables, moved = moved_tables(), Moved()
    total = sum(_count(reader, table) for table in tables)
    done = 0
    for table in tables:
        rows, hashed = 0, hashlib.sha256()
        for number, digest, written in _steps(reader, made, table):
            rows, done = rows + number, done + number
            moved.written += written
            hashed.update(digest)
            progress(done, total)
        there = made.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()
        if there is None or there[0] != rows:
            raise NoMove(f"{table.name}: {rows} rows in the source, {there and there[0]} here.")
        moved.tables[table.name] = rows, hashed.hexdigest()[:16]
    return moved


def _count(reader: sqlite3.Connection, table: Table) -> int:
    return int(reader.execute(f'SELECT count(*) FROM "{table.name}"').fetchone()[0])


def _steps(reader: sqlite3.Connection, made: Connection, table: Table) -> Iterator[tuple[int, bytes, int]]:
    """Of each step its rows, their digest on both sides, and how many were written."""
    after: Any = None
    columns = ", ".join(f'"{name}"' for name in table.columns)
    while True:
        condition, given = ("", ()) if after is None else (f'WHERE "{table.key}" > ?', (after,))
        rows = reader.execute(
            f'SELECT {columns} FROM "{table.name}" {condition} ORDER BY "{table.key}" LIMIT {ROWS}', given
        ).fetchall()
        # The last step ends nowhere: what the source no longer has goes.
        last = rows[-1][table.place] if len(rows) == ROWS else None
        digest = table.digest(rows)
        try:
            written = _step(made, table, rows, digest, after, last)
        except psycopg.errors.UniqueViolation:
            # A unique value has passed from one row to another since the first pass. Behind this step all comes anew.
            made.execute(*_range(sql.SQL("DELETE FROM {}"), table, after, None))
            try:
                written = _step(made, table, rows, digest, after, last)
            except psycopg.errors.UniqueViolation:
                raise NoMove(
                    f"{table.name} was changed meanwhile: stop the source's server, and run it again."
                ) from None
        yield len(rows), digest, written
        if last is None:
            return
        after = last


def _step(made: Connection, table: Table, rows: list[Row], digest: bytes, after: Any, last: Any) -> int:
    """Makes the rows with keys past `after` up to `last` those of the source. Returns how many were written."""
    with made.transaction():
        if table.digest(_there(made, table, after, last)) == digest:
            return 0
        made.execute(*_range(sql.SQL("DELETE FROM {}"), table, after, last))
        names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table.name), names)
        try:
            with made.cursor() as cursor, cursor.copy(statement) as copy:
                for row in rows:
                    copy.write_row(table.written(row))
        except psycopg.DataError as error:
            where = f"between the keys {rows[0][table.place]} and {rows[-1][table.place]}"
            raise NoMove(
                f"{table.name}: PostgreSQL refuses a row {where}: {error.diag.message_primary or error}"
            ) from None
        if table.digest(_there(made, table, after, last)) != digest:
            raise NoMove(f"{table.name}: the rows after key {after} up to {last} are not the same on both sides.")
    return len(rows)


def _there(made: Connection, table: Table, after: Any, last: Any) -> list[Row]:
    statement, given = _range(sql.SQL(f"SELECT {table.selected} FROM {{}}"), table, after, last)
    return made.execute(statement + sql.SQL(f" ORDER BY {table.order}"), given).fetchall()


def _range(head: sql.SQL, table: Table, after: Any, last: Any) -> tuple[sql.Composed, list[Any]]:
    """A statement on the rows with keys past `after` up to `last`; None: no bound."""
    bounds = [(sign, value) for sign, value in ((">", after), ("<=", last)) if value is not None]
    conditions = " AND ".join(f"{table.order} {sign} %s::{table.kind}" for sign, _ in bounds) or "true"
    statement = head.format(sql.Identifier(table.name)) + sql.SQL(f" WHERE {conditions}")
    return statement, [str(value) for _, value in bounds]
