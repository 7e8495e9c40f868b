"""Statistics: how often which treatment was chosen, drawn, in key figures and as a table."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone
from django.utils.functional import SimpleLazyObject
from django.views.decorators.http import require_safe

from ledger.prices.book import Book
from ledger.prices.money import grouped
from ledger.sales.series import Earned, earned_in, shown
from ozone.webapi.heavy import heavy, person_of, places
from ozone.wire.conf import options
from ozone.wire.errors import Invalid, NotFound
from pages.kit import charts
from pages.kit.frame import signed_in_page
from pages.kit.live import Screen, live_page, part, screen
from pages.stats.forms import StatsForm
from telemetry.figures.comparison import Comparison, compared
from telemetry.figures.statistics import Filters
from telemetry.figures.views import read_filters

FOLLOWS: Final = ("people", "events", "minute")
SPANS: Final[dict[str, dict[str, Any]]] = {
    "Today": {"days": 1, "granularity": "hour"},
    "7 days": {"days": 7},
    "28 days": {"days": 28},
}
"""Of whole weeks, so that in a comparison weekdays meet."""
TWELVE_MONTHS: Final = "12 months"
_MISSING: Final = {"unknown_outlet": "outlet_id", "unknown_machine": "machine_id", "unknown_device": "device_id"}


class Asked:
    """What the address asks for: `filters`, and by field what is wrong with it. What cannot be read is left out."""

    def __init__(self, query: QueryDict) -> None:
        given = {name: text for name in StatsForm.base_fields if (text := query.get(name, "").strip())}
        self.words = {name: text[:100] for name, text in given.items()}
        self.errors: Mapping[str, Any] = {}
        try:
            self.filters = read_filters(given)
        except Invalid as error:
            self.errors = dict(error.errors or {})
            given = {name: text for name, text in given.items() if name not in self.errors}
            self.filters = read_filters(given)
        self._given = given

    @property
    def zone(self) -> ZoneInfo:
        return self.filters.zone or ZoneInfo(options().STATS_TIME_ZONE)

    @property
    def query(self) -> str:
        """The query string of what could be read: the API takes the same."""
        return urlencode(self._given)

    @property
    def has_more(self) -> bool:
        """Whether anything is said of the fields that are folded away."""
        return any(name in self.words for name in StatsForm.FOLDED)

    @property
    def shown(self) -> dict[str, str]:
        """What stands in fields in which one types."""
        return {**self.words, "start": self._local(self.filters.start), "end": self._local(self.filters.end)}

    def _local(self, moment: datetime | None) -> str:
        """As a field for a date and a time takes it."""
        return moment.astimezone(self.zone).strftime("%Y-%m-%dT%H:%M") if moment else ""

    @property
    def spans(self) -> list[tuple[str, str, bool]]:
        """Usual stretches of time: a word, the address with the other filters as they are, whether it is this one."""
        rest = {name: text for name, text in self._given.items() if name not in ("days", "granularity", "start", "end")}
        today = timezone.now().astimezone(self.zone).date()
        # From the first of a month on: 365 days would begin in a thirteenth one.
        first = today.replace(year=today.year - (today.month < 12), month=today.month % 12 + 1, day=1)
        months = {"days": (today - first).days + 1, "granularity": "month"}
        here = {"days": self.filters.days, "granularity": self.filters.granularity}
        is_open = self.filters.start is None and self.filters.end is None
        return [
            (word, "?" + urlencode({**rest, **span}), is_open and here == {"granularity": "day", **span})
            for word, span in {**SPANS, TWELVE_MONTHS: months}.items()
        ]


@heavy
@signed_in_page
@require_safe
def stats(request: HttpRequest) -> HttpResponse:
    asked = Asked(request.GET)
    return live_page(
        request,
        "pages/stats/stats.html",
        FOLLOWS,
        lambda: _in_a_place(request.user, asked),
        asked=asked,
        form=SimpleLazyObject(lambda: StatsForm(request.user, asked.filters, asked.shown, asked.zone.key)),
    )


def _in_a_place(actor: Any, asked: Asked) -> Screen:
    with places.one(person_of(actor)):
        return _screen(actor, asked, timezone.now())


def _screen(actor: Any, asked: Asked, now: datetime) -> Screen:
    errors, found = dict(asked.errors), None
    try:
        found = compared(actor, asked.filters, now)
    except NotFound as error:
        errors[_MISSING[error.code]] = [error.detail]
    except Invalid as error:
        errors |= error.errors or {}
    book = Book.read()
    context: dict[str, Any] = {"found": found, "filters": asked.filters, "zone": asked.zone.key}
    if found:
        money = earned_in(found.counted, book) if book.has_prices else None
        revenue = _revenue(money[0], asked.filters, book.currency) if money else []
        kpi = _kpi(found, asked.filters) + (_money(money, book.currency) if money else [])
        context |= {"chart": _chart(found, asked.filters), "kpi": kpi, "revenue": revenue}
        context |= {"rows": _rows(found, asked.filters, revenue), "is_too_long": len(found.labels) > charts.MAX_POINTS}
    parts = [part(name, f"pages/stats/{name}.html", context) for name in ("figures", "chart", "rows")]
    return screen(parts=parts, errors=errors, has_prices=book.has_prices)


def _chart(found: Comparison, filters: Filters) -> str:
    labels, total = found.labels, charts.number(found.total)
    series = {name.capitalize(): values for name, values in found.series.items()}
    title = f"Treatments by {filters.granularity}, {labels[0]} to {labels[-1]}: {total} in all"
    more: dict[str, Any] = {"previous": {"Total before": found.before} if filters.compare else None}
    more |= {"title": title, "height": 280, "unfinished": found.unfinished}
    if filters.cumulative or filters.ma > 1:
        return charts.lines(labels, series, **more)
    del series["Total"]  # a bar's height shows it
    return charts.bars(labels, series, **more)


class Tile(NamedTuple):
    """A key figure, what it is of, and what is to be known about it."""

    title: str
    number: str
    note: str = ""


def _kpi(found: Comparison, filters: Filters) -> list[Tile]:
    unit, first, last = filters.granularity, *found.span_before
    a_unit = "an hour" if unit == "hour" else f"a {unit}"
    span = first if first == last else f"{first} to {last}"
    nothing = f"No data before {found.no_data_before}" if found.no_data_before else ""
    finished = f"Of {unit}s that are over" if found.unfinished else ""
    before, change = charts.number(found.total_before), "—"
    if found.change is not None:
        change = f"{found.change:+,.1f}\N{NARROW NO-BREAK SPACE}%".replace("-", "−")
    return [
        Tile("Treatments", charts.number(found.total), "So far" if found.unfinished else ""),
        Tile(f"Average per {unit}", charts.number(found.average), finished),
        Tile(f"Fewest in {a_unit}", charts.number(found.fewest), finished),
        Tile(f"Most in {a_unit}", charts.number(found.most)),
        Tile("The time before", before, ". ".join(filter(None, (span, nothing)))),
        Tile("Change", change, _pair(found, filters) if found.pairs else nothing),
    ]


def _money(earned: tuple[Earned, Earned], currency: str) -> list[Tile]:
    """What was earned, and in the time that it is compared with."""
    now, before = earned
    unpriced = f"{now.unpriced:,} without a price" if now.unpriced else ""
    return [
        Tile(f"Revenue in {currency}", grouped(now.total, currency), unpriced),
        Tile("Revenue before", grouped(before.total, currency)),
    ]


def _revenue(earned: Earned, filters: Filters, currency: str) -> list[str]:
    """As the series are shown; an average is no amount that was ever paid."""
    if filters.ma > 1:
        return []
    return [grouped(amount, currency) for amount in shown(earned.amounts, filters)["total"]]


def _pair(found: Comparison, filters: Filters) -> str:
    """What the change is of."""
    pair = f"{charts.number(found.ours)} after {charts.number(found.theirs)}"
    if found.is_until_now:
        return f"{pair}, until now" if found.unfinished else pair
    return f"{pair}, on {found.pairs} full {filters.granularity}{'' if found.pairs == 1 else 's'}"


class FiguresRow(NamedTuple):
    label: str
    is_over: bool
    numbers: list[str]
    """Basic, standard, premium, total; and before that, where it is compared."""
    revenue: str


def _rows(found: Comparison, filters: Filters, revenue: list[str]) -> list[FiguresRow]:
    """The chart's numbers, the latest first."""
    if len(found.labels) > charts.MAX_POINTS:
        return []
    series = [*found.series.values(), *([found.before] if filters.compare else [])]
    over = len(found.labels) - found.unfinished
    shown = [
        FiguresRow(label, place < over, [charts.number(value) for value in numbers], revenue[place] if revenue else "")
        for place, (label, *numbers) in enumerate(zip(found.labels, *series, strict=True))
    ]
    return shown[::-1]
