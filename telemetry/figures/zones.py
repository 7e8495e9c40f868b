"""Where the clocks of two time zones agree, so that what was counted by one may be read by the other.

From 1972 every zone's offset from UTC is a multiple of a quarter of an hour, and every change of it happens on a whole
minute, days after the one before. Pure.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

_DAY: Final = timedelta(days=1)
_HOUR: Final = timedelta(hours=1)
_QUARTER: Final = timedelta(minutes=15)
_MINUTE: Final = timedelta(minutes=1)
_NOTHING: Final = timedelta(0)


def same_clock(zone: ZoneInfo, other: ZoneInfo, start: datetime, end: datetime) -> bool:
    """Whether they show the same time at every instant from `start` until `end`."""
    return all(_offset(zone, at) == _offset(other, at) for at in _stretches(zone, other, start, end))


def same_hours(zone: ZoneInfo, kept: ZoneInfo, start: datetime, end: datetime) -> bool:
    """Whether each stretch of an hour of `kept`, between its changes, lies in one hour of `zone`, from `start` until
    `end`."""
    if any((_offset(zone, at) - _offset(kept, at)) % _HOUR for at in _stretches(zone, kept, start, end)):
        return False
    own = set(changes(kept, start, end))
    return all(at in own or not _since_hour(at, kept) for at in changes(zone, start, end))


def on_quarters(zone: ZoneInfo, start: datetime, end: datetime) -> bool:
    """Whether each quarter of an hour, of UTC, is in one hour of the zone."""
    return not any(_since_hour(at, UTC) % _QUARTER for at in changes(zone, start, end))


def changes(zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """The instants (UTC) after `start` and before `end` at which the zone's offset changes."""
    years = range(start.year, end.year + 1)
    return [at for year in years for at in _changes(zone.key, year) if start < at < end]


def _stretches(zone: ZoneInfo, other: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Where the stretches begin in which neither changes its offset."""
    return [start, *changes(zone, start, end), *changes(other, start, end)]


@lru_cache(maxsize=2048)
def _changes(key: str, year: int) -> tuple[datetime, ...]:
    zone, found = ZoneInfo(key), []
    day, end = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)
    while day < end:
        if _offset(zone, day) != _offset(zone, day + _DAY):
            found.append(_change(zone, day))
        day += _DAY
    return tuple(found)


def _change(zone: ZoneInfo, day: datetime) -> datetime:
    """The change within 24 hours."""
    before, low, high = _offset(zone, day), 0, 24 * 60
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _offset(zone, day + middle * _MINUTE) == before else (low, middle)
    return day + high * _MINUTE


def _offset(zone: ZoneInfo, at: datetime) -> timedelta:
    return at.astimezone(zone).utcoffset() or _NOTHING


def _since_hour(at: datetime, zone: tzinfo) -> timedelta:
    local = at.astimezone(zone)
    return timedelta(minutes=local.minute, seconds=local.second)
