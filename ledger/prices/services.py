"""Setting prices and shares. Each function is one transaction."""

from datetime import date, datetime
from typing import Any

from django.db import transaction

from ledger.prices.models import Price, Share
from ozone.wire.conf import options
from telemetry.models import Outlet


@transaction.atomic
def set_price(
    *, outlet: Outlet | None, treatment: str, amount: int | None, valid_from: date, actor: Any, now: datetime
) -> tuple[Price, bool]:
    """The price in CURRENCY from that day on, in the place of one of the same day; whether there was none.

    `amount` in the smallest unit; None ends the price that holds until then.
    """
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
    there was none."""
    return Share.objects.update_or_create(
        outlet=outlet,
        valid_from=valid_from,
        defaults={"hundredths": hundredths, "set_at": now, "set_by_id": actor.pk},
    )
