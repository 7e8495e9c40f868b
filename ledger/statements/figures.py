"""What there is to tell of outlets' months: what was sold, and how that differs from what was told before."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

from django.db.models import Max, Min, QuerySet, Sum

from ledger.prices.book import DAY, Book, Span
from ledger.prices.money import share_of
from ledger.statements.models import Statement, StatementLine
from ledger.statements.months import Month, day_start
from ledger.statements.settled import settled_in, unexplained_in
from telemetry.models import DailyCount, MachineDevice
from telemetry.treatments import COUNTERS, TREATMENTS

FEW: Final = 50
"""Outlets whose rows are found by their devices; for more a span of days is read as a whole."""


class Key(NamedTuple):
    """By which what is sold and what was told are held against each other: prices of closed months never change."""

    month: Month
    treatment: str
    price: int | None
    share_rate: int
    """In hundredths of a percent."""


@dataclass
class Line:
    """One treatment at one price and share; of a month, on the days of `spans`. Money in the smallest unit. A
    correction's numbers are what is more or less than was told."""

    key: Key
    spans: list[Span] = field(default_factory=list)
    presses: int = 0
    settled: int = 0
    """How many of these, or how many fewer, come of what people have said of the ledger's lines."""
    revenue: int = 0
    share: int = 0


class Told(NamedTuple):
    presses: int = 0
    revenue: int = 0
    share: int = 0


@dataclass
class Draft:
    """What a statement of the outlet and month says as things stand."""

    outlet: int
    month: Month
    currency: str
    lines: list[Line] = field(default_factory=list)
    corrections: list[Line] = field(default_factory=list)
    unexplained: dict[str, int] = field(default_factory=dict)
    """Presses by kind of line."""

    @property
    def own(self) -> Told:
        return _total(self.lines)

    @property
    def corrected(self) -> Told:
        return _total(self.corrections)

    @property
    def total(self) -> Told:
        return _total([*self.lines, *self.corrections])

    @property
    def unpriced(self) -> int:
        """Presses that have no price."""
        return sum(line.presses for line in (*self.lines, *self.corrections) if line.key.price is None)


def _total(lines: Iterable[Line]) -> Told:
    kept = list(lines)
    return Told(sum(one.presses for one in kept), sum(one.revenue for one in kept), sum(one.share for one in kept))


def drafts(book: Book, outlets: Collection[int], month: Month) -> dict[int, Draft]:
    """By outlet. Corrections stand in the one that is to be closed next."""
    found = {outlet: Draft(outlet, month, book.currency) for outlet in outlets}
    for outlet, lines in sold_in(book, outlets, month).items():
        found[outlet].lines = lines
    for outlet, kinds in unexplained_in(outlets, month).items():
        found[outlet].unexplained = kinds
    correcting = [outlet for outlet, (_, last) in closed_months(outlets).items() if last.next == month]
    statements = Statement.objects.filter(outlet__in=correcting, currency=book.currency)
    told = _told(statements)
    months: dict[Month, set[int]] = {}
    for outlet, first in statements.values_list("outlet_id", "month"):
        months.setdefault(Month.of(first), set()).add(outlet)
    for earlier, corrected in sorted(months.items()):
        for outlet, lines in sold_in(book, corrected, earlier).items():
            found[outlet].corrections += _differences(lines, told, outlet)
    return found


def sellers(month: Month) -> set[int]:
    """The outlets at which anything was sold."""
    rows = DailyCount.objects.filter(starts_at__gte=day_start(month.first), starts_at__lt=day_start(month.next.first))
    return set(rows.order_by().values_list("outlet_id", flat=True).distinct()) - {0}


def closed_months(outlets: Collection[int], currency: str | None = None) -> dict[int, tuple[Month, Month]]:
    """The first and the last month that is closed, of those outlets that have any: there is no gap between. With
    `currency` of those that are in it."""
    rows = Statement.objects.filter(outlet__in=outlets).order_by().values("outlet")
    if currency is not None:
        rows = rows.filter(currency=currency)
    return {
        outlet: (Month.of(first), Month.of(last))
        for outlet, first, last in rows.values_list("outlet", Min("month"), Max("month"))
    }


def sold_in(book: Book, outlets: Collection[int], month: Month) -> dict[int, list[Line]]:
    """Of each outlet a line for each treatment, or more where price or share change within the month."""
    found: dict[int, dict[Key, Line]] = {outlet: {} for outlet in outlets}
    settled = settled_in(outlets, month)
    settled_days = {day for _, _, day in settled}
    for span in book.spans(month.first, month.last):
        days = [day for day in settled_days if span.first <= day <= span.last]
        counts = _counts(outlets, span.first, span.last)
        for outlet, lines in found.items():
            rates = book.rates(outlet, span.first)
            for place, price in enumerate(rates.prices):
                key = Key(month, TREATMENTS[place], price, rates.share)
                line = lines.setdefault(key, Line(key))
                more = sum(settled.get((outlet, key.treatment, day), 0) for day in days)
                line.presses += more + (counts[outlet][place] if outlet in counts else 0)
                line.settled += more
                if line.spans and line.spans[-1].last + DAY == span.first:
                    line.spans[-1] = Span(line.spans[-1].first, span.last)
                else:
                    line.spans.append(span)
    return {outlet: _worked_out(lines.values()) for outlet, lines in found.items()}


def _worked_out(lines: Iterable[Line]) -> list[Line]:
    """By treatment, then by day. What was never sold and has no price is left out."""
    kept = [line for line in lines if line.presses or line.key.price is not None]
    for line in kept:
        line.revenue = line.presses * (line.key.price or 0)
        line.share = share_of(line.revenue, line.key.share_rate)
    return sorted(kept, key=lambda line: (TREATMENTS.index(line.key.treatment), line.spans[0]))


def _counts(outlets: Collection[int], first: date, last: date) -> dict[int, tuple[int, ...]]:
    rows = DailyCount.objects.filter(starts_at__gte=day_start(first), starts_at__lt=day_start(last + DAY))
    if len(outlets) <= FEW:
        # Only devices that were bound there have counts there, and by their numbers an index finds the few.
        bound = MachineDevice.objects.filter(outlet__in=outlets).values("device")
        rows = rows.filter(outlet_id__in=list(outlets), device_id__in=bound)
    sums = [Sum(name) for name in COUNTERS]
    return {row[0]: row[1:] for row in rows.order_by().values("outlet_id").values_list("outlet_id", *sums)}


def _told(statements: "QuerySet[Statement]") -> dict[tuple[int, Key], Told]:
    """By outlet, what they have told together."""
    rows = StatementLine.objects.filter(statement__in=statements.order_by()).order_by()
    columns = ("statement__outlet", "month", *Key._fields[1:])
    sums = [Sum(name) for name in Told._fields]
    return {
        (row[0], Key(Month.of(row[1]), *row[2:5])): Told._make(row[5:])
        for row in rows.values(*columns).values_list(*columns, *sums)
    }


def _differences(lines: Iterable[Line], told: dict[tuple[int, Key], Told], outlet: int) -> Iterator[Line]:
    """What is now more or less than was told."""
    for line in lines:
        before = told.get((outlet, line.key), Told())
        change = Told(line.presses - before.presses, line.revenue - before.revenue, line.share - before.share)
        if change != Told():
            line.presses, line.revenue, line.share = change
            yield line
