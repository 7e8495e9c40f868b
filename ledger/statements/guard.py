"""What a closed statement holds fast: the prices and shares that it used, and the events it counted."""

from collections.abc import Callable
from datetime import date

from ledger.prices.book import Book, Rates
from ledger.statements.figures import closed_months
from ledger.statements.models import Books, Statement
from ledger.statements.months import Month
from ozone.wire.errors import Conflict
from telemetry.models import Outlet

Timeline = list[tuple[date, Rates]]


def check_change(change: Callable[[Book], None], since: date, outlet: int | None, currency: str | None = None) -> None:
    """Holds the books until the transaction ends. `change` is a price in the currency, or without one a share, from the
    day `since` on, of that outlet, or of all. Raises Conflict where another amount would have held in a closed month.

    A price where there was none is none: a month with presses that had no price was never closed.
    """
    Books.lock()
    book = Book.read(currency, with_shares=True)
    outlets = Statement.objects.values_list("outlet_id", flat=True).distinct() if outlet is None else [outlet]
    closed = {
        number: (max(first.first, since), last.last)
        for number, (first, last) in closed_months(list(outlets), currency).items()
        if since <= last.last
    }
    before = {number: book.timeline(number, *days) for number, days in closed.items()}
    change(book)
    for number, days in closed.items():
        if day := _first_difference(before[number], book.timeline(number, *days)):
            name = Outlet.objects.get(pk=number)
            raise Conflict(
                f"{Month.of(day)} of {name} is closed: what held there on {day} cannot be changed.",
                code="statement_closed",
            )


def _first_difference(before: Timeline, after: Timeline) -> date | None:
    """`after` is cut at least where `before` is."""
    place = -1
    for day, rates in after:
        while place + 1 < len(before) and before[place + 1][0] <= day:
            place += 1
        held = before[place][1]
        is_kept = all(old is None or old == new for old, new in zip(held.prices, rates.prices, strict=True))
        if not is_kept or held.share != rates.share:
            return day
    return None


def refuse_flush() -> None:
    """Raises Conflict once a statement is closed: its presses are what it is proved by."""
    if Statement.objects.exists():
        raise Conflict("Statements are closed, and what they were made of is not deleted.", code="statements_closed")
