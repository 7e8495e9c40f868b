"""What the runner does to incidents: each step a conditional write, told in the transaction that made it.

Two runners that look at the same moment both try; the database lets one of them through, and that one tells.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q, QuerySet

from alerts.conditions.found import Found, Moment
from alerts.incidents.happening import ENDED, ESCALATED, OPENED, REMINDED, Happening, announce, portions
from alerts.incidents.maintenance import Windows
from alerts.incidents.models import Incident
from device_gateway.versions import RegistryVersion
from ozone.intake.sql import BulkInsert, moment
from ozone.intake.written import written
from ozone.wire.conf import options
from telemetry.presence import AHEAD

HOLD: Final = timedelta(hours=1)
"""What begins again so soon after its end is the same incident. One that came back ends after so long without it."""
SETTLES: Final = timedelta(minutes=5)
"""How long a machine has to come back when its outlet has, before it is told by itself."""
_insert: Final = BulkInsert(
    Incident,
    (
        "kind", "subject_key", "subject", "device_id", "machine_id", "outlet_id", "station_id",
        "since", "opened_at", "told_at", "held_by_id", "facts", "cause",
    ),
    "ON CONFLICT DO NOTHING",
    returning=("id",),
)  # fmt: skip


def open_incidents(found: Sequence[Found], at: Moment, windows: Windows, held_by: int | None = None) -> dict[str, int]:
    """Of those that are not open yet, in transactions of a bounded length: outside of any other. Returns the open
    incidents of all of them by subject key.

    `held_by`: an incident that is told in their place. What ended before anybody listened, or by another clock, is none
    that begins again: nobody knows how long ago that was.
    """
    by_key = {one.subject_key: one for one in sorted(found, key=lambda one: one.subject_key)}
    is_open: dict[str, int] = {}
    for some in portions(list(by_key.values())):
        is_open |= _open(some, at, windows, held_by)
    return is_open


@transaction.atomic
def _open(found: Sequence[Found], at: Moment, windows: Windows, held_by: int | None) -> dict[str, int]:
    now = at.now
    by_key = {one.subject_key: one for one in found}
    kinds = {one.kind for one in found}
    known = Incident.objects.filter(subject_key__in=list(by_key), kind__in=kinds)
    open_now = dict(known.filter(ended_at=None).values_list("subject_key", "id"))
    happenings: list[Happening] = []
    for pk in sorted(open_now.values()):
        happenings += _begin_again(pk, by_key, now, windows, held_by)
    soon = max(min(one.since for one in found) - HOLD, at.counting_from)
    ended = known.filter(ended_at__gt=soon, ended_at__lte=now).exclude(subject_key__in=list(open_now)).order_by("id")
    for pk, key, over in ended.values_list("id", "subject_key", "ended_at"):
        if over is not None and over >= by_key[key].since - HOLD:
            happenings += _begin_again(pk, by_key, now, windows, held_by)
    open_now = dict(known.filter(ended_at=None).values_list("subject_key", "id"))
    made = [
        (
            one.kind, one.subject_key, one.subject[:250], one.device_id, one.machine_id, one.outlet_id, one.station_id,
            moment(connection, one.since), moment(connection, now),
            None if held_by or windows.cover(one) else moment(connection, now), held_by,
            json.dumps(one.facts), one.cause,
        )
        for key, one in by_key.items()
        if key not in open_now
    ]  # fmt: skip
    new = [pk for (pk,) in _insert.run(connection, made)]
    happenings += _happenings(OPENED, new, now)
    _tell(happenings)
    open_now.update(known.filter(ended_at=None).values_list("subject_key", "id"))
    return open_now


def _begin_again(
    pk: int, by_key: Mapping[str, Found], now: datetime, windows: Windows, held_by: int | None
) -> list[Happening]:
    """An incident that ended just now, or seemed to. It is told a second time, and no more until it has stayed away."""
    was_over = Q(ended_at__isnull=False) | Q(calm_since__isnull=False)
    incident = Incident.objects.filter(was_over, pk=pk).first()
    if incident is None:
        return []
    one = by_key[incident.subject_key]
    is_held = bool(held_by) or windows.cover(one)
    changes = {
        "since": one.since,
        "facts": dict(one.facts),
        "cause": one.cause,
        "times": F("times") + 1,
        "calm_since": None,
    }
    if incident.ended_at is not None:
        changes |= {"ended_at": None, "acknowledged_at": None, "escalated_at": None, "snoozed_until": None}
        changes |= {"held_by": held_by, "told_at": None if is_held else now}
    elif held_by:
        changes["held_by"] = held_by
    try:
        with transaction.atomic():
            is_mine = Incident.objects.filter(was_over, pk=pk, times=incident.times).update(**changes)
    except IntegrityError:  # another one of the subject was opened meanwhile
        return []
    # Members of the time before are no sign that this one is over.
    Incident.objects.filter(was_over, held_by=pk).update(held_by=None)
    return _happenings(OPENED, [pk], now) if is_mine and incident.ended_at is not None else []


def has_stayed_away(now: datetime) -> Q:
    """Of incidents that seem to be over: for so long that they are. What seems so since a time that is to come was seen
    before somebody set the clock back."""
    return Q(calm_since__lte=now - HOLD) | Q(calm_since__gt=now + AHEAD)


def end_incidents(numbers: Iterable[int], now: datetime) -> list[int]:
    """What was found of them is over. One that came back before ends when it has stayed away for HOLD. Returns those
    that have ended now. In transactions of a bounded length, where it is called outside of any other."""
    return [pk for some in portions(sorted(numbers)) for pk in _end(some, now)]


@transaction.atomic
def _end(numbers: Sequence[int], now: datetime) -> list[int]:
    ended = []
    is_steady = Q(times=1) | Q(told_at=None) | has_stayed_away(now)
    for pk in numbers:
        is_open = Incident.objects.filter(pk=pk, ended_at=None)
        if is_open.filter(is_steady).update(ended_at=now, calm_since=None):
            ended.append(pk)
        else:
            is_open.filter(calm_since=None).update(calm_since=now)
    _tell(_happenings(ENDED, ended, now))
    return ended


def forget_the_future(now: datetime) -> None:
    """By a clock that was set back what has ended in times to come has ended now at the latest: the next of its subject
    may be hours away, and another."""
    Incident.objects.filter(ended_at__gt=now).update(ended_at=now)


def release(now: datetime) -> None:
    """Tells those that were held back and still last: the maintenance is over, or the outlet is back without them."""
    if held := [number for (number,) in _untold(now)]:
        windows = Windows(now)
        freed = [one.pk for one in Incident.objects.filter(pk__in=held).order_by("id") if not windows.cover(one)]
        _claim(freed, Q(told_at=None, ended_at=None), {"told_at": now}, OPENED, now)


@written
def _untold(now: datetime) -> "QuerySet[Any, Any]":
    """But for those that one of their outlet is told in place of."""
    untold = Incident.objects.filter(told_at=None, ended_at=None, calm_since=None)
    is_free = Q(held_by=None) | Q(held_by__ended_at__lte=now - SETTLES)
    return untold.filter(is_free).order_by().values_list("id")


def escalate(now: datetime) -> None:
    """Tells the next people of what nobody has acknowledged for ALERT_ESCALATION_MINUTES; and reminds of what was put
    off until now."""
    _claim([number for (number,) in _put_off(now)], _is_put_off(now), {"snoozed_until": None}, REMINDED, now)
    if minutes := options().ALERT_ESCALATION_MINUTES:
        told = now - timedelta(minutes=minutes)
        _claim([number for (number,) in _late(told)], _is_late(told), {"escalated_at": now}, ESCALATED, now)


def _is_put_off(now: datetime) -> Q:
    return Q(ended_at=None, snoozed_until__lte=now)


def _is_late(told: datetime) -> Q:
    """Told by then, and nobody has done anything."""
    nobody = Q(ended_at=None, acknowledged_at=None, escalated_at=None, snoozed_until=None, calm_since=None)
    return nobody & Q(told_at__lte=told)


@written
def _put_off(now: datetime) -> "QuerySet[Any, Any]":
    return Incident.objects.filter(_is_put_off(now)).order_by("id").values_list("id")


@written
def _late(told: datetime) -> "QuerySet[Any, Any]":
    return Incident.objects.filter(_is_late(told)).order_by("id").values_list("id")


def _claim(
    numbers: Sequence[int], condition: Q, change: Mapping[str, datetime | None], kind: str, now: datetime
) -> None:
    """Changes those of which the condition still holds, and tells them."""
    for some in portions(numbers):
        with transaction.atomic():
            mine = [pk for pk in some if Incident.objects.filter(condition, pk=pk).update(**change)]
            _tell(_happenings(kind, mine, now))


def _happenings(kind: str, numbers: Collection[int], now: datetime) -> list[Happening]:
    told = Incident.objects.filter(pk__in=numbers, told_at__isnull=False).order_by("id") if numbers else []
    return [Happening(kind, now, incident) for incident in told]


def _tell(happenings: Sequence[Happening]) -> None:
    announce(happenings)
    if happenings:
        transaction.on_commit(RegistryVersion.change_pages, robust=True)
