"""Machines that are there and sell nothing, and sales that cannot be told."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Min

from alerts.conditions.found import Facts, Found, Moment, Watched, clock
from alerts.conditions.rules import Rules
from ozone.wire.times import iso
from ozone.wire.words import duration
from telemetry.events.quarantine import CONFLICT
from telemetry.figures.rhythm import MISSED, selling_nothing
from telemetry.models import DeviceStatus, QuarantinedEvent
from telemetry.presence import Presence, presence

SELLS_NOTHING: Final = "sells_nothing"
HELD_UP: Final = "held_up"

LISTENED: Final = timedelta(days=1)
"""Nobody has missed a press that may still be on its way: so long after the server came back, or less where less than
that is usual. And so long a machine that is not online is still one that sells nothing."""
REFUSED_FOR: Final = timedelta(minutes=10)
RETRIES_WITHIN: Final = timedelta(hours=1)
"""A device that holds an event sends it again and again: one that it has not sent for so long holds up nothing."""
QUEUED: Final = 20
TOLD_WITHIN: Final = timedelta(hours=1)


def sells_nothing(watched: Sequence[Watched], moment: Moment) -> list[Found]:
    """Of those that are online: no press for three of their usual gaps, within opening hours. Of others, and after the
    server was away, it cannot be known."""
    rules = Rules(SELLS_NOTHING, [one.device for one in watched], {one.outlet for one in watched if one.outlet})
    there, found = {}, []
    for one in watched:
        if one.machine is None or rules.number(1, one.device, one.outlet) is None:
            continue
        if presence(one.last_poll, one.last_seen, moment.now) == Presence.ONLINE:
            there[one.machine] = one
        elif one.heard is not None and moment.now - max(one.heard, moment.counting_from) < LISTENED:
            found.append(one.found(SELLS_NOTHING, moment.now, {}, is_new=False))
    stopped = selling_nothing([(number, one.device, one.hours or "") for number, one in there.items()], moment.now)
    for machine, last, rhythm in stopped:
        one = there[machine]
        usual = rhythm and rhythm.usual_gap
        is_new = moment.now - moment.counting_from >= min(LISTENED, MISSED * (usual or LISTENED))
        facts = {
            "last_press": last and iso(last),
            "usual_gap_seconds": usual and int(usual.total_seconds()),
            "presses_a_day": rhythm and round(rhythm.a_day, 1),
        }
        found.append(one.found(SELLS_NOTHING, last or moment.counting_from, facts, is_new=is_new))
    return found


def held_up(watched: Sequence[Watched], moment: Moment) -> list[Found]:
    """A refused event that is sent again and again, conflicts that nobody has decided, a queue that does not empty."""
    by_device = {one.device: one for one in watched}
    rules = Rules(HELD_UP, list(by_device), {one.outlet for one in watched if one.outlet})
    facts: dict[int, dict[str, object]] = {}
    since: dict[int, datetime] = {}
    waiting = QuarantinedEvent.objects.filter(state=QuarantinedEvent.State.OPEN, device__in=list(by_device))
    refused = waiting.exclude(code=CONFLICT).filter(
        first_at__lte=moment.now - REFUSED_FOR, last_at__gt=moment.now - RETRIES_WITHIN
    )
    for name, rows in (("refused", refused), ("conflicts", waiting.filter(code=CONFLICT))):
        by_own = rows.order_by().values_list("device").annotate(number=Count("id"), first=Min("first_at"))
        for device, number, first in by_own:
            facts.setdefault(device, {})[name] = number
            since[device] = min(since.get(device, first), first)
    told = DeviceStatus.objects.filter(
        device__in=list(by_device), queue_length__gte=1, vitals_at__gt=moment.now - TOLD_WITHIN
    )
    for device, number, at in told.values_list("device_id", "queue_length", "vitals_at"):
        wanted = rules.number(QUEUED, device, by_device[device].outlet)
        if wanted is not None and number is not None and at is not None and number >= wanted:
            facts.setdefault(device, {})["queue_length"] = number
            since.setdefault(device, at)
    return [
        by_device[device].found(HELD_UP, since[device], what)
        for device, what in sorted(facts.items())
        if rules.number(QUEUED, device, by_device[device].outlet) is not None
    ]


def says_sells_nothing(facts: Facts, since: datetime) -> str:
    usual = facts.get("usual_gap_seconds")
    told = f" Usually {duration(usual)} pass without one at most." if usual else ""
    if not facts.get("last_press"):
        return "It polls, and has never told a press."
    return f"It polls, and has told no press since {clock(since)}.{told}"


def says_held_up(facts: Facts, since: datetime) -> str:
    words = []
    if number := facts.get("refused"):
        words.append(
            f"{number} of its events {'is' if number == 1 else 'are'} refused, and nothing behind gets through"
        )
    if number := facts.get("conflicts"):
        words.append(f"{number} {'press was' if number == 1 else 'presses were'} told under the id of another one")
    if number := facts.get("queue_length"):
        words.append(f"{number} events wait in it")
    return f"Since {clock(since)}: {'; '.join(words)}."
