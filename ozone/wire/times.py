"""Times on the wire: ours go out as ISO 8601 UTC with `Z`, theirs come in as the firmware happens to write them."""

import math
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from ozone.wire.conf import options
from ozone.wire.errors import Invalid

AHEAD: Final = timedelta(minutes=10)
"""How far a device's clock may be ahead of the server before it is not believed."""

_NUMBER: Final = re.compile(r"[0-9]{1,17}(\.[0-9]+)?")
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST: Final = 64
"""Characters of the longest time there is, and some."""
_MILLISECONDS: Final = 1e11
_MICROSECONDS: Final = 1e14
"""From these on a number counts milliseconds, microseconds: as seconds they would be the years 5138 and 3,170,843."""
_LONG_FRACTION: Final = re.compile(r"(\.\d{6})\d+")  # Java writes nanoseconds
_LOST_PLUS: Final = re.compile(r"(:\d{2}(?:\.\d+)?) (\d{2}:?\d{2})$")


def iso(moment: datetime) -> str:
    """`2025-09-16T12:34:56Z`, or with microseconds where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def iso_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def _read_iso(text: str) -> datetime:
    """Aware where it has an offset. Raises ValueError. The + of an offset may have become a blank, as it does in a
    form or a query that was not percent-encoded."""
    text = text.strip()
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", _LOST_PLUS.sub(r"\1+\2", text)))


def parse_iso(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 date and time as an aware UTC datetime; without an offset it is the zone's. None: unreadable."""
    try:
        moment = _read_iso(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_query(name: str, text: str | None, zone: tzinfo | None = None, *, is_end: bool = False) -> datetime | None:
    """A time from a query string; without an offset it is the zone's, without a zone UTC.

    A bare date is a day of the zone, without one of people_zone(): its first instant, or with `is_end` its last.
    Raises Invalid naming the parameter.
    """
    if not text:
        return None
    day = _bare_date(text)
    if day is None:
        moment = parse_iso(text, zone or UTC)
    else:
        moment = _midnight(day, zone or people_zone(), days=is_end)
        moment = moment - _MICROSECOND if moment and is_end else moment
    if moment is None:
        raise Invalid(f"{name} is not an ISO 8601 time.", errors={name: ["Not an ISO 8601 time."]})
    return moment


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def people_zone() -> ZoneInfo:
    """STATS_TIME_ZONE: by its clock people read times, and its days are their days."""
    return _zone(options().STATS_TIME_ZONE)


def _bare_date(text: str) -> date | None:
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        return None


def _midnight(day: date, zone: tzinfo, days: int) -> datetime | None:
    """When the day begins, or the one `days` after it; None beyond the calendar."""
    try:
        return datetime.combine(day + timedelta(days=days), time(), zone).astimezone(UTC)
    except OverflowError:
        return None


@lru_cache(maxsize=8)
def _epoch(text: str) -> datetime:
    moment = parse_iso(text)
    if moment is None:
        raise ValueError(f"DEVICE_EPOCH is not an ISO 8601 time: {text!r}")
    return moment


def read_time(words: Any, zone: tzinfo) -> tuple[datetime, ...]:
    """What a sender may mean by `words`: ISO 8601, with `T` or a blank between, the zone's where it has no offset; or
    the seconds, milliseconds or microseconds since 1970.

    Returns aware UTC: one time; two, the earlier first, of a local time that daylight saving repeats; none where the
    words cannot be read.
    """
    try:
        if isinstance(words, str):
            text = words.strip()
            if len(text) > _LONGEST:
                return ()
            if _NUMBER.fullmatch(text):
                return (_since_1970(float(text)),)
            moment = _read_iso(text)
            return (moment.astimezone(UTC),) if moment.tzinfo else _local(moment, zone)
        if isinstance(words, (int, float)) and not isinstance(words, bool) and math.isfinite(words):
            return (_since_1970(words),)
    except (ValueError, OverflowError, OSError):
        pass
    return ()


def read_device_time(words: Any) -> tuple[datetime, ...]:
    """As read_time, in DEVICE_TIME_ZONE."""
    return read_time(words, _zone(options().DEVICE_TIME_ZONE))


def _meanings(words: Any, zone: tzinfo | None) -> tuple[datetime, ...]:
    return read_device_time(words) if zone is None else read_time(words, zone)


def _since_1970(number: float) -> datetime:
    unit = 1 if number < _MILLISECONDS else 1e3 if number < _MICROSECONDS else 1e6
    return datetime.fromtimestamp(number / unit, UTC)


def _local(moment: datetime, zone: tzinfo) -> tuple[datetime, ...]:
    first = moment.replace(tzinfo=zone).astimezone(UTC)
    second = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
    # Where daylight saving skips a time, fold=1 gives the earlier instant: that is no second meaning.
    return (first, second) if second > first else (first,)


class Told(NamedTuple):
    """When it happened, by the device's words. `again`: the later meaning of a local time that daylight saving repeats,
    where only the device's previous event can tell which is meant."""

    moment: datetime | None
    again: datetime | None = None


NOT_TOLD: Final = Told(None)


def believed(words: Any, received_at: datetime, zone: tzinfo | None = None) -> Told:
    """What a device means by `words`, if that is possible: readable, not before DEVICE_EPOCH, and not more than ten
    minutes ahead of the server; else NOT_TOLD. Of two meanings the one within ten minutes of the arrival is taken.
    Without an offset they are local: of `zone`, or of DEVICE_TIME_ZONE."""
    if words is None:
        return NOT_TOLD
    epoch = _epoch(options().DEVICE_EPOCH)
    possible = [moment for moment in _meanings(words, zone) if epoch <= moment <= received_at + AHEAD]
    if len(possible) < 2:
        return Told(possible[0]) if possible else NOT_TOLD
    for moment in possible:
        if abs(received_at - moment) <= AHEAD:
            return Told(moment)
    return Told(*possible)
