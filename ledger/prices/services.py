"""Setting and deleting prices and shares. Each function is one transaction."""

from datetime import date, datetime
from typing import Any

from django.db import transaction

from ledger.prices.models import Price, Share
from ledger.statements.guard import check_change
from ledger.statements.models import Books
from ozone.wire.conf import options
from telemetry.models import Outlet
from telemetry.visible import find


@transaction.atomic
def set_price(
    *, outlet: Outlet | None, treatment: str, amount: int | None, valid_from: date, actor: Any, now: datetime
) -> tuple[Price, bool]:
    """The price in CURRENCY from that day on, in the place of one of the same day; whether there was none.

    `amount` in the smallest unit; None ends the price that holds until then. Raises Conflict where a closed statement
    would have had another price.
    """
    number, currency = outlet.pk if outlet else None, options().CURRENCY
    check_change(lambda book: book.set_price(number, treatment, valid_from, amount), valid_from, number, currency)
    return Price.objects.update_or_create(
        outlet=outlet,
        treatment=treatment,
        currency=currency,
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


@transaction.atomic
def delete_price(*, number: int) -> None:
    """As if it had never been set. Raises NotFound; Conflict where a closed statement used it."""
    Books.lock()
    price = find(Price.objects.all(), number, code="unknown_price")
    outlet, treatment, day = price.outlet_id, price.treatment, price.valid_from
    check_change(lambda book: book.drop_price(outlet, treatment, day), day, outlet, price.currency)
    price.delete()


@transaction.atomic
def delete_share(*, number: int) -> None:
    """The same of a share."""
    Books.lock()
    share = find(Share.objects.all(), number, code="unknown_share")
    outlet, day = share.outlet_id, share.valid_from
    check_change(lambda book: book.drop_share(outlet, day), day, outlet)
    share.delete()
