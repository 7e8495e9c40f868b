"""Presses times prices. A price changes at local midnight, so what is counted by day, or finer, has one price."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db.models import Max, Sum

from device_gateway.registry.queries import visible_devices
from ledger.prices.book import Book
from ozone.intake.sql import plain_rows, read_moment
from ozone.wire.times import people_zone
from telemetry.figures.counting import NOTHING_BEFORE, Conditions
from telemetry.models import DailyCount, Outlet
from telemetry.treatments import COUNTERS

_KEYS: Final = ("starts_at", "outlet_id")
_AHEAD: Final = timedelta(days=1)
"""A device's clock may be a little ahead of the server's."""


class Sold(NamedTuple):
    """What was sold somewhere. `revenue` in the smallest unit; `unpriced`: how many of the presses have no price."""

    presses: int = 0
    revenue: int = 0
    unpriced: int = 0


class DayAt(NamedTuple):
    """What was sold on a day at an outlet; 0: at none."""

    day: date
    outlet: int
    sold: Sold


def sold(book: Book, outlet: int, day: date, numbers: Sequence[int]) -> Sold:
    """Of so many basic, standard and premium."""
    prices = book.prices(outlet, day)
    (basic, standard, premium), (first, second, third) = numbers, prices
    if first is not None and second is not None and third is not None:  # most are: a loop takes four times as long
        return Sold(basic + standard + premium, basic * first + standard * second + premium * third)
    revenue = unpriced = 0
    for number, price in zip(numbers, prices, strict=True):
        if price is None:
            unpriced += number
        else:
            revenue += number * price
    return Sold(sum(numbers), revenue, unpriced)


def by_day_and_outlet(book: Book, start: datetime, end: datetime, conditions: Conditions) -> Iterator[DayAt]:
    """In no order, from `start` and before `end`, both beginnings of local days; in one query."""
    counts = DailyCount.objects.filter(starts_at__gte=start, starts_at__lt=end, **conditions).order_by()
    sums = [Sum(name) for name in COUNTERS]
    days: dict[Any, date] = {}
    # As an aggregate the day stays the text that SQLite has: there are thousands of rows, and few days.
    rows = counts.values(*_KEYS).values_list(Max("starts_at"), "outlet_id", *sums)
    for at, outlet, *numbers in plain_rows(rows):
        day = days.get(at) or days.setdefault(at, _day_of(read_moment(at), people_zone()))
        yield DayAt(day, outlet, sold(book, outlet, day, numbers))


def by_day_at(book: Book, actor: Any, outlet: Outlet, now: datetime) -> dict[date, Sold]:
    """What the actor's devices have ever sold there. By the devices that were bound there an index finds the rows."""
    bound = visible_devices(actor, archived=True).filter(bindings__outlet=outlet).values("pk")
    conditions = {"outlet_id": outlet.pk, "device_id__in": bound}
    found = by_day_and_outlet(book, NOTHING_BEFORE, now + _AHEAD, conditions)
    return {one.day: one.sold for one in found}


@lru_cache(maxsize=4096)
def _day_of(instant: datetime, zone: Any) -> date:
    return instant.astimezone(zone).date()


def day_of(instant: datetime) -> date:
    """The local day of STATS_TIME_ZONE."""
    return _day_of(instant, people_zone())
