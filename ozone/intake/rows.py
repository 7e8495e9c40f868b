"""Rows of a model, whole, as its objects: read and locked, or written, each by one plain statement for any number."""

from collections.abc import Callable, Collection, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake.finding import following
from ozone.intake.sql import BulkInsert, as_given, quote, within, written_fields

M = TypeVar("M", bound=models.Model)


class _Shape(NamedTuple):
    """How a model's rows are read on one connection's kind of database."""

    table: str
    columns: dict[str, str]
    """By name of the field, quoted; in the model's order."""
    attributes: list[str]
    readers: list[tuple[int, Any, list[Callable[[Any, Any, BaseDatabaseWrapper], Any]]]]
    """Position, expression and converters of what the database does not give as the model has it."""


@cache
def _shape(model: type[models.Model], alias: str) -> _Shape:
    connection = connections[alias]
    fields = model._meta.concrete_fields
    readers = []
    for position, field in enumerate(fields):
        column = field.get_col(model._meta.db_table)
        converters = [*connection.ops.get_db_converters(column), *field.get_db_converters(connection)]
        if converters:
            readers.append((position, column, converters))
    return _Shape(
        table=quote(model._meta.db_table),
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


def present(model: type[models.Model], name: str, values: Collection[Any]) -> set[Any]:
    """Those of the values that stand in the field of that name; nothing is locked."""
    connection = connections[router.db_for_write(model)]
    shape = _shape(model, connection.alias)
    column = shape.columns[name]
    among, given = within(connection, values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {shape.table} WHERE {column} {among}", given)
        return {value for (value,) in cursor.fetchall()}


def insert(row: models.Model) -> None:
    """Inserts a row and sets its key."""
    returned = _write([row], _inserting(type(row), "", ("pk",)))
    row.pk = returned[0][0]


def prepare_insert(rows: Sequence[models.Model], *, unique: str, late: str) -> Callable[[Any], None]:
    """What inserts `rows`, all of one model, and sets their keys, with the rows made out now: on SQLite nobody else
    writes while it does it. Only what the field `late` has in all of them is given then.

    `unique` names a field by which a row that was written is recognised.
    """
    model = type(rows[0])
    names = [field.name for field in written_fields(model)]
    at, known_by = names.index(late), names.index(unique)
    statement = _inserting(model, "", ("pk", unique))
    connection, values = _made_out(rows)

    def run(value: Any) -> None:
        for row in rows:
            setattr(row, late, value)
        field: Any = model._meta.get_field(late)
        key = as_given(connection, field, getattr(rows[0], field.attname))
        written = _run(connection, statement, [(*row[:at], key, *row[at + 1 :]) for row in values])
        keys = {known: pk for pk, known in written}
        for row, given in zip(rows, values, strict=True):
            row.pk = keys[given[known_by]]
            row._state.adding, row._state.db = False, connection.alias

    return run


def insert_missing(rows: Sequence[models.Model], *, unique: Sequence[str]) -> int:
    """Inserts those of `rows`, all of one model, that are not there, and says how many; their keys stay unset."""
    if not rows:
        return 0
    conflict = f"ON CONFLICT ({_columns(type(rows[0]), unique)}) DO NOTHING"
    return len(_write(rows, _inserting(type(rows[0]), conflict, ("pk",))))


def upsert(rows: Sequence[models.Model], *, unique: Sequence[str], update: Sequence[str]) -> None:
    """Inserts `rows`, all of one model, or updates the fields `update`, and what follows them, of those that are there;
    sets their keys.

    `unique` names the fields of the unique constraint by which a row is recognised. Sends no signals.
    """
    prepare_upsert(rows, unique=unique, update=update)()


def prepare_upsert(rows: Sequence[models.Model], *, unique: Sequence[str], update: Sequence[str]) -> Callable[[], None]:
    """What `upsert` does, with its rows made out now: on SQLite nobody else writes while it does it."""
    if not rows:
        return lambda: None
    model = type(rows[0])
    changed = [*update, *(field.name for field in following(model, update))]
    changes = ", ".join(f"{column} = excluded.{column}" for column in (_columns(model, [name]) for name in changed))
    conflict = f"ON CONFLICT ({_columns(model, unique)}) DO UPDATE SET {changes}"
    write = _prepare(rows, _inserting(model, conflict, ("pk", *unique)))
    attributes = _attributes(model, unique)

    def run() -> None:
        found = {tuple(row[1:]): row[0] for row in write()}
        for row in rows:
            row.pk = found[tuple(getattr(row, name) for name in attributes)]

    return run


@cache
def _inserting(model: type[models.Model], conflict: str, returning: tuple[str, ...]) -> BulkInsert:
    """The statement that inserts whole rows; `returning` names fields."""
    fields = [field.attname for field in written_fields(model)]
    return BulkInsert(model, fields, conflict, _attributes(model, returning))


def _write(rows: Sequence[models.Model], statement: BulkInsert) -> list[tuple[Any, ...]]:
    return _prepare(rows, statement)()


def _prepare(rows: Sequence[models.Model], statement: BulkInsert) -> Callable[[], list[tuple[Any, ...]]]:
    connection, values = _made_out(rows)
    return lambda: _run(connection, statement, values)


def _made_out(rows: Sequence[models.Model]) -> tuple[BaseDatabaseWrapper, list[tuple[Any, ...]]]:
    """The connection that writes them, and their values as the statement takes them."""
    connection = connections[router.db_for_write(type(rows[0]))]
    fields = written_fields(type(rows[0]))
    return connection, [
        tuple(as_given(connection, field, field.pre_save(row, add=True)) for field in fields) for row in rows
    ]


def _run(
    connection: BaseDatabaseWrapper, statement: BulkInsert, values: Sequence[tuple[Any, ...]]
) -> list[tuple[Any, ...]]:
    with transaction.atomic(using=connection.alias, savepoint=False), connection.wrap_database_errors:
        return statement.run(connection, values)


def _attributes(model: type[models.Model], names: Sequence[str]) -> list[str]:
    pk = model._meta.pk.attname
    return [pk if name == "pk" else model._meta.get_field(name).attname for name in names]  # type: ignore[union-attr]


def _columns(model: type[models.Model], names: Sequence[str]) -> str:
    return ", ".join(quote(str(model._meta.get_field(name).column)) for name in names)  # type: ignore[union-attr]
