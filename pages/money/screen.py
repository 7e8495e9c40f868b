"""Prices and shares as the page shows them: what holds today at each place, and every change, the latest first."""

from collections.abc import Iterator
from datetime import date, datetime
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

from django.urls import reverse

from ledger.prices.book import Book
from ledger.prices.models import Price, Share
from ledger.prices.money import grouped, percent_text
from telemetry.models import Outlet
from telemetry.treatments import COUNTERS, TREATMENTS

CHANGES: Final = 100


class PlaceRow(NamedTuple):
    """`prices`: each as text and whether it is the place's own. `outlet` is 0 for everywhere."""

    outlet: int
    name: str
    prices: tuple[tuple[str, bool], ...]
    share: str


class ChangeRow(NamedTuple):
    day: date
    is_ahead: bool
    place: str
    what: str
    value: str
    set_by: str
    set_at: datetime
    delete: str
    """The address."""


def place_rows(book: Book, today: date) -> Iterator[tuple[int, PlaceRow]]:
    """Everywhere first, then the outlets that have a price of their own or a share today."""
    yield 0, PlaceRow(0, "Everywhere", _prices(book, 0, today), "")
    outlets = Outlet.objects.filter(archived_at=None).order_by("name_order", "pk")
    for pk, name in outlets.values_list("pk", "name"):
        prices, share = _prices(book, pk, today), book.rates(pk, today).share
        if share or any(is_own for _, is_own in prices):
            yield pk, PlaceRow(pk, name, prices, f"{percent_text(share)} %" if share else "")


def _prices(book: Book, outlet: int, today: date) -> tuple[tuple[str, bool], ...]:
    found = []
    for treatment in TREATMENTS:
        amount = book.price(outlet, treatment, today)
        is_own = outlet == 0 or book.own_price(outlet, treatment, today) is not None
        found.append(("—" if amount is None else grouped(amount, book.currency), is_own))
    return tuple(found)


def change_rows(today: date) -> Iterator[tuple[str, ChangeRow]]:
    """The last CHANGES by the day from which they hold."""
    facts = ("valid_from", "pk", "outlet__name", "set_by__username", "set_at")
    latest = ("-valid_from", "-pk")
    prices = Price.objects.order_by(*latest).values_list(*facts, "treatment", "amount", "currency")[:CHANGES]
    shares = Share.objects.order_by(*latest).values_list(*facts, "hundredths")[:CHANGES]
    both = merge(
        ((*row[:5], "price", *price_words(*row[5:])) for row in prices),
        ((*row[:5], "share", *share_words(row[5])) for row in shares),
        key=itemgetter(0),
        reverse=True,
    )
    for day, pk, place, set_by, set_at, kind, what, value in islice(both, CHANGES):
        delete = reverse(f"{kind}-delete", args=[pk])
        shown = (day, day > today, place or "Everywhere", what, value, set_by or "", set_at, delete)
        yield f"{kind}-{pk}", ChangeRow._make(shown)


def price_words(treatment: str, amount: int | None, currency: str) -> tuple[str, str]:
    """What was set, and to what."""
    return treatment.capitalize(), "none of its own" if amount is None else f"{grouped(amount, currency)} {currency}"


def share_words(hundredths: int) -> tuple[str, str]:
    return "Share", f"{percent_text(hundredths)} %"


def holding(book: Book, outlet: int, today: date) -> dict[str, Any]:
    """What holds there today, by the name of the form's field: as a hint."""
    amounts = (book.price(outlet, treatment, today) for treatment in TREATMENTS)
    return {
        name: "" if amount is None else grouped(amount, book.currency)
        for name, amount in zip(COUNTERS, amounts, strict=True)
    }
