"""Statements: those of a month, one of them as it is printed, and closing them. All of it is staff's."""

from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from ledger.prices.money import decimals
from ledger.statements import queries, services
from ledger.statements.months import Month
from ozone.webapi.heavy import heavy, person_of, places
from pages.kit.actions import Confirmation, action, sent
from pages.kit.frame import staff_page
from pages.kit.live import Screen, live_page, part, rows, screen
from pages.money.sheet import amount, sheet

_METHODS: Final = ["GET", "HEAD", "POST"]
FOLLOWS: Final = ("people", "minute")
MONTHS: Final = 24
_REASONS: Final = 5
"""Outlets that are named where some could not be closed."""


class StatementRow(NamedTuple):
    id: str
    outlet: str
    number: int | None
    is_over: bool
    presses: str
    revenue: str
    share: str
    remainder: str
    corrections: str
    """"" where there are none."""
    unexplained: int
    unpriced: int


def _asked(request: HttpRequest) -> Month:
    """The month that the address names, else the last that is over."""
    return Month.read(request.GET.get("month", "")) or Month.at(timezone.now()).plus(-1)


@heavy
@staff_page
@require_safe
def statements(request: HttpRequest) -> HttpResponse:
    month, this = _asked(request), Month.at(timezone.now())
    months = [this.plus(-back) for back in range(MONTHS)]
    return live_page(
        request,
        "pages/money/statements.html",
        FOLLOWS,
        lambda: _screen(request.user, month),
        month=str(month),
        is_over=month < this,
        months=[str(one) for one in (months if month in months else [month, *months])],
    )


def _screen(actor: Any, month: Month) -> Screen:
    with places.one(person_of(actor)):
        found = queries.of_month(queries.outlets_of(month), month, timezone.now())
    shown = [(told.said["id"], _row(told.said)) for told in found]
    is_open = any(told.said["number"] is None for told in found)
    return screen(
        lists={"statements": rows("pages/money/statement_row.html", shown)},
        parts=[part("totals", "pages/money/statement_totals.html", {"totals": _totals(found)})],
        is_open=is_open,
    )


def _row(said: dict[str, Any]) -> StatementRow:
    sums, corrected = said["totals"]["statement"], said["totals"]["corrections"]
    return StatementRow(
        said["id"],
        said["outlet"]["name"],
        said["number"],
        said["is_over"],
        f"{sums['presses']:,}",
        amount(sums["revenue"]),
        amount(sums["share"]),
        amount(sums["remainder"]),
        amount(corrected["revenue"]) if said["corrections"] else "",
        sum(one["presses"] for one in said["unexplained"]),
        said["unpriced"],
    )


class Totals(NamedTuple):
    """Of the statements in one currency."""

    currency: str
    presses: str
    revenue: str
    share: str
    remainder: str


def _totals(found: list[queries.Told]) -> list[Totals]:
    sums: dict[str, list[Decimal]] = {}
    for told in found:
        said = told.said["totals"]["statement"]
        one = sums.setdefault(told.said["currency"], [Decimal(0)] * 4)
        for place, name in enumerate(("presses", "revenue", "share", "remainder")):
            one[place] += Decimal(said[name])
    return [
        Totals(currency, f"{numbers[0]:,}", *(amount(f"{one:.{decimals(currency)}f}") for one in numbers[1:]))
        for currency, numbers in sums.items()
    ]


@heavy
@staff_page
@require_safe
def statement(request: HttpRequest, statement: str) -> HttpResponse:
    def build() -> Screen:
        with places.one(person_of(request.user)):
            told = queries.find_statement(statement, actor=request.user, now=timezone.now())
        return screen(parts=[part("sheet", "pages/money/sheet.html", sheet(told))], said=told.said)

    return live_page(request, "pages/money/statement.html", FOLLOWS, build)


@heavy
@staff_page
@require_http_methods(_METHODS)
def close(request: HttpRequest, statement: str) -> HttpResponse:
    outlet, month = queries.named(statement)

    def perform(_: dict[str, Any]) -> str:
        with places.one(person_of(request.user)):
            closed = services.close(outlet=outlet, month=month, actor=request.user, now=timezone.now())
        return f"{month} of {outlet} is closed: statement {closed.number}."

    with places.one(person_of(request.user)):
        said = queries.find_statement(statement, actor=request.user, now=timezone.now()).said["totals"]["statement"]
    lead = f"{said['presses']:,} treatments. It gets a number and never changes again; what arrives later is a"
    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Close {month} of {outlet}?",
        lead=f"{lead} correction in the next one.",
        back=reverse("statement", args=[statement]),
        button="Close the statement",
    )


@heavy
@staff_page
@require_http_methods(_METHODS)
def close_month(request: HttpRequest, month: str) -> HttpResponse:
    wanted = Month.read(month) or Month.at(timezone.now()).plus(-1)

    def perform(_: dict[str, Any]) -> str:
        outlets, now = queries.outlets_of(wanted), timezone.now()
        with places.one(person_of(request.user)):
            number, refused = services.close_all(outlets=outlets, month=wanted, actor=request.user, now=now)
        said = f"{number:,} statement{'' if number == 1 else 's'} of {wanted} closed."
        reasons = [reason.detail for reason in refused.values()]
        more = f" And {len(reasons) - _REASONS:,} more were not." if len(reasons) > _REASONS else ""
        return " ".join([said, *reasons[:_REASONS]]) + more

    return action(
        request,
        Confirmation(sent(request)),
        perform,
        title=f"Close all statements of {wanted}?",
        lead="Each gets a number and never changes again; what arrives later is a correction in the next one.",
        back=f"{reverse('statements')}?month={wanted}",
        button="Close them",
    )
