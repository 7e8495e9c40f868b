"""What outlets earned in some days: ranked, beside the same weekdays before, and day by day."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Sum

from device_gateway.registry.queries import visible_devices
from ledger.lines.queries import lines_between
from ledger.prices.book import DAY, Book
from ledger.sales.earning import Sold, by_day_and_outlet
from ledger.statements.months import day_start

WEEK: Final = timedelta(days=7)
NOTHING: Final = Sold()
SHOWN_DAYS: Final = 14
"""Up to the last day, for whoever draws them."""


class AtOutlet(NamedTuple):
    """Of one outlet; number 0: at none. `before`: on as many days, whole weeks earlier, so that weekdays meet. `days`:
    of each of the last SHOWN_DAYS. `unexplained`: presses of lines that nobody has settled."""

    outlet: int
    sold: Sold
    before: Sold
    days: tuple[Sold, ...]
    unexplained: int


def weeks_before(first: date, last: date) -> timedelta:
    """How much earlier the days are that these are compared with."""
    return -(-((last - first + DAY) // DAY) // 7) * WEEK


def by_outlet(book: Book, actor: Any, first: date, last: date) -> list[AtOutlet]:
    """Those with anything to tell, the one that earned most first; among equals the one that sold most."""
    earlier = weeks_before(first, last)
    shown = [last - place * DAY for place in reversed(range(SHOWN_DAYS))]
    conditions = own_devices(actor)
    found: dict[int, dict[date, Sold]] = defaultdict(dict)
    start = min(first - earlier, shown[0])
    for sale in by_day_and_outlet(book, day_start(start), day_start(last + DAY), conditions):
        found[sale.outlet][sale.day] = sale.sold
    lines = _unexplained(actor, first, last)
    span = [first + place * DAY for place in range((last - first) // DAY + 1)]
    before = [day - earlier for day in span]
    ranked = []
    for outlet in found.keys() | lines.keys():
        sold = found[outlet].get
        days = tuple(sold(day, NOTHING) for day in shown)
        now, then = (_all([one for day in some if (one := sold(day))]) for some in (span, before))
        ranked.append(AtOutlet(outlet, now, then, days, lines.get(outlet, 0)))
    return sorted(ranked, key=lambda one: (-one.sold.revenue, -one.sold.presses, one.outlet))


def own_devices(actor: Any) -> dict[str, Any]:
    """What the actor may see, as conditions on rows of counts or lines."""
    return {} if actor.is_staff else {"device_id__in": visible_devices(actor, archived=True).values("pk")}


def _unexplained(actor: Any, first: date, last: date) -> dict[int, int]:
    """By outlet; those of no outlet under 0."""
    lines = lines_between(day_start(first), day_start(last + DAY)).filter(settlement=None, **own_devices(actor))
    rows = lines.select_related(None).order_by().values("outlet").annotate(number=Sum("count"))
    return {outlet or 0: number for outlet, number in rows.values_list("outlet", "number")}


def total(rows: Sequence[AtOutlet]) -> AtOutlet:
    """All of them together."""
    days = tuple(_all([row.days[place] for row in rows]) for place in range(SHOWN_DAYS))
    unexplained = sum(row.unexplained for row in rows)
    return AtOutlet(0, _all([row.sold for row in rows]), _all([row.before for row in rows]), days, unexplained)


def _all(found: Sequence[Sold]) -> Sold:
    return Sold(*map(sum, zip(*found, strict=True))) if found else NOTHING
