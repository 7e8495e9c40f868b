"""Columns by which rows are found and put in order. Each follows one text of its row and is written with it: by `save`,
by querysets in bulk, and by `ozone.intake.sql`. A statement written by hand has to set both.

A column of one text only: two people who change two texts of a row at once cannot leave it with a word of neither.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import reduce
from operator import or_
from typing import Any, Final

from django.db import models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.sql.compiler import SQLCompiler

from ozone.wire.folding import folded, order_key

_ROWS: Final = 250
"""Filled in one transaction: it takes less than a tenth of a second."""


class _Following:
    """A column that follows the text in the field `source`."""

    source: str
    attname: str

    def of(self, text: str | None) -> Any:
        """What stands in it beside that text."""
        raise NotImplementedError

    def lacking(self) -> models.Q:
        """The condition that a row has not got it."""
        raise NotImplementedError

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, _, kwargs = super().deconstruct()  # type: ignore[misc]
        return name, path, [self.source], kwargs

    def pre_save(self, row: models.Model, add: bool) -> Any:
        value = self.of(getattr(row, self.source))
        setattr(row, self.attname, value)
        return value


class Folded(_Following, models.TextField):
    """The text as `folded` has it: what is searched."""

    def __init__(self, source: str, **kwargs: Any) -> None:
        self.source = source
        super().__init__(**{"editable": False, "default": "", "db_default": "", **kwargs})

    def of(self, text: str | None) -> str:
        return folded(text or "")

    def lacking(self) -> models.Q:
        return models.Q(**{self.attname: ""}) & ~models.Q(**{self.source: ""})


class Order(_Following, models.BinaryField):
    """The text's place among others, as `order_key` has it. Bytes, because they have one order on every database,
    whatever its locale. Null only of a row that a process of the version before has written."""

    def __init__(self, source: str, **kwargs: Any) -> None:
        self.source = source
        super().__init__(**{"null": True, **kwargs})

    def of(self, text: str | None) -> bytes:
        return order_key(text or "")

    def lacking(self) -> models.Q:
        return models.Q(**{self.attname: None})


class NoBytes(models.Func):
    """`b""` as a literal: an index of an expression serves a query that is written the same, which no parameter is."""

    template = "''"
    output_field = models.BinaryField()

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> Any:
        return self.as_sql(compiler, connection, template="x''", **context)


def following(model: type[models.Model], names: Collection[str] | None = None) -> list[Any]:
    """The columns that follow the texts `names`, or any."""
    found = [field for field in model._meta.concrete_fields if isinstance(field, _Following)]
    return [field for field in found if names is None or field.source in names]


def with_following(model: type[models.Model], values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of an UPDATE, and those of the columns that follow them. Raises TypeError for an expression, whose
    value only the database knows."""
    found = dict(values)
    for field in following(model, values.keys()):
        if field.name in found:
            continue
        text = values[field.source]
        if hasattr(text, "resolve_expression"):
            raise TypeError(f"{field.source} is searched: give its text, no expression.")
        found[field.name] = field.of(text)
    return found


class FoundQuerySet(models.QuerySet[Any]):
    """Of a model with such columns."""

    def update(self, **kwargs: Any) -> int:
        return super().update(**with_following(self.model, kwargs))

    def bulk_update(self, objs: Iterable[Any], fields: Iterable[str], batch_size: int | None = None) -> int:
        rows, names = list(objs), list(fields)
        more = following(self.model, names)
        for row in rows:
            for field in more:
                field.pre_save(row, add=False)
        return super().bulk_update(rows, [*names, *(field.name for field in more)], batch_size)


class FoundModel(models.Model):
    """A model with such columns: whoever saves a text alone saves them with it. Its manager is FoundQuerySet's."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        fields = kwargs.get("update_fields")
        if fields is not None:
            kwargs["update_fields"] = {*fields, *(field.name for field in following(type(self), fields))}
        super().save(*args, **kwargs)


def fill(model: type[models.Model], connection: BaseDatabaseWrapper) -> None:
    """Writes these columns of the rows that lack them: for a migration that is not atomic, after the one that added
    them. In transactions of some rows each, which alone wait for each other; where one was killed the next goes on."""
    columns, key = following(model), str(model._meta.pk.attname)
    sources = list(dict.fromkeys(field.source for field in columns))
    quote = connection.ops.quote_name
    places = ", ".join(f"{quote(field.column)} = %s" for field in columns)
    statement = f"UPDATE {quote(model._meta.db_table)} SET {places} WHERE {quote(str(model._meta.pk.column))} = %s"
    lacking = reduce(or_, (field.lacking() for field in columns))
    rows = model._default_manager.filter(lacking).order_by(key).select_for_update(no_key=True)
    last: Any = None
    while True:
        with transaction.atomic(using=connection.alias):
            there = rows if last is None else rows.filter(**{f"{key}__gt": last})
            some = list(there.values_list(key, *sources)[:_ROWS])
            if not some:
                return
            with connection.cursor() as cursor:
                cursor.executemany(statement, [_filled(columns, sources, *row) for row in some])
        last = some[-1][0]


def _filled(columns: Sequence[Any], sources: Sequence[str], key: Any, *texts: Any) -> list[Any]:
    by_name = dict(zip(sources, texts, strict=True))
    return [*(field.of(by_name[field.source]) for field in columns), key]
