"""Closing statements."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from ledger.epochs.queries import Scope, look_now
from ledger.prices.book import Book
from ledger.statements.document import Closing, as_csv, as_json, written
from ledger.statements.figures import Draft, closed_months, drafts
from ledger.statements.models import Books, Statement, StatementLine
from ledger.statements.months import Month
from ozone.wire.errors import Conflict
from telemetry.models import Outlet

AT_ONCE: Final = 20
"""Statements of one transaction: what devices tell waits for it."""


def close(*, outlet: Outlet, month: Month, actor: Any, now: datetime) -> Statement:
    """First looks into what was told just before. Raises Conflict where it is closed, the month is not over, months
    would be closed out of their order, or there are presses without a price."""
    look_now(Scope(actor, outlet=outlet))
    closed, refused = _close_some([outlet], month, actor, now)
    if refused:
        raise next(iter(refused.values()))
    return closed[0]


def close_all(
    *, outlets: Iterable[Outlet], month: Month, actor: Any, now: datetime
) -> tuple[int, dict[Outlet, Conflict]]:
    """Closes what can be closed, in short transactions; how many, and by outlet why the others were not. Those that are
    closed already are neither."""
    look_now(Scope(actor))
    number, reasons = 0, dict[Outlet, Conflict]()
    waiting = list(outlets)
    for start in range(0, len(waiting), AT_ONCE):
        closed, refused = _close_some(waiting[start : start + AT_ONCE], month, actor, now)
        number += len(closed)
        reasons |= {outlet: reason for outlet, reason in refused.items() if reason.code != "statement_closed"}
    return number, reasons


@transaction.atomic
def _close_some(
    outlets: Sequence[Outlet], month: Month, actor: Any, now: datetime
) -> tuple[list[Statement], dict[Outlet, Conflict]]:
    books = Books.lock()
    numbers = [outlet.pk for outlet in outlets]
    found, closed = drafts(Book.read(with_shares=True), numbers, month), closed_months(numbers)
    made: list[Statement] = []
    refused: dict[Outlet, Conflict] = {}
    for outlet in outlets:
        reason = _objection(outlet, month, found[outlet.pk], closed, now)
        if reason:
            refused[outlet] = reason
            continue
        books.last_number += 1
        closing = Closing(books.last_number, now, actor.get_username())
        made.append(_store(outlet, found[outlet.pk], closing, actor))
    if made:
        books.save(update_fields=["last_number"])
    return made, refused


def _objection(
    outlet: Outlet, month: Month, draft: Draft, closed: Mapping[int, tuple[Month, Month]], now: datetime
) -> Conflict | None:
    first, last = closed.get(outlet.pk, (None, None))
    if first and last and first <= month <= last:
        return Conflict(f"{month} of {outlet} is closed already.", code="statement_closed")
    if not month.is_over(now):
        return Conflict(f"{month} is not over yet.", code="month_not_over")
    if first and month < first:
        return Conflict(
            f"Statements of {outlet} begin with {first}: what is before it cannot be closed any more.",
            code="months_out_of_order",
        )
    if last and month != last.next:
        return Conflict(f"Close {last.next} of {outlet} first.", code="months_out_of_order")
    if draft.unpriced:
        presses = "press" if draft.unpriced == 1 else "presses"
        return Conflict(
            f"{outlet} has {draft.unpriced:,} {presses} without a price in what is to be closed. Set it first.",
            code="price_missing",
        )
    return None


def _store(outlet: Outlet, draft: Draft, closing: Closing, actor: Any) -> Statement:
    said = written(draft, outlet, closing, is_over=True)
    document, sheet = as_json(said), as_csv(said)
    statement = Statement.objects.create(
        number=closing.number,
        outlet=outlet,
        month=draft.month.first,
        currency=draft.currency,
        closed_at=closing.at,
        closed_by_id=actor.pk,
        document=document,
        sheet=sheet,
        json_sha256=hashlib.sha256(document).hexdigest(),
        csv_sha256=hashlib.sha256(sheet).hexdigest(),
    )
    StatementLine.objects.bulk_create(
        StatementLine(
            statement=statement, month=line.key.month.first, treatment=line.key.treatment, price=line.key.price,
            share_rate=line.key.share_rate, presses=line.presses, revenue=line.revenue, share=line.share,
        )
        for line in (*draft.lines, *draft.corrections)
    )  # fmt: skip
    return statement
