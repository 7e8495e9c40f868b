"""From what happens to who is told of it. Called in the transaction in which it happens: rows only, nothing is sent."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, prefetch_related_objects

from alerts.channels.models import WEBHOOK, Channel
from alerts.conditions import server, silence
from alerts.deliveries.claiming import GATHER
from alerts.deliveries.models import Delivery
from alerts.incidents.happening import ACKNOWLEDGED, ENDED, ESCALATED, OPENED, REMINDED, Happening
from alerts.incidents.queries import visible_incidents
from alerts.incidents.serializers import IncidentReply

URGENT: Final = frozenset({server.DISK_FULL, server.WRITER_REFUSING, silence.NOTHING_HEARD, silence.OUTLET_SILENT})
"""Kinds of incidents that do not wait for the end of quiet hours."""
ROWS: Final = 1_000
"""Deliveries of one transaction: some 50 ms."""
_FOR_THE_FIRST: Final = frozenset({OPENED, REMINDED})
_FOR_THE_NEXT: Final = frozenset({ESCALATED})
"""Of what people are told beside the end. Webhooks are told of acknowledgements and escalations, too."""


def announce(happenings: Sequence[Happening]) -> None:
    """A delivery for each channel that is to be told of each. What is acknowledged or over goes to nobody farther."""
    # In the order of their numbers, before any of their deliveries: as whoever takes messages does.
    found = Channel.active().filter(incidents=True).select_related("person").select_for_update(of=("self",))
    channels = list(found.order_by("pk"))
    if not channels:
        return
    _settle(channels, happenings)
    prefetch_related_objects([one.incident for one in happenings], "device", "station", "acknowledged_by")
    seen = _seen(channels, happenings)
    known = _told_before(happenings)
    rows: list[Delivery] = []
    for happening in happenings:
        told = known.get(happening.incident.pk, frozenset())
        wanting = [
            channel
            for channel in channels
            if happening.incident.pk in seen[channel.person_id] and _wants(channel, happening, told)
        ]
        if wanting:
            data = IncidentReply.of(happening.incident)
            rows += [_delivery(channel, happening, data) for channel in wanting]
    store(rows)


def most_at_once() -> int:
    """Happenings of which one transaction has no more than ROWS to store."""
    return ROWS // max(1, Channel.active().filter(incidents=True).count())


def store(rows: Sequence[Delivery]) -> None:
    """Inserts them, but for those that are there already, and wakes their channels. In the caller's transaction."""
    Delivery.objects.bulk_create(rows, batch_size=200, ignore_conflicts=True)
    soonest: dict[int, tuple[Channel, datetime]] = {}
    for row in rows:
        assert row.next_try is not None
        at = soonest.get(row.channel_id, (row.channel, row.next_try))[1]
        soonest[row.channel_id] = row.channel, min(at, row.next_try)
    for _, (channel, at) in sorted(soonest.items()):
        channel.wake(at)


def due(channel: Channel, now: datetime) -> datetime:
    """When what happens now is told there: with what else happens until then."""
    return max(now + GATHER, channel.paced_until or now)


def _wants(channel: Channel, happening: Happening, told: frozenset[int]) -> bool:
    incident = happening.incident
    if channel.conditions and incident.kind not in channel.conditions:
        return False
    if channel.outlets and incident.outlet_id not in channel.outlets:
        return False
    if happening.type == ENDED:
        return channel.pk in told
    if channel.kind == WEBHOOK and happening.type in (ACKNOWLEDGED, ESCALATED):
        return True
    return happening.type in (_FOR_THE_NEXT if channel.after_minutes is None else _FOR_THE_FIRST)


def _delivery(channel: Channel, happening: Happening, data: dict[str, Any]) -> Delivery:
    incident, wait = happening.incident, timedelta()
    is_first = happening.type == OPENED
    if is_first and channel.after_minutes:
        wait = timedelta(minutes=channel.after_minutes)
    return Delivery(
        channel=channel,
        person_id=channel.person_id,
        key=f"{happening.type}:{incident.pk}:{int(happening.at.timestamp() * 1000)}",
        type=happening.type,
        incident=incident,
        at=happening.at,
        data=data,
        is_urgent=incident.kind in URGENT,
        is_escalation=bool(wait),
        next_try=due(channel, happening.at) + wait,
    )


def _settle(channels: Iterable[Channel], happenings: Iterable[Happening]) -> None:
    """What waits for nobody's acknowledgement is not told once there is one, or it is over."""
    over = [one.incident.pk for one in happenings if one.type in (ACKNOWLEDGED, ENDED)]
    if over:
        waiting = Delivery.objects.filter(incident__in=over, is_escalation=True, state=Delivery.State.WAITING)
        waiting = waiting.filter(channel__in=[channel.pk for channel in channels])
        waiting.filter(attempts=0).update(state=Delivery.State.DROPPED, next_try=None)


def _seen(channels: Iterable[Channel], happenings: Iterable[Happening]) -> Mapping[int, frozenset[int]]:
    """By person the incidents that they may see."""
    numbers = {one.incident.pk for one in happenings}
    people = {channel.person_id: channel.person for channel in channels}
    return {
        pk: frozenset(visible_incidents(person).filter(pk__in=numbers).order_by().values_list("pk", flat=True))
        for pk, person in people.items()
    }


def _told_before(happenings: Iterable[Happening]) -> Mapping[int, frozenset[int]]:
    """By incident that has ended the channels that have been, or are yet to be, told that it began."""
    ended = [one.incident.pk for one in happenings if one.type == ENDED]
    if not ended:
        return {}
    told = Q(incident__in=ended, type__in=[OPENED, REMINDED, ESCALATED]) & ~Q(state=Delivery.State.DROPPED)
    found: dict[int, set[int]] = {}
    for incident, channel in Delivery.objects.filter(told).order_by().values_list("incident", "channel"):
        found.setdefault(incident or 0, set()).add(channel)
    return {incident: frozenset(numbers) for incident, numbers in found.items()}
