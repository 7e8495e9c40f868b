"""Outlets: all of them, and one of them."""

from datetime import datetime
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from ledger.prices.book import Book
from ledger.prices.money import grouped
from ledger.sales.earning import by_day_at, day_of
from pages.kit.frame import signed_in_page
from pages.kit.listing import Listing
from pages.kit.live import Screen, live_page, part, rows, screen
from pages.machines import screen as machines
from pages.machines.uptime import uptime_of
from pages.outlets.forms import OutletFilters
from pages.outlets.screen import SORTS, ordered, outlet_rows
from telemetry.figures.statistics import Filters, statistics
from telemetry.figures.totals import Totals, totals
from telemetry.finding import matching_outlets
from telemetry.models import Machine, Outlet
from telemetry.visible import find, visible_machines, visible_outlets

FOLLOWS: Final = ("people", "presence", "events", "commands", "minute")
MACHINE_SORTS: Final = {word: sort for word, sort in machines.SORTS.items() if word != "outlet"}
WEEK: Final = 7


@signed_in_page
@require_safe
def outlets(request: HttpRequest) -> HttpResponse:
    listing: Listing[Outlet] = Listing(request.GET, SORTS, OutletFilters)
    return live_page(
        request,
        "pages/outlets/list.html",
        FOLLOWS,
        lambda: _all(request.user, listing, timezone.now()),
        listing=listing,
        filters=SimpleLazyObject(lambda: OutletFilters(listing.chosen, listing.words)),
    )


def _all(actor: Any, listing: Listing[Outlet], now: datetime) -> Screen:
    found = matching_outlets(actor, listing.words)
    if active := listing.chosen.get("active"):
        found = found.filter(is_active=active == "yes")
    found = listing.cut(ordered(actor, found, listing.sort.removeprefix("-"), now))
    book = Book.read()
    return screen(
        lists={"outlets": rows("pages/outlets/list_row.html", outlet_rows(actor, found, book, now))},
        parts=[part("pager", "pages/kit/pager.html", {"listing": listing})],
        has_prices=book.has_prices,
    )


@signed_in_page
@require_safe
def outlet(request: HttpRequest, number: str) -> HttpResponse:
    listing: Listing[Machine] = Listing(request.GET, MACHINE_SORTS)
    return live_page(
        request,
        "pages/outlets/outlet.html",
        FOLLOWS,
        lambda: _one(request.user, int(number), listing, timezone.now()),
        listing=listing,
    )


def _one(actor: Any, number: int, listing: Listing[Machine], now: datetime) -> Screen:
    place = find(visible_outlets(actor, archived=actor.is_staff), number, code="unknown_outlet")
    there = visible_machines(actor).filter(outlet=place)
    found = listing.cut(machines.ordered(actor, there, now))
    facts = {"outlet": place, "may_write": actor.is_staff and place.archived_at is None}
    return screen(
        lists={
            "machines": rows(
                "pages/machines/list_row.html", machines.machine_rows(actor, found, now, shows_outlet=False)
            )
        },
        parts=[
            part("head", "pages/outlets/head.html", facts),
            part("facts", "pages/outlets/facts.html", facts),
            part("figures", "pages/machines/figures.html", _figures(actor, place, now)),
            part("uptime", "pages/machines/uptime.html", uptime_of(there.values_list("pk", flat=True), now)),
            part("pager", "pages/kit/pager.html", {"listing": listing}),
        ],
        name=place.name,
    )


def _figures(actor: Any, place: Outlet, now: datetime) -> dict[str, Any]:
    """What was given there, today, this week, and ever; and what that earned."""
    series = statistics(actor, Filters(days=WEEK, outlet_id=place.pk), now)["series"]
    days = [Totals(*numbers) for numbers in zip(*(series[name] for name in Totals._fields), strict=True)]
    week = Totals(*(sum(numbers) for numbers in zip(*days, strict=True)))
    figures = [("Today", days[-1]), (f"{WEEK} days", week), ("Ever", totals(actor, place))]
    book = Book.read()
    if not book.has_prices:
        return {"figures": figures}
    earned, today = by_day_at(book, actor, place, now), day_of(now)
    sums = [
        sum(one.revenue for day, one in earned.items() if span is None or (today - day).days < span)
        for span in (1, WEEK, None)
    ]
    return {
        "figures": figures,
        "currency": book.currency,
        "revenue": [grouped(amount, book.currency) for amount in sums],
    }
