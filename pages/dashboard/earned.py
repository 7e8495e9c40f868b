"""The owner's morning: what outlets earned, and what is wrong with them. Worked out once a minute: at its beginning the
page asks of days that are over."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from django.utils.safestring import SafeString

from ledger.prices.book import DAY, Book
from ledger.prices.money import grouped
from ledger.sales.outlets import AtOutlet, by_outlet, total
from ozone.intake.sql import plain_rows, read_moment
from ozone.wire.times import people_zone
from pages.kit import charts
from pages.kit.version import Scope, scope_of, version
from telemetry.figures.rhythm import Silent, selling_nothing
from telemetry.models import Outlet
from telemetry.presence import Presence, presence
from telemetry.visible import visible_machines

RANKED: Final = 25
"""Outlets that are shown unless all are asked for."""
STOPPED: Final = 8
NO_OUTLET: Final = "At no outlet"
FIRST_DAY: Final = date(2000, 1, 1)
LONGEST: Final = 366
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Span(NamedTuple):
    """Days of STATS_TIME_ZONE, both inclusive; `word` is its name in the address."""

    word: str
    title: str
    first: date
    last: date

    @property
    def query(self) -> str:
        return urlencode({"start": self.first, "end": self.last})


class EarnedRow(NamedTuple):
    """A place in the ranking. Texts as they are read; `working` of `machines`. `outlet`: 0 for none."""

    rank: int
    outlet: int
    name: str
    revenue: str
    presses: str
    change: str
    is_less: bool
    chart: SafeString
    working: int
    machines: int
    unexplained: int
    unpriced: int
    has_prices: bool


class StoppedRow(NamedTuple):
    machine: int
    name: str
    outlet: str
    last_press: datetime | None
    usual: float
    """Seconds; 0 where nothing is usual."""


class Morning(NamedTuple):
    """`ranked`: outlets, the one that earned most first; `working`: by outlet, whether each of its machines is."""

    ranked: list[AtOutlet]
    working: Mapping[int, list[bool]]
    names: Mapping[int, str]
    book: Book
    stopped: tuple[StoppedRow, ...]

    def rows(self, most: int | None) -> list[EarnedRow]:
        """The first of them."""
        shown = enumerate(self.ranked[:most], 1)
        return [_row(rank, one, self.names.get(one.outlet, NO_OUTLET), self.working, self.book) for rank, one in shown]

    @property
    def total(self) -> EarnedRow:
        """All of them together."""
        every = {0: [is_working for own in self.working.values() for is_working in own]}
        return _row(0, total(self.ranked), "All", every, self.book)


def spans(now: datetime) -> list[Span]:
    today = now.astimezone(people_zone()).date()
    yesterday, first = today - DAY, today.replace(day=1)
    before = first - DAY
    return [
        Span("", "Yesterday", yesterday, yesterday),
        Span("today", "Today", today, today),
        Span("7-days", "7 days", today - 7 * DAY, yesterday),
        Span("28-days", "28 days", today - 28 * DAY, yesterday),
        Span("month", "This month", first, today),
        Span("last-month", "Last month", before.replace(day=1), before),
    ]


def chosen_span(query: Mapping[str, str], now: datetime) -> Span:
    """What the address asks for; what it cannot mean is left out: then it is yesterday."""
    known = spans(now)
    days = [_day(query.get(name, "")) for name in ("start", "end")]
    if days[0] and days[1] and days[0] <= days[1] < days[0] + LONGEST * DAY:
        title = str(days[0]) if days[0] == days[1] else f"{days[0]} to {days[1]}"
        return Span("days", title, days[0], days[1])
    return next((span for span in known if span.word == query.get("span", "")), known[0])


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_DAY <= day < date(2200, 1, 1) else None


def morning(actor: Any, span: Span, now: datetime) -> Morning:
    """Remembered until the next minute, or until somebody changes something."""
    minute = now.replace(second=0, microsecond=0)
    return remembered(scope_of(actor), span, minute, version(now, ("people", "minute")))


@lru_cache(maxsize=32)
def remembered(scope: Scope, span: Span, minute: datetime, known: str) -> Morning:
    book = Book.read()
    found = by_outlet(book, scope, span.first, span.last)
    places = _machines(scope, minute)
    stopped = selling_nothing([(one.pk, one.device, one.hours) for one in places if one.is_online], minute)
    halted = {one.machine for one in stopped}
    working: dict[int, list[bool]] = {}
    for one in places:
        working.setdefault(one.outlet, []).append(one.is_online and one.pk not in halted)
    quiet = working.keys() - {one.outlet for one in found}
    ranked = [*found, *(total([])._replace(outlet=outlet) for outlet in sorted(quiet))]
    names = dict(Outlet.objects.filter(pk__in=[one.outlet for one in ranked]).values_list("pk", "name"))
    return Morning(ranked, working, names, book, _stopped(stopped, places, names))


class _Place(NamedTuple):
    pk: int
    name: str
    outlet: int
    hours: str
    device: int
    is_online: bool


def _machines(scope: Scope, now: datetime) -> list[_Place]:
    """Those in use that have a device."""
    machines = visible_machines(scope).filter(is_active=True, device__isnull=False).order_by("pk")
    columns = ("pk", "name", "outlet_id", "outlet__opening_hours", "device_id")
    heard = ("device__state__last_poll", "device__state__last_seen")
    return [
        _Place(
            pk, name, outlet or 0, hours or "", device,
            presence(read_moment(poll), read_moment(seen), now) == Presence.ONLINE,
        )
        for pk, name, outlet, hours, device, poll, seen in plain_rows(machines.values_list(*columns, *heard))
    ]  # fmt: skip


def _row(rank: int, one: AtOutlet, name: str, machines: Mapping[int, list[bool]], book: Book) -> EarnedRow:
    own = machines.get(one.outlet, [])
    now, before = (sold.revenue if book.has_prices else sold.presses for sold in (one.sold, one.before))
    change = round(100 * (now - before) / before) if before else None
    days = [sold.revenue if book.has_prices else sold.presses for sold in one.days]
    return EarnedRow(
        rank=rank,
        outlet=one.outlet,
        name=name,
        revenue=grouped(one.sold.revenue, book.currency),
        presses=f"{one.sold.presses:,}",
        change="" if change is None else f"{change:+,} %".replace("-", "−").replace("+0", "0"),
        is_less=(change or 0) < 0,
        chart=charts.sparkline(days, title=f"{name}: 14 days"),
        working=sum(own),
        machines=len(own),
        unexplained=one.unexplained,
        unpriced=one.sold.unpriced,
        has_prices=book.has_prices,
    )


def _stopped(found: list[Silent], places: list[_Place], names: Mapping[int, str]) -> tuple[StoppedRow, ...]:
    """The last to stop first, those that never sold anything before them."""
    named = {one.pk: one for one in places}
    latest = sorted(found, key=lambda one: one.last_press or _NEVER, reverse=True)[:STOPPED]
    return tuple(
        StoppedRow(
            one.machine,
            named[one.machine].name,
            names.get(named[one.machine].outlet, ""),
            one.last_press,
            one.rhythm.usual_gap.total_seconds() if one.rhythm else 0,
        )
        for one in latest
    )
