"""Any number of rows in one statement. Django's own bulk_create cuts them up at 999 values on SQLite."""

from collections.abc import Sequence
from typing import Any, TypeVar

from django.db import connections, models, router

M = TypeVar("M", bound=models.Model)


def upsert(rows: Sequence[M], *, unique: Sequence[str], update: Sequence[str]) -> None:
    """Inserts `rows`, all of one model, or updates the fields `update` of those that are there; sets their keys.

    `unique` names the fields of the unique constraint by which a row is recognised. Sends no signals.
    """
    if not rows:
        return
    model = type(rows[0])
    connection = connections[router.db_for_write(model)]
    quote = connection.ops.quote_name
    fields = {field.name: field for field in model._meta.concrete_fields if not field.primary_key}
    columns = {name: quote(str(field.column)) for name, field in fields.items()}
    values: list[Any] = [
        field.get_db_prep_save(getattr(row, field.attname), connection) for row in rows for field in fields.values()
    ]
    one = f"({', '.join(['%s'] * len(fields))})"
    keys = [columns[name] for name in unique]
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(columns.values())}) "
        f"VALUES {', '.join([one] * len(rows))} "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET "
        f"{', '.join(f'{columns[name]} = EXCLUDED.{columns[name]}' for name in update)} "
        f"RETURNING {', '.join(keys)}, {quote(str(model._meta.pk.column))}"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found = {tuple(returned[:-1]): returned[-1] for returned in cursor.fetchall()}
    attributes = [fields[name].attname for name in unique]
    for row in rows:
        row.pk = found[tuple(getattr(row, name) for name in attributes)]
