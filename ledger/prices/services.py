"""Setting prices and shares. Each function is one transaction."""

from datetime import date, datetime
from typing import Any

from django.db import transaction

from ledger.prices.models import Price, Share
from ledger.statements.guard import check_change
from ozone.wire.conf import options
from telemetry.models import Outlet


@transaction.atomic
def set_price(
    *, outlet: Outlet | None, treatment: str, amount: int | None, valid_from: date, actor: Any, now: datetime
) -> tuple[Price, bool]:
    """The price in CURRENCY from that day on, in the place of one of the same day; whether there was none.

    `amount` in the smallest unit; None ends the price that holds until then. Raises Conflict where a closed statement
    would have had another price.
    """
    number = outlet.pk if outlet else None
    check_change(lambda book: book.set_price(number, treatment, valid_from, amount), valid_from, number)
    return Price.objects.update_or_create(
        outlet=outlet,
        treatment=treatment,
        currency=options().CURRENCY,
        valid_from=valid_from,
        defaults={"amount": amount, "set_at": now, "set_by_id": actor.pk},
    )


@transaction.atomic
def set_share(*, outlet: Outlet, hundredths: int, valid_from: date, actor: Any, now: datetime) -> tuple[Share, bool]:
    """The outlet's share from that day on, in hundredths of a percent, in the place of one of the same day; whether
    there was none. Raises as above."""
    check_change(lambda book: book.set_share(outlet.pk, valid_from, hundredths), valid_from, outlet.pk)
    return Share.objects.update_or_create(
        outlet=outlet,
        valid_from=valid_from,
        defaults={"hundredths": hundredths, "set_at": now, "set_by_id": actor.pk},
    )
