"""Rows of one model by plain statements, any number in one.

A sync is a dozen statements, and Django takes several times as long to write one out as the database to run it; and
it cuts many rows up at 999 values on SQLite.
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models, router
from django.db.backends.base.base import BaseDatabaseWrapper

M = TypeVar("M", bound=models.Model)


class _Shape(NamedTuple):
    """How a model's rows are written and read on one connection's kind of database."""

    table: str
    key: str
    columns: dict[str, str]
    """By name of the field, quoted; in the model's order."""
    attributes: list[str]
    readers: list[tuple[int, Any, list[Any]]]
    """Position, expression and converters of what the database does not give as the model has it."""


@cache
def _shape(model: type[models.Model], alias: str) -> _Shape:
    connection = connections[alias]
    quote = connection.ops.quote_name
    fields = model._meta.concrete_fields
    readers = []
    for position, field in enumerate(fields):
        column = field.get_col(model._meta.db_table)
        converters = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
        if converters:
            readers.append((position, column, converters))
    return _Shape(
        table=quote(model._meta.db_table),
        key=quote(str(model._meta.pk.column)),
        columns={field.name: quote(str(field.column)) for field in fields},
        attributes=[field.attname for field in fields],
        readers=readers,
    )


def fetch_locked(model: type[M], where: str, parameters: Sequence[Any], *, order: str = "id") -> list[M]:
    """The rows for which the SQL `where` is true, by the column `order`; locked until the transaction ends."""
    connection = connections[router.db_for_write(model)]
    shape = _shape(model, connection.alias)
    locking = " FOR UPDATE" if connection.features.has_select_for_update else ""
    statement = f"SELECT {', '.join(shape.columns.values())} FROM {shape.table} WHERE {where} ORDER BY {order}{locking}"
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        found = [list(row) for row in cursor.fetchall()]
    for row in found:
        for position, column, converters in shape.readers:
            for converter in converters:
                row[position] = converter(row[position], column, connection)
    return [model.from_db(connection.alias, shape.attributes, row) for row in found]


def present(model: type[models.Model], name: str, values: Sequence[Any]) -> set[Any]:
    """Those of the values that stand in the field of that name; nothing is locked."""
    connection = connections[router.db_for_write(model)]
    shape = _shape(model, connection.alias)
    column = shape.columns[name]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {shape.table} WHERE {column} IN {marks(values)}", values)
        return {value for (value,) in cursor.fetchall()}


def marks(values: Sequence[Any]) -> str:
    """`(%s, %s)` for as many values; none of them is no list in SQL."""
    return f"({', '.join(['%s'] * len(values))})" if values else "(NULL)"


def insert(row: models.Model) -> None:
    """Inserts a row and sets its key."""
    connection = connections[router.db_for_write(type(row))]
    _, returned = _insert(connection, [row], "", ())
    row.pk = returned[0][0]


def insert_missing(rows: Sequence[M], *, unique: Sequence[str]) -> int:
    """Inserts those of `rows` that are not there, and says how many; their keys stay unset."""
    if not rows:
        return 0
    connection = connections[router.db_for_write(type(rows[0]))]
    columns = _shape(type(rows[0]), connection.alias).columns
    conflict = f"ON CONFLICT ({', '.join(columns[name] for name in unique)}) DO NOTHING"
    return len(_insert(connection, rows, conflict, ())[1])


def upsert(rows: Sequence[M], *, unique: Sequence[str], update: Sequence[str]) -> None:
    """Inserts `rows`, all of one model, or updates the fields `update` of those that are there; sets their keys.

    `unique` names the fields of the unique constraint by which a row is recognised. Sends no signals.
    """
    if not rows:
        return
    connection = connections[router.db_for_write(type(rows[0]))]
    columns = _shape(type(rows[0]), connection.alias).columns
    changes = ", ".join(f"{columns[name]} = EXCLUDED.{columns[name]}" for name in update)
    conflict = f"ON CONFLICT ({', '.join(columns[name] for name in unique)}) DO UPDATE SET {changes}"
    attributes, returned = _insert(connection, rows, conflict, unique)
    found = {tuple(row[1:]): row[0] for row in returned}
    for row in rows:
        row.pk = found[tuple(getattr(row, name) for name in attributes)]


def _insert(
    connection: BaseDatabaseWrapper, rows: Sequence[models.Model], conflict: str, identity: Sequence[str]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Attributes of the `identity` fields; and of each row written its key and the values of those fields."""
    model = type(rows[0])
    shape = _shape(model, connection.alias)
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    values = [field.get_db_prep_save(getattr(row, field.attname), connection) for row in rows for field in fields]
    one = marks(fields)
    statement = (
        f"INSERT INTO {shape.table} ({', '.join(shape.columns[field.name] for field in fields)}) "
        f"VALUES {', '.join([one] * len(rows))} {conflict} "
        f"RETURNING {', '.join([shape.key, *(shape.columns[name] for name in identity)])}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        returned = cursor.fetchall()
    return [model._meta.get_field(name).attname for name in identity], returned  # type: ignore[union-attr]
