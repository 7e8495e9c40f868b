"""Replies about rows: one class describes them, for OpenAPI, and renders them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, NamedTuple

from django.db.models import Model, QuerySet
from rest_framework import serializers

from ozone.wire.times import iso

_TO_JSON: dict[type, Callable[[Any], Any]] = {
    serializers.DateTimeField: iso,
    serializers.DateField: lambda value: value.isoformat(),
    serializers.UUIDField: str,
}


class Made:
    """A member that is made of several columns: `make(now, *values)`."""

    def __init__(self, make: Callable[..., Any], *columns: str) -> None:
        self.make = make
        self.columns = columns


class RowReply(serializers.Serializer[Any]):
    """What an API shows of a row: each field the column that its `source` names, else the one of its own name.

    `a__b` leads to another table. The members in `made` are made of several columns; those that `given` names are not
    the row's at all: whoever renders it says them. No code of the framework runs for a row: a fleet has ten thousand.
    """

    made: ClassVar[dict[str, Made]] = {}
    given: ClassVar[Sequence[str]] = ()

    @classmethod
    def rows(cls, rows: "QuerySet[Any]", now: datetime) -> Iterator[dict[str, Any]]:
        """All of them, in one query."""
        shape = _shape(cls)
        for values in rows.values_list(*shape.columns):
            yield shape.shown(values, now)

    @classmethod
    def of(cls, row: Model, now: datetime | None = None, **given: Any) -> dict[str, Any]:
        """A row that was read before. `now` is for `made` members."""
        shape = _shape(cls)
        return {**shape.shown(shape.values(row), now), **given}


class _Shape(NamedTuple):
    """Of its members the `plain` ones are columns as they are, at `places`; `told` ones are turned into JSON by a
    function, and `made` ones made of several columns, which the second of the three picks. No column is read twice."""

    columns: list[str]
    values: Callable[[Any], Sequence[Any]]
    plain: list[str]
    places: Callable[[Sequence[Any]], Sequence[Any]]
    told: list[tuple[str, int, Callable[[Any], Any]]]
    made: list[tuple[str, Callable[[Sequence[Any]], Sequence[Any]], Callable[..., Any]]]

    def shown(self, values: Sequence[Any], now: datetime | None) -> dict[str, Any]:
        shown = dict(zip(self.plain, self.places(values), strict=True))
        for name, place, to_json in self.told:
            value = values[place]
            shown[name] = None if value is None else to_json(value)
        for name, picked, make in self.made:
            shown[name] = make(now, *picked(values))
        return shown


@cache
def _shape(reply: type[RowReply]) -> _Shape:
    fields = {name: field for name, field in reply().fields.items() if name not in reply.given}
    told: list[tuple[str, int, Callable[[Any], Any]]] = []
    sources = {name: field.source or name for name, field in fields.items() if name not in reply.made}
    made_of = [column for made in reply.made.values() for column in made.columns]
    columns = list(dict.fromkeys([*sources.values(), *made_of]))
    plain: dict[str, int] = {}
    for name, source in sources.items():
        place = columns.index(source)
        if to_json := _TO_JSON.get(type(fields[name])):
            told.append((name, place, to_json))
        else:
            plain[name] = place
    composed = [
        (name, _picking([columns.index(column) for column in made.columns]), made.make)
        for name, made in reply.made.items()
    ]
    values = attrgetter(*[column.replace("__", ".") for column in columns])
    return _Shape(columns, values, list(plain), _picking(list(plain.values())), told, composed)


def _picking(places: list[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """Those of a row's values. (An itemgetter of one place gives no sequence.)"""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: [values[place] for place in places]
