"""The buckets of the statistics: minutes, hours, days or months of a zone's wall clock. Pure: no database, no settings.

A bucket is the wall time at which it begins, without its zone. So an hour that daylight saving repeats is one bucket,
and what the clock skips is none.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from telemetry.figures.zones import changes

GRANULARITIES: Final = ("minute", "hour", "day", "month")
MAX_BUCKETS: Final = 50_000
_STEPS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}
_LABELS: Final = {"minute": (16, ""), "hour": (13, ":00"), "day": (10, ""), "month": (7, "")}
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True)
class Buckets:
    """Some buckets of a zone, in order and with no gaps. `starts` are wall times."""

    granularity: str
    zone: ZoneInfo
    starts: tuple[datetime, ...]

    @classmethod
    def between(cls, granularity: str, zone: ZoneInfo, first: datetime, last: datetime) -> "Buckets":
        """Those from the one that the wall time `first` is in to the one of `last`; at most MAX_BUCKETS + 1."""
        end = _floor(last, granularity)
        found = takewhile(lambda start: start <= end, _existing(granularity, zone, _floor(first, granularity), 1))
        return cls(granularity, zone, tuple(islice(found, MAX_BUCKETS + 1)))

    def before(self) -> "Buckets":
        """As many just before these."""
        found = _existing(self.granularity, self.zone, _step(self.starts[0], self.granularity, -1), -1)
        return Buckets(self.granularity, self.zone, tuple(islice(found, len(self.starts)))[::-1])

    def whole_days(self) -> timedelta:
        """The fewest days that are not shorter than all of these together."""
        return -((self.starts[0] - _step(self.starts[-1], self.granularity, 1)) // _DAY) * _DAY

    def earlier(self, days: timedelta) -> "Buckets":
        """Those of so many days before, by the wall clock. Where it skips some of either, they are more or fewer."""
        last_before = next(_existing(self.granularity, self.zone, _step(self.starts[0], self.granularity, -1), -1))
        first = self.end_of(last_before)  # not later than the first of these, which may come after skipped ones
        return Buckets.between(self.granularity, self.zone, first - days, self.starts[-1] - days)

    def __add__(self, later: "Buckets") -> "Buckets":
        return Buckets(self.granularity, self.zone, self.starts + later.starts)

    def labels(self) -> list[str]:
        length, tail = _LABELS[self.granularity]
        return [start.isoformat(" ")[:length] + tail for start in self.starts]

    def start_of(self, instant: datetime) -> datetime:
        """The bucket that an instant is in, whether or not it is one of these."""
        return _floor(wall_time(instant, self.zone), self.granularity)

    def end_of(self, start: datetime) -> datetime:
        """The wall time at which the bucket ends that begins at `start`."""
        return _step(start, self.granularity, 1)

    def bounds(self) -> tuple[datetime, datetime]:
        """Two instants (UTC): from the first, until before the second, are all of these, and where the clock changes at
        either end a little more."""
        return min(_instants(self.starts[0], self.zone)), max(_instants(self.end_of(self.starts[-1]), self.zone))


def wall_time(instant: datetime, zone: ZoneInfo) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)


def first_after(local: datetime, zone: ZoneInfo, *, again: bool = False) -> datetime:
    """The first instant (UTC) at which the wall clock shows more than this; where it skips it, that of the change.
    `again`: after it was shown for the second time, where it is twice."""
    first, second = _instants(local, zone)
    if first > second:
        return changes(zone, second, first + _MICROSECOND)[0]
    return (second if again else first) + _MICROSECOND


def _instants(local: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """When the wall clock shows this: twice where it goes back; after the change and before it where it skips it."""
    first, second = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return first, second


def _existing(granularity: str, zone: ZoneInfo, start: datetime, by: int) -> Iterator[datetime]:
    """Buckets without end, forwards or backwards."""
    day, is_calm = None, False
    while True:
        if granularity in ("minute", "hour") and start.date() != day:
            day = start.date()
            is_calm = _is_calm(day, zone)
        last = _step(start, granularity, 1) - _MICROSECOND
        if is_calm or not (_is_skipped(start, zone) and _is_skipped(last, zone)):
            yield start
        start = _step(start, granularity, by)


def _is_calm(day: date, zone: ZoneInfo) -> bool:
    """Whether the clock does not change near that day: from 1972 on, each change is days after the one before."""
    noons = [datetime(day.year, day.month, day.day, 12, tzinfo=zone) + days * _DAY for days in (-2, -1, 0, 1, 2)]
    return day.year > 1972 and len({noon.utcoffset() for noon in noons}) == 1


def _is_skipped(local: datetime, zone: ZoneInfo) -> bool:
    """Whether the wall clock never shows this: the offset is then told as before the change, and as after it."""
    before, after = (local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return before < after  # type: ignore[operator]


def _floor(local: datetime, granularity: str) -> datetime:
    if granularity == "minute":
        return local.replace(second=0, microsecond=0)
    if granularity == "hour":
        return local.replace(minute=0, second=0, microsecond=0)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return day if granularity == "day" else day.replace(day=1)


def _step(start: datetime, granularity: str, by: int) -> datetime:
    if granularity != "month":
        return start + by * _STEPS[granularity]
    year, month = divmod(start.year * 12 + start.month - 1 + by, 12)
    return start.replace(year=year, month=month + 1)
