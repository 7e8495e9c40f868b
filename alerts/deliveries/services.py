"""What people do about deliveries."""

from datetime import datetime
from uuid import uuid4

from django.db import transaction

from alerts.channels.models import Channel
from alerts.deliveries.models import VERIFY, Delivery
from ozone.wire.errors import Conflict


@transaction.atomic
def replay(*, delivery: Delivery, now: datetime) -> Delivery:
    """Sends the message that had the delivery in it once more, under the same id. Raises Conflict where it is under
    way, or its channel is not active."""
    if delivery.type == VERIFY:
        raise Conflict("A code is not sent again: ask for another.", code="not_replayable")
    if delivery.channel.state != Channel.State.ACTIVE:
        label = Channel.State(delivery.channel.state).label
        raise Conflict(f"Its channel is {label}.", code="channel_not_active")
    ended = [Delivery.State.SENT, Delivery.State.FAILED, Delivery.State.DROPPED]
    own = Delivery.objects.filter(channel=delivery.channel, state__in=ended)
    rows = own.filter(message=delivery.message) if delivery.message else own.filter(pk=delivery.pk)
    again = {
        "state": Delivery.State.WAITING,
        "message": delivery.message or uuid4().hex,
        "attempts": 0,
        "first_tried_at": None,
        "next_try": now,
        "is_escalation": False,
    }
    if not rows.update(**again):
        raise Conflict("It is yet to be sent, or being sent.", code="not_replayable")
    delivery.channel.wake(now)
    delivery.refresh_from_db()
    return delivery
