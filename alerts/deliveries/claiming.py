"""Who sends what: taken by a conditional update, given back with what became of it.

A channel's row is locked while its messages are taken or it is told of something new, so that neither overlooks the
other; and an update names the state it starts from, so that of two runners one has the message, whatever happens.
"""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID, uuid4

from django.db import transaction
from django.db.models import F, Min, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from alerts.carriers.outgoing import Outcome
from alerts.channels.models import CODE_LIFE, Channel
from alerts.channels.quiet import quiet_until
from alerts.deliveries.models import VERIFY, Delivery
from alerts.incidents.queries import visible_incidents

GATHER: Final = timedelta(seconds=10)
"""What happens within it is told together."""
PACE: Final = timedelta(seconds=60)
"""Between two messages to a channel, however much happens."""
CLAIM: Final = timedelta(seconds=60)
"""Longer than any try takes."""
LIFE: Final = timedelta(hours=24)
"""After its first try a message is given up."""
PAUSES: Final = tuple(timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1800, 3600, 7200, 14400))
"""After the first try, the second, …; the last one again and again. A tenth more or less: not all come at once."""
SHOWN: Final = 100
"""Happenings of one message that are told one by one; of the others how many there are."""
State = Delivery.State


class Claim(NamedTuple):
    """One message, for whoever has the claim to send. `rows`: the first SHOWN of `number`, the oldest first."""

    token: UUID
    message: str
    channel: Channel
    rows: Sequence[Delivery]
    number: int


def claim(channel: int, now: datetime, life: timedelta = CLAIM) -> Claim | None:
    """The channel's next message that is due. None where there is none, any more or yet."""
    with transaction.atomic():
        held = Channel.objects.select_for_update().select_related(None).filter(pk=channel).first()
        if held is None:
            return None
        taken = _take(held, now, life)
        _arm(held)
    if taken is None:
        return None
    rows = Delivery.objects.filter(claim=taken, state=State.SENDING).select_related("channel__person").order_by("id")
    shown = list(rows[:SHOWN])
    return Claim(taken, shown[0].message, shown[0].channel, shown, rows.count())


def _take(channel: Channel, now: datetime, life: timedelta) -> UUID | None:
    waiting = Delivery.yet_to_send(channel)
    _sort_out(channel, waiting, now)
    first = waiting.filter(next_try__lte=now).order_by("next_try", "id").first()
    if first is None:
        return None
    token = uuid4()
    together = Q(message=first.message) if first.message else Q(message="", next_try__lte=now + GATHER)
    number = waiting.filter(together).update(
        state=State.SENDING,
        claim=token,
        message=first.message or token.hex,
        claimed_until=now + life,
        attempts=F("attempts") + 1,
        first_tried_at=Coalesce(F("first_tried_at"), Value(now)),
        next_try=None,
    )
    if not first.message and number:
        Channel.objects.filter(pk=channel.pk).update(paced_until=now + PACE)
    return token if number else None


def _sort_out(channel: Channel, waiting: "QuerySet[Delivery]", now: datetime) -> None:
    """Drops what is not to be told any more, and holds what is not to be told now."""
    is_stale = Q(type=VERIFY, at__lte=now - CODE_LIFE) if channel.verified_at is None else Q(type=VERIFY)
    waiting.filter(is_stale).update(state=State.DROPPED, next_try=None)
    if channel.state != Channel.State.ACTIVE or not channel.person.is_active:
        waiting.exclude(type=VERIFY).update(state=State.DROPPED, next_try=None)
        return
    over = Q(incident=None) | Q(incident__acknowledged_at__isnull=False) | Q(incident__ended_at__isnull=False)
    over |= Q(incident__snoozed_until__gt=now)
    due = waiting.filter(next_try__lte=now, message="")
    idle = Q(is_escalation=True) & over
    if not channel.person.is_staff:  # whose devices may be another's by now
        idle |= Q(incident__isnull=False) & ~Q(incident__in=visible_incidents(channel.person))
    settled = list(due.filter(idle).values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=settled, state__in=Delivery.OPEN).update(state=State.DROPPED, next_try=None)
    until = quiet_until(channel, now)
    if until is not None:
        due.filter(is_urgent=False).update(next_try=until)


def _arm(channel: Channel) -> None:
    """Says when the channel is to be looked at next. Its row is locked."""
    waiting = Delivery.yet_to_send(channel)
    Channel.objects.filter(pk=channel.pk).update(wakes_at=waiting.aggregate(first=Min("next_try"))["first"])


def finish(claimed: Claim, outcome: Outcome, now: datetime) -> None:
    """What became of the try. Nothing, where the claim has run out and another has the message by now."""
    with transaction.atomic():
        channel = Channel.objects.select_for_update().filter(pk=claimed.channel.pk).first()
        if channel is None:
            return
        rows = Delivery.objects.filter(claim=claimed.token, state__in=[State.SENDING, State.UNSENT])
        told = {"claim": None, "claimed_until": None, "response_code": outcome.code, "error": outcome.error[:300]}
        first = claimed.rows[0]
        tried_at = first.first_tried_at or now
        if outcome.is_sent:
            rows.update(state=State.SENT, sent_at=now, next_try=None, **told)
        elif outcome.is_gone or now - tried_at >= LIFE:
            rows.update(state=State.FAILED, next_try=None, **told)
        else:
            doubt = {"maybe_twice": True} if outcome.is_unknown else {}
            again = min(now + _pause(first.attempts, outcome), tried_at + LIFE)
            rows.update(state=State.WAITING, next_try=again, **told, **doubt)
        if outcome.is_gone and channel.stopped_at is None:
            Channel.objects.filter(pk=channel.pk).update(stopped_at=now)
        _arm(channel)


def _pause(attempts: int, outcome: Outcome) -> timedelta:
    pause = PAUSES[min(attempts, len(PAUSES)) - 1] * random.uniform(0.9, 1.1)
    return max(pause, timedelta(seconds=outcome.retry_after))


def recover(now: datetime) -> int:
    """Claims that have run out: whoever had them is gone, and nobody knows how far it came. Who was only slow may still
    say what became of them, until another has them. How many deliveries."""
    late = Delivery.objects.filter(state=State.SENDING, claimed_until__lt=now)
    number = 0
    for channel in list(late.order_by("channel").values_list("channel", flat=True).distinct()):
        with transaction.atomic():
            held = Channel.objects.select_for_update().filter(pk=channel).first()
            number += late.filter(channel=channel).update(
                state=State.UNSENT, maybe_twice=True, claimed_until=None, next_try=now,
                error="The sender ended before it knew.",
            )  # fmt: skip
            if held is not None:
                _arm(held)
    return number
