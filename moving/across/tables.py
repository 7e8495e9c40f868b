"""The tables of all models, and what a value of each column is on either side."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any, Final

from django.apps import apps
from django.db import connection, models

Read = Callable[[Any], Any]
Row = Sequence[Any]


def moved_tables() -> list["Table"]:
    """Of every model that is installed, with those that Django makes for relations."""
    found = {
        model._meta.db_table: Table(model)
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy
    }
    return [found[name] for name in sorted(found)]


@dataclass(frozen=True)
class Table:
    model: type[models.Model]

    @property
    def name(self) -> str:
        return self.model._meta.db_table

    @cached_property
    def key(self) -> str:
        """The column of the primary key."""
        return str(self.model._meta.pk.column)

    @cached_property
    def columns(self) -> dict[str, str]:
        """Column -> its type on PostgreSQL, without a length."""
        fields = [field for field in self.model._meta.local_concrete_fields if not field.generated]
        return {str(field.column): (field.db_type(connection) or "").partition("(")[0] for field in fields}

    @cached_property
    def place(self) -> int:
        """Of the key among the columns."""
        return list(self.columns).index(self.key)

    @property
    def kind(self) -> str:
        """Of the key."""
        return self.columns[self.key]

    @property
    def selected(self) -> str:
        """The columns, as PostgreSQL is to give them."""
        return ", ".join(f'"{name}"::text' if kind == "jsonb" else f'"{name}"' for name, kind in self.columns.items())

    @property
    def order(self) -> str:
        """The key as SQLite sorts it, which compares bytes."""
        return f'"{self.key}" COLLATE "C"' if self.kind in ("varchar", "text") else f'"{self.key}"'

    @cached_property
    def _readers(self) -> list[Read]:
        return [_READ.get(kind, _as_it_is) for kind in self.columns.values()]

    @cached_property
    def _writers(self) -> list[Read]:
        return [_WRITE.get(kind, str) for kind in self.columns.values()]

    def digest(self, rows: Iterable[Row]) -> bytes:
        """The same for the same rows of either database."""
        hashed = hashlib.sha256()
        for row in rows:
            values = [None if value is None else read(value) for read, value in zip(self._readers, row, strict=True)]
            hashed.update(repr(values).encode("utf-8", "surrogatepass"))
        return hashed.digest()

    def written(self, row: Row) -> list[str | None]:
        """A row of SQLite as COPY takes it."""
        return [None if value is None else write(value) for write, value in zip(self._writers, row, strict=True)]


def _as_it_is(value: Any) -> Any:
    return value


def _moment(value: Any) -> str:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return str((at.astimezone(UTC) if at.tzinfo else at).replace(tzinfo=None))


def _number(value: Any) -> str:
    return format(Decimal(str(value)).normalize(), "f")


def _microseconds(value: Any) -> int:
    return value // timedelta(microseconds=1) if isinstance(value, timedelta) else int(value)


def _json(text: str) -> str:
    return json.dumps(_plain(json.loads(text)), sort_keys=True)


def _plain(value: Any) -> Any:
    """jsonb writes numbers in its own way: 1e2 as 100."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


_READ: Final[dict[str, Read]] = {
    "boolean": bool,
    "bytea": bytes,
    "date": str,
    "double precision": float,
    "interval": _microseconds,
    "jsonb": _json,
    "numeric": _number,
    "time": str,
    "timestamp with time zone": _moment,
    "uuid": lambda value: str(value).replace("-", ""),
}
"""By type: what a value of either database means. All others are numbers and texts."""
_WRITE: Final[dict[str, Read]] = {
    "bytea": lambda value: rf"\x{value.hex()}",
    "double precision": repr,
    "interval": lambda value: f"{value} microseconds",
}
