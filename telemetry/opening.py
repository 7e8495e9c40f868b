"""When an outlet is open, as OpenStreetMap writes it: `Mo-Fr 07:00-22:00; Sa,Su 08:00-20:00`."""

import re
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import models

DAYS: Final = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
LONGEST: Final = 200
SENTENCE: Final = (
    "Write it as 07:00-22:00, as Mo-Fr 07:00-22:00; Sa,Su 08:00-20:00, or leave it empty where it is always open."
)
FARTHEST: Final = timedelta(days=28)
_MINUTES: Final = 24 * 60
_DAY: Final = timedelta(days=1)
_ALWAYS: Final = ("", "24/7")
_RULE: Final = re.compile(r"(?:(?P<days>[A-Z][a-z](?:[-,][A-Z][a-z])*)\s+)?(?P<hours>[0-9:,\s-]+|off)")
_SPAN: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")


class Stretch(NamedTuple):
    """In minutes since a day's midnight; one that ends after midnight goes on into the next day."""

    start: int
    end: int


class OpeningHours(NamedTuple):
    """By weekday, Monday first."""

    week: tuple[tuple[Stretch, ...], ...]

    def open_between(self, start: datetime, end: datetime, zone: ZoneInfo) -> timedelta:
        """For how long it is open from one instant until the other, by the zone's clock."""
        if start >= end:
            return timedelta(0)
        if self.week == _OPEN.week:
            return end - start
        return sum((until - since for since, until in self._stretches(start, end, zone)), timedelta(0))

    def reaches(self, start: datetime, span: timedelta, zone: ZoneInfo) -> datetime | None:
        """When it has been open for `span` since `start`; None: not within FARTHEST after it."""
        if self.week == _OPEN.week:
            return start + span
        left = span
        for since, until in self._stretches(start, start + span + FARTHEST, zone):
            if until - since >= left:
                return since + left
            left -= until - since
        return None

    def _stretches(self, start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
        day, last = start.astimezone(zone).date() - _DAY, end.astimezone(zone).date()
        while day <= last:
            for stretch in self.week[day.weekday()]:
                since, until = (_instant(day, minutes, zone) for minutes in stretch)
                if since < end and until > start:
                    yield max(since, start), min(until, end)
            day += _DAY


@lru_cache(maxsize=4096)
def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    days, rest = divmod(minutes, _MINUTES)
    return datetime.combine(day + days * _DAY, time(rest // 60, rest % 60), zone).astimezone(ZoneInfo("UTC"))


_OPEN: Final = OpeningHours(((Stretch(0, _MINUTES),),) * 7)


@lru_cache(maxsize=1024)
def read_opening_hours(text: str) -> OpeningHours:
    """Days that are not named are closed; without any days the hours are every day's. Raises ValueError."""
    if text.strip() in _ALWAYS:
        return _OPEN
    if len(text) > LONGEST:
        raise ValueError(SENTENCE)
    week: list[tuple[Stretch, ...]] = [()] * 7
    for rule in text.split(";"):
        found = _RULE.fullmatch(rule.strip())
        if found is None:
            raise ValueError(SENTENCE)
        hours = () if found["hours"] == "off" else tuple(map(_stretch, found["hours"].split(",")))
        for day in _days(found["days"]):
            week[day] = hours
    return OpeningHours(tuple(week))


def check_opening_hours(text: str) -> None:
    """Of a field. Raises ValidationError."""
    try:
        read_opening_hours(text)
    except ValueError as error:
        raise ValidationError(str(error), code="invalid") from None


def opening_hours_field() -> "models.CharField[str, str]":
    """Of a model."""
    help_text = "As Mo-Fr 07:00-22:00; Sa,Su 08:00-20:00, by the clock of the pages. Empty: always open."
    return models.CharField(
        max_length=LONGEST, blank=True, default="", db_default="", validators=[check_opening_hours], help_text=help_text
    )


def _stretch(text: str) -> Stretch:
    found = _SPAN.fullmatch(text.strip())
    if found is None:
        raise ValueError(SENTENCE)
    start, end = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if end > _MINUTES:
        raise ValueError(SENTENCE)
    return Stretch(start, end if end > start else end + _MINUTES)


def _days(text: str | None) -> Iterator[int]:
    if text is None:
        yield from range(7)
        return
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(SENTENCE)
        start, end = DAYS.index(first), DAYS.index(last or first)
        yield from (day % 7 for day in range(start, end + 1 if end >= start else end + 8))
