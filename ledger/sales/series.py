"""Revenue over time: the series of statistics, in money."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from ledger.prices import money
from ledger.prices.book import Book
from ledger.sales.earning import day_of
from telemetry.figures.buckets import Buckets
from telemetry.figures.counting import placed
from telemetry.figures.statistics import Counted, Filters, count
from telemetry.treatments import COUNTERS

Amounts = dict[str, list[int]]
"""By basic, standard, premium and total an amount a bucket, in the smallest unit."""


@dataclass(frozen=True)
class Earned:
    amounts: Amounts
    unpriced: int
    """How many presses have no price."""

    @property
    def total(self) -> int:
        return sum(self.amounts["total"])


def revenue(actor: Any, filters: Filters, now: datetime) -> dict[str, Any]:
    """`{"labels", "currency", "series", "prev_series", "kpi"}`: series `basic, standard, premium, total` of as many
    decimal texts as there are labels; `kpi {total, prev_total, delta_pct, unpriced}`.

    Raises as the statistics.
    """
    found, book = count(actor, filters, now), Book.read()
    earned, before = earned_in(found, book)

    def told(amounts: Amounts) -> dict[str, list[str]]:
        return {name: [money.text(one, book.currency) for one in column] for name, column in amounts.items()}

    return {
        "labels": found.buckets.labels(),
        "currency": book.currency,
        "series": told(shown(earned.amounts, filters)),
        "prev_series": told(shown(before.amounts, filters)) if filters.compare else None,
        "kpi": {
            "total": money.text(earned.total, book.currency),
            "prev_total": money.text(before.total, book.currency),
            "delta_pct": _change(earned.total, before.total),
            "unpriced": earned.unpriced,
        },
    }


def shown(amounts: Amounts, filters: Filters) -> Amounts:
    return {name: list(accumulate(column)) for name, column in amounts.items()} if filters.cumulative else amounts


def earned_in(found: Counted, book: Book) -> tuple[Earned, Earned]:
    """What was earned in the buckets that were counted, and in those they are compared with."""
    now, before = (
        _earned(buckets, found, book, end)
        for buckets, end in zip((found.buckets, found.before), found.ends, strict=True)
    )
    return now, before


def _earned(buckets: Buckets, found: Counted, book: Book, end: datetime | None) -> Earned:
    by = () if book.is_one_everywhere else ("outlet_id",)
    columns = [[0] * len(buckets.starts) for _ in COUNTERS]
    unpriced = 0
    for place, (instant, *row) in placed(buckets, found.source, found.conditions, end, by=by):
        prices = book.prices(row[0] if by else 0, day_of(instant))
        for column, number, price in zip(columns, row[len(by) :], prices, strict=True):
            if price is None:
                unpriced += number
            else:
                column[place] += number * price
    totals = [sum(amounts) for amounts in zip(*columns, strict=True)]
    named: Mapping[str, list[int]] = dict(zip((*COUNTERS, "total"), (*columns, totals), strict=True))
    return Earned(dict(named), unpriced)


def _change(total: int, before: int) -> float | None:
    """Per cent, with two places."""
    return round(100 * (total - before) / before, 2) if before else None
