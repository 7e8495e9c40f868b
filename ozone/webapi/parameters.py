"""Query parameters: what they may be, and a 400 that names the one that is not."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.utils import timezone

from ozone.wire.errors import Invalid
from ozone.wire.times import AHEAD, parse_query

MAX_DAYS: Final = 36_500
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_PLACE: Final = re.compile(r"([0-9]{1,16})-([0-9]{1,18})").fullmatch
_FLAGS: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}

Query = Mapping[str, str]


refuse = Invalid.named


def whole(query: Query, name: str, default: Any, low: int, high: int) -> Any:
    """A whole number from `low` to `high`, or `default` where it is absent or empty."""
    text = query.get(name, "")
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) < 19 and low <= int(text) <= high:
        return int(text)
    raise refuse(name, f"A whole number from {low:,} to {high:,}.")


def flag(query: Query, name: str, default: bool | None = False) -> Any:
    """true or false; `default` where it is absent."""
    text = query.get(name)
    if text is None:
        return default
    if text.lower() not in _FLAGS:
        raise refuse(name, "true or false.")
    return _FLAGS[text.lower()]


def given(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """The conditions that were asked for: those that are not None."""
    return {name: value for name, value in conditions.items() if value is not None}


def choice(query: Query, name: str, choices: Sequence[str]) -> str | None:
    text = query.get(name)
    if not text:
        return None
    if text not in choices:
        raise refuse(name, f"One of {', '.join(choices)}.")
    return text


class PageCursor(NamedTuple):
    """How far a reader has come in a list: written out, it is a cursor."""

    moment: datetime = _EPOCH
    number: int = 0

    def __str__(self) -> str:
        return f"{(self.moment - _EPOCH) // _MICROSECOND}-{self.number}"


def page_cursor(query: Query, name: str) -> PageCursor | None:
    text = query.get(name)
    if not text:
        return None
    found = _PLACE(text)
    if found is None:
        raise refuse(name, "Not a cursor of ours.")
    return PageCursor(_EPOCH + int(found[1]) * _MICROSECOND, int(found[2]))


class Span(NamedTuple):
    """Which events: received since, or occurred from start to end (both inclusive)."""

    received_since: datetime | None
    start: datetime | None
    end: datetime | None

    @property
    def arrived_since(self) -> datetime | None:
        """The earliest arrival that any of them can have: it lets the index of arrivals help."""
        if self.received_since is not None or self.start is None:
            return self.received_since
        # No event is dated later than AHEAD after its arrival: what occurs from `start` on arrives after this.
        return max(self.start, _EPOCH) - AHEAD


def span(query: Query, default_days: int) -> Span:
    """`days` counts by arrival; `start` and `end` go by occurrence and switch the default of `days` off."""
    start, end = parse_query("start", query.get("start")), parse_query("end", query.get("end"), is_end=True)
    if start is not None and end is not None and end < start:
        raise refuse("end", "Not before start.")
    default = None if start or end else default_days
    days = whole(query, "days", default, 1, MAX_DAYS)
    since = None if days is None else timezone.now() - timedelta(days=days)
    return Span(since, start, end)
