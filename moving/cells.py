"""Cells of an earlier system's tables, in whatever spelling its database gives them back."""

import json
import math
from datetime import UTC, date, datetime
from typing import Any

from moving.sources import Row
from ozone.wire import jsonio
from ozone.wire.errors import MalformedJson
from ozone.wire.times import parse_iso


def first(row: Row, *names: str) -> Any:
    """The first of these columns that the row has with something in it."""
    return next((row[name] for name in names if row.get(name) not in (None, "")), None)


def text(value: Any, longest: int = 200) -> str:
    """Trimmed to what fits; U+0000, which PostgreSQL cannot hold, is replaced."""
    return "" if value is None else str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").strip()[:longest]


def whole(value: Any) -> int | None:
    """A number from 0 to 2**31 - 1, else None."""
    if value is None:
        return None
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**31 else None


def number(value: Any) -> float | None:
    """A finite number, else None: JSON has no other."""
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def flag(value: Any, default: bool | None = None) -> Any:
    return default if value is None else str(value).lower() in ("1", "true", "t", "yes")


def moment(value: Any) -> datetime | None:
    """A stored time: Django keeps UTC, SQLite without saying so."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    return parse_iso(value) if isinstance(value, str) else None


def day(value: Any) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    found = moment(value)
    return found.date() if found else None


def json_object(value: Any) -> dict[str, Any] | None:
    """A JSON cell as an object; what is no object stands in one as `value`; None: unreadable, or not to be stored."""
    if value in (None, "", "{}"):
        return {}
    try:
        found = jsonio.decode((value if isinstance(value, str) else json.dumps(value)).encode())
    except (MalformedJson, TypeError, ValueError):
        return None
    return found if isinstance(found, dict) else {"value": found}
