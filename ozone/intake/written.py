"""Queries that Django writes out once, and that are asked again and again with other values: of whoever looks every
second, to write them out is most of the work.
"""

import json
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, Expression, F, Func, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from ozone.intake.sql import moment

P = ParamSpec("P")


class Given(Expression):
    """Stands for a value that a written query is asked with. Of a time `-` and `+` give one that is so far from it."""

    def __init__(self, name: str, shift: timedelta = timedelta(0)) -> None:
        super().__init__()
        self.name = name
        self.shift = shift

    def __add__(self, span: timedelta) -> "Given":  # type: ignore[override]  # of Django's own it is SQL
        return Given(self.name, self.shift + span)

    def __sub__(self, span: timedelta) -> "Given":  # type: ignore[override]
        return Given(self.name, self.shift - span)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def of(self, connection: BaseDatabaseWrapper, given: dict[str, Any]) -> Any:
        """The value, as the driver takes it."""
        value = given[self.name]
        if isinstance(value, datetime):
            return moment(connection, value + self.shift)
        if isinstance(value, Collection) and not isinstance(value, str):
            return json.dumps([*value]) if connection.vendor == "sqlite" else [*value]
        return value


class Among(Func):
    """The condition that `column` is one of any number of whole numbers: `IN`, whose SQL would be another for each."""

    output_field = BooleanField()
    arg_joiner = " = ANY("
    template = "%(expressions)s::bigint[])"

    def __init__(self, column: str, numbers: Collection[int]) -> None:
        """`numbers`: a parameter of the written query."""
        super().__init__(F(column), numbers)

    def as_sqlite(
        self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **extra_context: Any
    ) -> tuple[str, Any]:
        among = " IN (SELECT value FROM json_each("
        return super().as_sql(compiler, connection, template="%(expressions)s))", arg_joiner=among, **extra_context)


def written(make: Callable[P, "QuerySet[Any, Any]"]) -> Callable[P, list[tuple[Any, ...]]]:
    """Asks what `make` returns, a `values_list`, whose rows come as the driver gives them (times: `read_moment`).

    `make` is called once, with a Given in place of each of its arguments: whole numbers, texts, and times, which it may
    shift; collections of numbers for `Among`. Nothing else may bear on what it returns.
    """
    names = signature(make)
    made: list[tuple[str, str, tuple[Any, ...]]] = []

    @wraps(make)
    def ask(*args: P.args, **kwargs: P.kwargs) -> list[tuple[Any, ...]]:
        if not made:
            rows = make(**{name: Given(name) for name in names.parameters})  # type: ignore[arg-type,call-arg]
            made.append((rows.db, *rows.query.get_compiler(rows.db).as_sql()))
        alias, statement, parameters = made[0]
        connection, given = connections[alias], names.bind(*args, **kwargs).arguments
        with connection.cursor() as cursor:
            cursor.execute(
                statement, [one.of(connection, given) if isinstance(one, Given) else one for one in parameters]
            )
            return cursor.fetchall()

    return ask
