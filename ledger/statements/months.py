"""Months of STATS_TIME_ZONE."""

import re
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from ozone.wire.times import people_zone
from telemetry.figures.rollups import starts

_TEXT: Final = re.compile(r"(20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])")


class Month(NamedTuple):
    year: int
    number: int

    @classmethod
    def of(cls, day: date) -> "Month":
        return cls(day.year, day.month)

    @classmethod
    def at(cls, instant: datetime) -> "Month":
        return cls.of(instant.astimezone(people_zone()).date())

    @classmethod
    def read(cls, text: str) -> "Month | None":
        """`2026-09`; None where it is no month of the years 2000 to 2199."""
        found = _TEXT.fullmatch(text)
        return cls(int(found[1]), int(found[2])) if found else None

    def __str__(self) -> str:
        return f"{self.year}-{self.number:02}"

    @property
    def first(self) -> date:
        return date(self.year, self.number, 1)

    @property
    def last(self) -> date:
        return self.next.first - timedelta(days=1)

    @property
    def next(self) -> "Month":
        return self.plus(1)

    def plus(self, months: int) -> "Month":
        year, month = divmod(self.year * 12 + self.number - 1 + months, 12)
        return Month(year, month + 1)

    def is_over(self, now: datetime) -> bool:
        return day_start(self.next.first) <= now


def day_start(day: date) -> datetime:
    """The instant (UTC) at which the local day begins."""
    return starts(datetime.combine(day, time(12), people_zone()))[1]
