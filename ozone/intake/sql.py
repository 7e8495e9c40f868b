"""Rows of a model by plain statements, any number in one, in the dialect of the database; columns and their types are
the model's.

One statement is what makes a group commit fast, and the driver leaves Python's lock alone until all of its rows are
written, so the event loop goes on meanwhile (executemany takes and gives the lock once a row). Django takes several
times as long to write a statement out as the database to run it, and cuts many rows up at 999 values on SQLite.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, Final

import psycopg
from django.core.exceptions import EmptyResultSet
from django.db import DataError, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

MAX_CHUNK: Final = 512
"""Rows a statement on SQLite; sizes are powers of two, so that few statements are prepared and each is reused."""
_QUOTED: Final = ("text", "varchar", "jsonb", "bytea")
"""PostgreSQL's types whose values may hold what ends an element of an array literal."""

# Of what is neither a number nor a text the driver asks first whether it adapts itself, and raises and drops an error
# where it does not: a null costs three times as much as with an adapter, and an event has a dozen.
sqlite3.register_adapter(type(None), {None: None}.get)
sqlite3.register_adapter(bool, int)

_MINUTE: Final = re.compile(r"A_MINUTE_AFTER\(([\w.]+)\)")


class BulkInsert:
    """INSERT of any number of rows into the table of `model`.

    `fields`: whose values a row has, in this order, by the names of the model's attributes (`device_id`). What is not
    among them gets its default: the database's, else the model's. Values are as the driver takes them: times from
    `moment`, JSON as text. `conflict` is the SQL after the values, in which the row that is there is `t`, the new one
    `excluded`, and `A_MINUTE_AFTER(column)` a time; `returning`: attributes of the rows that were really written.
    """

    def __init__(
        self, model: type[models.Model], fields: Sequence[str], conflict: str = "", returning: Sequence[str] = ()
    ) -> None:
        self._model = model
        self._fields = fields
        self._conflict = conflict
        self._returning = returning
        self._postgres: tuple[str, list[str]] | None = None
        self._sqlite: dict[int, str] = {}

    # What follows from the model is looked up at the first run: when a module is imported, not all models are there.

    @cached_property
    def _defaults(self) -> list["models.Field[Any, Any]"]:
        """Fields that neither the rows nor the database give a value."""
        return [
            field
            for field in written_fields(self._model)
            if field.attname not in self._fields and field.has_default() and field.db_default is models.NOT_PROVIDED
        ]

    @cached_property
    def _columns(self) -> dict[str, "models.Field[Any, Any]"]:
        """By quoted name."""
        by_name = {field.attname: field for field in self._model._meta.concrete_fields}
        fields = [*(by_name[name] for name in self._fields), *self._defaults]
        return {quote(str(field.column)): field for field in fields}

    @cached_property
    def _head(self) -> str:
        return f"INSERT INTO {quote(self._model._meta.db_table)} AS t ({', '.join(self._columns)})"

    @cached_property
    def _tail(self) -> str:
        if not self._returning:
            return self._conflict
        by_name = {field.attname: quote(str(field.column)) for field in self._model._meta.concrete_fields}
        return f"{self._conflict} RETURNING {', '.join(by_name[name] for name in self._returning)}"

    def run(self, connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Inserts `rows` inside the caller's transaction; the returned attributes, where any were asked for."""
        if not rows:
            return []
        if self._defaults:
            rows = [
                (*row, *[as_given(connection, field, field.get_default()) for field in self._defaults]) for row in rows
            ]
        try:
            if connection.vendor == "sqlite":
                return self._run_sqlite(connection, rows)
            return self._run_postgres(connection, rows)
        except (OverflowError, UnicodeEncodeError) as error:  # which the driver finds before the database
            raise DataError(str(error)) from error

    def _run_postgres(self, connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        statement, kinds = self._postgres or self._postgres_statement(connection)
        cursor = psycopg.Cursor(connection.connection)
        arrays = [_array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
        cursor.execute(statement, arrays, prepare=True)
        return cursor.fetchall() if self._returning else []

    def _postgres_statement(self, connection: BaseDatabaseWrapper) -> tuple[str, list[str]]:
        """For any number of rows, prepared once: it takes an array a column. And the arrays' types."""
        names = ", ".join(self._columns)
        # Without the length: a cast to varchar(64) would cut what is longer.
        kinds = [(field.db_type(connection) or "").partition("(")[0] for field in self._columns.values()]
        arrays = ", ".join(f"%s::{'text' if kind == 'jsonb' else kind}[]" for kind in kinds)
        values = [
            f"{name}::jsonb" if kind == "jsonb" else name for name, kind in zip(self._columns, kinds, strict=True)
        ]
        statement = f"{self._head} SELECT {', '.join(values)} FROM unnest({arrays}) AS v ({names}) "
        statement += _MINUTE.sub(r"(\1 + interval '1 minute')", self._tail)
        self._postgres = statement, kinds
        return self._postgres

    def _run_sqlite(self, connection: BaseDatabaseWrapper, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        start = 0
        while start < len(rows):
            size = min(MAX_CHUNK, 1 << (len(rows) - start).bit_length() - 1)
            values = tuple(chain.from_iterable(rows[start : start + size]))
            cursor = connection.connection.execute(self._sqlite_statement(size), values)
            if self._returning:
                found.extend(cursor.fetchall())
            start += size
        return found

    def _sqlite_statement(self, size: int) -> str:
        statement = self._sqlite.get(size)
        if statement is None:
            one = f"({', '.join('?' * len(self._columns))})"
            tail = _MINUTE.sub(r"strftime('%Y-%m-%d %H:%M:%S', \1, '+1 minute')", self._tail)
            statement = f"{self._head} VALUES {', '.join([one] * size)} {tail}"
            self._sqlite[size] = statement
        return statement


def written_fields(model: type[models.Model]) -> list["models.Field[Any, Any]"]:
    """All but an automatic key and what the database computes."""
    return [
        field
        for field in model._meta.concrete_fields
        if not isinstance(field, models.AutoField) and not field.generated
    ]


def quote(name: str) -> str:
    """For both dialects."""
    return f'"{name}"'


def as_given(connection: BaseDatabaseWrapper, field: "models.Field[Any, Any]", value: Any) -> Any:
    """A field's value as `BulkInsert` takes it."""
    if isinstance(field, models.JSONField):
        return None if value is None else json.dumps(value, cls=field.encoder)
    if isinstance(field, models.BinaryField) and connection.vendor == "postgresql":
        return None if value is None else rf"\x{value.hex()}"
    return field.get_db_prep_save(value, connection)


def _array(column: Sequence[Any], kind: str) -> str:
    """A column as PostgreSQL's array literal. Measured: the driver's own arrays take eight times as long."""
    write = _quoted if kind in _QUOTED else _written if kind.startswith("timestamp") else str
    return "{" + ",".join(["NULL" if value is None else write(value) for value in column]) + "}"


@lru_cache(maxsize=1024)
def _written(value: datetime) -> str:
    return f'"{value}"'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def read_moment(value: Any) -> datetime | None:
    """A time as the driver gives it, aware. On SQLite it comes without its zone (UTC), and of an expression as text."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


def plain_rows(rows: "models.QuerySet[Any, Any]") -> list[tuple[Any, ...]]:
    """Those of a `values_list` as the driver gives them (times: `read_moment`), without a call of Django's for each of
    their values: more than half of what thousands of rows cost."""
    connection = connections[rows.db]
    try:
        statement, given = rows.query.get_compiler(rows.db).as_sql()
    except EmptyResultSet:
        return []
    with connection.cursor() as cursor:
        cursor.execute(statement, given)
        return cursor.fetchall()


def moment(connection: BaseDatabaseWrapper, value: datetime | None) -> Any:
    """An aware UTC time as the driver takes it: on SQLite the text that Django's own fields write."""
    if value is None or connection.vendor != "sqlite":
        return value
    return _text_of(value)


@lru_cache(maxsize=1024)
def _text_of(value: datetime) -> str:
    """One time goes into several columns, and takes ten times as long to write as to find."""
    return str(value)[:-6]  # without its +00:00


def keep_no_log(connection: BaseDatabaseWrapper) -> None:
    """In development Django would log every query in memory: a third of the speed of who asks many, and a leak where
    no request ends. Undone by `del connection.make_debug_cursor`."""
    connection.make_debug_cursor = connection.make_cursor  # type: ignore[method-assign,assignment]


def select(connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """What a statement finds or returns, as the driver gives it (times: `read_moment`). PostgreSQL plans it once a
    connection; Django would write the values into its text, and have it planned anew each time."""
    return ask(connection, statement, parameters)()


def ask(
    connection: BaseDatabaseWrapper, statement: str, parameters: Sequence[Any]
) -> Callable[[], list[tuple[Any, ...]]]:
    """The same for whoever has more to send before he waits for what is found."""
    if connection.vendor != "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(statement, parameters)
            found = cursor.fetchall()
        return lambda: found
    with connection.wrap_database_errors:
        return psycopg.Cursor(connection.connection).execute(statement, parameters, prepare=True).fetchall


def within(connection: BaseDatabaseWrapper, values: Collection[Any]) -> tuple[str, list[Any]]:
    """`IN` for any number of values, whole numbers or texts, in one statement: what follows the column, and its
    parameters.
    """
    if not values:
        return "IN (NULL)", []
    if connection.vendor == "sqlite":
        return "IN (SELECT value FROM json_each(%s))", [json.dumps(list(values))]
    kind = _kind(next(iter(values)))
    return f"= ANY(%s::{kind}[])", [_array(list(values), kind)]


def table_of(connection: BaseDatabaseWrapper, pairs: Sequence[tuple[Any, Any]]) -> tuple[str, list[Any]]:
    """Pairs of whole numbers or texts, at least one, as the table `k` of the columns `a` and `b`; its parameters."""
    if connection.vendor == "sqlite":
        members = "json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b"
        return f"(SELECT {members} FROM json_each(%s)) AS k", [json.dumps(pairs)]
    columns = list(zip(*pairs, strict=True))
    arrays = ", ".join(f"%s::{_kind(column[0])}[]" for column in columns)
    return f"unnest({arrays}) AS k (a, b)", [_array(column, _kind(column[0])) for column in columns]


def _kind(value: Any) -> str:
    return "text" if isinstance(value, str) else "bigint"
