"""Presses times prices. A price changes at local midnight, so what is counted by day, or finer, has one price."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from device_gateway.registry.queries import visible_devices
from ledger.prices.book import Book
from ozone.wire.times import people_zone
from telemetry.figures.counting import NOTHING_BEFORE, Conditions, rows
from telemetry.models import Outlet

_AHEAD: Final = timedelta(days=1)
"""A device's clock may be a little ahead of the server's."""


class Sold(NamedTuple):
    """What was sold somewhere. `revenue` in the smallest unit; `unpriced`: how many of the presses have no price."""

    presses: int = 0
    revenue: int = 0
    unpriced: int = 0

    def and_also(self, more: "Sold") -> "Sold":
        return Sold(self.presses + more.presses, self.revenue + more.revenue, self.unpriced + more.unpriced)


class DayAt(NamedTuple):
    """What was sold on a day at an outlet; 0: at none."""

    day: date
    outlet: int
    sold: Sold


def sold(book: Book, outlet: int, day: date, numbers: Sequence[int]) -> Sold:
    """Of so many basic, standard and premium."""
    revenue = unpriced = 0
    for number, price in zip(numbers, book.prices(outlet, day), strict=True):
        if price is None:
            unpriced += number
        else:
            revenue += number * price
    return Sold(sum(numbers), revenue, unpriced)


def total_of(found: Iterable[Sold]) -> Sold:
    total = Sold()
    for one in found:
        total = total.and_also(one)
    return total


def by_day_and_outlet(book: Book, start: datetime, end: datetime, conditions: Conditions) -> Iterator[DayAt]:
    """By day, from `start` and before `end`, both beginnings of local days; in one query."""
    for instant, outlet, *numbers in rows("days", start, end, conditions, by=("outlet_id",)):
        day = day_of(instant)
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
