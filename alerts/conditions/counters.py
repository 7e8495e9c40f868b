"""What the ledger says of counters, and devices whose clock is wrong."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Max, Min, Sum

from alerts.conditions.found import Facts, Found, Moment, Watched, clock, counted
from alerts.conditions.rules import Rules
from ledger.lines.models import Kind, Line
from telemetry.models import TelemetryEvent

COUNTER_BACK: Final = "counter_back"
COUNTER_GAP: Final = "counter_gap"
CLOCK_WRONG: Final = "clock_wrong"

SPAN: Final = timedelta(days=14)
"""Older lines are the month's business, not an alert's."""
MISSING: Final = 10
SUSPECT_WITHIN: Final = timedelta(days=1)


def counter_back(watched: Sequence[Watched], moment: Moment) -> list[Found]:
    """A counter that told a lower number without a reset, which nobody has explained yet."""
    return _of_lines(COUNTER_BACK, Kind.BACK, 1, watched, moment)


def counter_gap(watched: Sequence[Watched], moment: Moment) -> list[Found]:
    """So many numbers that no press was told of, which nobody has explained yet."""
    return _of_lines(COUNTER_GAP, Kind.MISSING, MISSING, watched, moment)


def _of_lines(kind: str, line: Kind, least: int, watched: Sequence[Watched], moment: Moment) -> list[Found]:
    by_device = {one.device: one for one in watched}
    rules = Rules(kind, list(by_device), {one.outlet for one in watched if one.outlet})
    lines = Line.objects.filter(device__in=list(by_device), kind=line, settlement=None, at__gt=moment.now - SPAN)
    rows = (
        lines.order_by()
        .values_list("device")
        .annotate(lines=Count("id"), presses=Sum("count"), first=Min("at"), last=Max("at"))
    )
    found = []
    for device, number, presses, first, _ in rows:
        one = by_device[device]
        wanted = rules.number(least, device, one.outlet)
        if wanted is not None and presses >= wanted:
            found.append(one.found(kind, first, {"lines": number, "presses": presses}))
    return found


def clock_wrong(watched: Sequence[Watched], moment: Moment) -> list[Found]:
    """Presses of the last day whose own time nobody can believe."""
    by_device = {one.device: one for one in watched}
    rules = Rules(CLOCK_WRONG, list(by_device), {one.outlet for one in watched if one.outlet})
    suspect = TelemetryEvent.objects.filter(
        device__in=list(by_device), clock_suspect=True, received_at__gt=moment.now - SUSPECT_WITHIN
    )
    rows = suspect.order_by().values_list("device").annotate(number=Count("id"), first=Min("received_at"))
    found = []
    for device, number, first in rows:
        one = by_device[device]
        wanted = rules.number(1, device, one.outlet)
        if wanted is not None and number >= wanted:
            found.append(one.found(CLOCK_WRONG, first, {"presses": number}))
    return found


def says_counter_back(facts: Facts, since: datetime) -> str:
    return f"Its counter stepped back without a reset that anybody knows of, at {clock(since)}."


def says_counter_gap(facts: Facts, since: datetime) -> str:
    return f"Its counter says {counted(facts, 'presses')} presses more than were told, since {clock(since)}."


def says_clock_wrong(facts: Facts, since: datetime) -> str:
    return f"{counted(facts, 'presses')} presses since {clock(since)} were told with a time that cannot be."
