"""Outlets as the pages show them: a table takes a constant number of queries."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db.models import Count, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from ledger.prices.book import Book
from ledger.prices.money import grouped
from ledger.sales.earning import day_of, sold
from pages.kit.listing import Sort, up
from pages.kit.version import Scope, scope_of, version
from pages.machines.screen import today_from
from telemetry.figures.totals import Remembered, Totals, total_in_query, totals_by_outlet
from telemetry.models import Machine, Outlet
from telemetry.presence import Presence, presence_is
from telemetry.treatments import COUNTERS
from telemetry.visible import visible_machines


class OutletRow(NamedTuple):
    """`machines`: how many of its machines the actor may see; `devices`: how many of these have a device."""

    pk: int
    name: str
    region: str
    is_active: bool
    machines: int
    devices: int
    online: int
    today: int
    revenue: str
    """Of today, in CURRENCY; "" where nothing has a price."""
    basic: int
    standard: int
    premium: int
    total: int
    may_write: bool


_EVER: Final = {**{name: (name,) for name in COUNTERS}, "total": COUNTERS}
"""Which counts of all time a column adds up, by the word that sorts by it."""
SORTS: Final = {
    "name": Sort("Outlet", *up("name")),
    "region": Sort("Region", *up("region", "name")),
    "machines": Sort("Machines", F("machine_count").desc(), *up("name")),
    "online": Sort("Online", F("online").desc(), *up("name")),
    "today": Sort("Today", F("today").desc(), *up("name")),
    **{word: Sort(word.capitalize(), F("ever").desc(), *up("name")) for word in _EVER},
}
"""For outlets that are `ordered`."""


def ordered(actor: Any, outlets: "QuerySet[Outlet]", sort: str, now: datetime) -> "QuerySet[Outlet]":
    """Annotated with what they are put in order by, `sort` being a word of SORTS."""
    day = today_from(now)
    online = visible_machines(actor).filter(presence_is(Presence.ONLINE, now, "device__"), outlet=OuterRef("pk"))
    numbers = online.order_by().values("outlet").annotate(number=Count("pk")).values("number")
    found = outlets.annotate(online=Coalesce(Subquery(numbers), 0), today=total_in_query(actor, "outlet", since=day))
    if names := _EVER.get(sort):
        before = _past(actor, now)
        added = {pk: sum(getattr(counts, name) for name in names) for pk, counts in before.items()}
        found = found.annotate(ever=Remembered(added) + total_in_query(actor, "outlet", names, since=day))
    return found


def outlet_rows(actor: Any, outlets: "QuerySet[Outlet]", book: Book, now: datetime) -> Iterator[tuple[int, OutletRow]]:
    """By key, in six queries."""
    found = list(outlets.values_list("pk", "name", "region", "is_active", "machine_count"))  # type: ignore[misc]
    numbers = [row[0] for row in found]
    today, ever = _today_and_ever(actor, numbers, now)
    machines = visible_machines(actor).filter(outlet__in=numbers, device__isnull=False)
    devices = _by_outlet(machines)
    online = _by_outlet(machines.filter(presence_is(Presence.ONLINE, now, "device__")))
    day = day_of(now)
    for row in found:
        pk = row[0]
        of_today, of_ever = today.get(pk, Totals()), ever.get(pk, Totals())
        earned = grouped(sold(book, pk, day, of_today).revenue, book.currency) if book.has_prices else ""
        counts = (devices.get(pk, 0), online.get(pk, 0), of_today.total, earned, *of_ever, of_ever.total)
        yield pk, OutletRow._make((*row, *counts, actor.is_staff))


def _by_outlet(machines: "QuerySet[Machine]") -> dict[int, int]:
    return dict(machines.order_by().values("outlet").annotate(number=Count("pk")).values_list("outlet", "number"))


def _today_and_ever(actor: Any, outlets: Iterable[int], now: datetime) -> tuple[dict[int, Totals], dict[int, Totals]]:
    """Today's are always new; those of all time are of these outlets."""
    numbers = list(outlets)
    today = totals_by_outlet(actor, numbers, since=today_from(now))
    before = _past(actor, now)
    return today, {pk: before.get(pk, Totals()).and_also(today.get(pk, Totals())) for pk in numbers}


def _past(actor: Any, now: datetime) -> dict[int, Totals]:
    """Until today, of all outlets. Added up once a minute, and after whatever a person changed: it is long, and only
    what arrives late adds to it."""
    return past_totals(scope_of(actor), today_from(now), version(now, ("people", "minute")))


@lru_cache(maxsize=32)
def past_totals(scope: Scope, until: datetime, known: str) -> dict[int, Totals]:
    """Before the day that began at `until`; remembered for as long as `known` is the same."""
    return totals_by_outlet(scope, None, until=until)
