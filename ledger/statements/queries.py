"""Statements to look at: closed ones as they were told, the others as things stand."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from ledger.epochs.queries import Scope, look_now
from ledger.prices.book import Book
from ledger.statements.document import as_csv, as_json, written
from ledger.statements.figures import drafts, sellers
from ledger.statements.models import Statement
from ledger.statements.months import Month
from ozone.wire import jsonio
from ozone.wire.errors import NotFound
from telemetry.models import Outlet

LATEST: Final = 200
"""Closed statements of all months that are told at once."""


class Told(NamedTuple):
    """A statement: what it says, its bytes as JSON and as CSV, and their SHA-256 where it is closed."""

    said: dict[str, Any]
    document: bytes
    sheet: bytes
    json_sha256: str | None = None
    csv_sha256: str | None = None


def find_statement(name: str, *, actor: Any, now: datetime) -> Told:
    """By its id, `<outlet>-<month>`. A draft first looks into what was told just before. Raises NotFound."""
    outlet, month = named(name)
    closed = Statement.objects.filter(outlet=outlet, month=month.first).first()
    if closed:
        return _kept(closed)
    look_now(Scope(actor, outlet=outlet))
    return _draft(outlet, month, now)


def named(name: str) -> tuple[Outlet, Month]:
    """Whose statement an id names. Raises NotFound."""
    number, _, text = name.partition("-")
    month = Month.read(text)
    outlet = Outlet.objects.filter(pk=number).first() if month else None
    if outlet is None or month is None:
        raise NotFound("There is no such statement.", code="unknown_statement")
    return outlet, month


def _kept(row: Statement) -> Told:
    document, sheet = bytes(row.document), bytes(row.sheet)
    return Told(jsonio.decode(document), document, sheet, row.json_sha256, row.csv_sha256)


def _draft(outlet: Outlet, month: Month, now: datetime) -> Told:
    draft = drafts(Book.read(with_shares=True), [outlet.pk], month)[outlet.pk]
    said = written(draft, outlet, None, is_over=month.is_over(now))
    return Told(said, as_json(said), as_csv(said))


def outlets_of(month: Month) -> "QuerySet[Outlet]":
    """Those that have a statement of the month: all that there are, and deleted ones that had one or sold anything."""
    is_told = Q(statements__month=month.first) | Q(pk__in=sellers(month))
    return Outlet.objects.filter(Q(archived_at=None) | is_told).distinct().order_by("name_order", "pk")


def of_month(outlets: Iterable[Outlet], month: Month, now: datetime) -> list[Told]:
    """Of each of the outlets its statement."""
    wanted = list(outlets)
    closed = {
        row.outlet_id: _kept(row)
        for row in Statement.objects.filter(month=month.first, outlet__in=[outlet.pk for outlet in wanted])
    }
    open_ones = [outlet for outlet in wanted if outlet.pk not in closed]
    found = drafts(Book.read(with_shares=True), [outlet.pk for outlet in open_ones], month)
    is_over = month.is_over(now)
    for outlet in open_ones:
        said = written(found[outlet.pk], outlet, None, is_over=is_over)
        closed[outlet.pk] = Told(said, b"", b"")
    return [closed[outlet.pk] for outlet in wanted]


def latest_closed(outlet: int | None) -> list[Told]:
    """The last LATEST, the newest number first."""
    rows = Statement.objects.all() if outlet is None else Statement.objects.filter(outlet=outlet)
    return [_kept(row) for row in rows.order_by("-number")[:LATEST]]
