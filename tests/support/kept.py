"""What many tests begin with: rows that are made once, and laid again as they were."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any, Generic, TypeVar
from weakref import WeakSet

import time_machine
from django.apps import apps
from django.db import connection, models, transaction
from django.db.models.base import ModelState
from django.utils import timezone

from ozone.wire.times import people_zone

Made = TypeVar("Made")
_TODAY = object()
_MOMENT, _DATE = models.DateTimeField(), models.DateField()


@dataclass(frozen=True)
class _After:
    """A moment that hangs on that of making: itself, or the end of a window that began then. A moment that was told has
    other microseconds."""

    time: timedelta


@cache
def _which_have_rows() -> str:
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    quoted = map(connection.ops.quote_name, names)
    return " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in quoted)


_prepared: WeakSet[Any] = WeakSet()
"""Connections to PostgreSQL that know the question."""


def tables_with_rows() -> set[str]:
    """Their names as SQL has them, quoted."""
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute(_which_have_rows())
        else:  # to plan it takes ten times as long as to look
            if connection.connection not in _prepared:
                cursor.execute(f"PREPARE which_have_rows AS {_which_have_rows()}")
                _prepared.add(connection.connection)
            cursor.execute("EXECUTE which_have_rows")
        return {name for (name,) in cursor.fetchall()}


class Kept(Generic[Made]):
    """`make` stores rows and returns a dataclass of them."""

    def __init__(self, make: Callable[[], Made]) -> None:
        self._make = make
        self._first: _First[Made] | None = None

    def lay(self) -> Made:
        """What `make` would make now: by itself until it has filled tables that were empty, and where they are not."""
        filled = tables_with_rows()
        if self._first is None:
            made, self._first = _First.of(self._make, filled)
            return made
        if filled & self._first.added:
            return self._make()
        return self._first.again()


@dataclass(frozen=True)
class _First(Generic[Made]):
    """`rows`: by table its statement and the parameters; `at`: the moment of all that was made."""

    made: Made
    at: datetime
    rows: dict[str, tuple[str, list[list[Any]]]]
    added: set[str]
    """The tables that were empty. Of others rows have changed."""

    @classmethod
    def of(cls, make: Callable[[], Made], filled: set[str]) -> "tuple[Made, _First[Made] | None]":
        """None where `make` has added to a table that had rows."""
        before = {model: list(_rows(model)) for model in _models() if _quoted(model) in filled}
        at = timezone.now()
        with time_machine.travel(at, tick=False):
            made = make()
        rows, added = {}, set()
        for model in _models():
            found, had = list(_rows(model)), before.get(model, [])
            if found == had:
                continue
            if had and len(found) != len(had):
                return made, None
            if not had:
                added.add(_quoted(model))
            rows[_quoted(model)] = _insert(model), [_parameters(model, row, at) for row in found]
        return made, cls(copy.deepcopy(made), at, rows, added)

    def again(self) -> Made:
        now = timezone.now()
        with transaction.atomic(), connection.cursor() as cursor:
            for table, (statement, rows) in self.rows.items():
                if table not in self.added:
                    cursor.execute(f"DELETE FROM {table}")
                cursor.executemany(statement, [[_when(value, now) for value in row] for row in rows])
        made = copy.deepcopy(self.made)
        _move(made, self.at, now, set())
        return made


def _insert(model: type[models.Model]) -> str:
    columns = [connection.ops.quote_name(str(field.column)) for field in model._meta.concrete_fields]
    return f"INSERT INTO {_quoted(model)} ({', '.join(columns)}) VALUES ({', '.join('%s' for _ in columns)})"


def _models() -> list[type[models.Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def _quoted(model: type[models.Model]) -> str:
    return connection.ops.quote_name(model._meta.db_table)


def _rows(model: type[models.Model]) -> Any:
    names = [field.attname for field in model._meta.concrete_fields]
    return model._base_manager.order_by("pk").values_list(*names)


def _parameters(model: type[models.Model], row: tuple[Any, ...], at: datetime) -> list[Any]:
    return [
        field.get_db_prep_save(value, connection) if (known := _known(value, at)) is value else known
        for field, value in zip(model._meta.concrete_fields, row, strict=True)
    ]


def _known(value: Any, at: datetime) -> Any:
    """What is told by the moment of making as such; else the value."""
    if isinstance(value, datetime):
        hangs_on_it = value == at or (at.microsecond and value.tzinfo and value.microsecond == at.microsecond)
        return _After(value - at) if hangs_on_it else value
    return _TODAY if isinstance(value, date) and value == _day(at) else value


def _day(moment: datetime) -> date:
    return moment.astimezone(people_zone()).date()


def _when(value: Any, now: datetime) -> Any:
    if isinstance(value, _After):
        return _MOMENT.get_db_prep_save(now + value.time, connection)
    return _DATE.get_db_prep_save(_day(now), connection) if value is _TODAY else value


def _move(thing: Any, at: datetime, now: datetime, seen: set[int]) -> None:
    """Of a dataclass, its models, and those that they hold."""
    seen.add(id(thing))
    for name, value in list(vars(thing).items()):
        known = _known(value, at)
        if isinstance(known, _After):
            setattr(thing, name, now + known.time)
        elif known is _TODAY:
            setattr(thing, name, _day(now))
        held = value.fields_cache.values() if isinstance(value, ModelState) else [value]
        for other in held:
            if (isinstance(other, models.Model) or is_dataclass(other)) and id(other) not in seen:
                _move(other, at, now, seen)
