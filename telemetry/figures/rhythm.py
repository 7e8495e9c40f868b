"""How often something is sold on a machine, and whether that has stopped: within its outlet's opening hours."""

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median_low
from typing import Final, NamedTuple

from django.db.models import F, OuterRef, Subquery

from ozone.wire.times import people_zone
from telemetry.figures.rollups import starts
from telemetry.models import HourlyCount, Machine, TelemetryEvent
from telemetry.opening import OpeningHours, read_opening_hours

SPAN: Final = timedelta(days=28)
"""Of which the rhythm is: whole weeks."""
LEAST_PRESSES: Final = 20
"""With fewer nothing is usual."""
LEAST_GAP: Final = timedelta(hours=1)
MISSED: Final = 3
"""Usual gaps without a treatment: it has stopped."""
_HOUR: Final = timedelta(hours=1)


class Rhythm(NamedTuple):
    """`usual_gap`: the longest open time between two treatments on a usual day, the median of all days that had any; an
    hour at least. Where no opening hours are told that is the night. `a_day`: treatments in 24 open hours."""

    usual_gap: timedelta
    a_day: float


class Silent(NamedTuple):
    """A machine that has stopped to sell, though its device is there."""

    machine: int
    last_press: datetime
    rhythm: Rhythm


class Rhythms:
    """By machine, worked out once a day: what was usual in the four weeks until midnight."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._known: dict[int, Rhythm | None] = {}

    def of(self, machines: Collection[tuple[int, int, str]], now: datetime) -> dict[int, Rhythm]:
        """Of (machine, its device, opening hours of its outlet) those of which anything is usual."""
        end = starts(now)[1]
        day = now.astimezone(people_zone()).date()
        known = self._known if self._day == day else {}
        missing = {device: (machine, hours) for machine, device, hours in machines if machine not in known}
        found = {machine: None for machine, _ in missing.values()} | _read(missing, end)
        self._day, self._known = day, known | found
        return {machine: rhythm for machine, *_ in machines if (rhythm := self._known.get(machine))}

    def forget(self) -> None:
        self._day, self._known = None, {}


rhythms: Final = Rhythms()


def _read(machines: dict[int, tuple[int, str]], end: datetime) -> dict[int, Rhythm | None]:
    """By device which machine, and its hours."""
    if not machines:
        return {}
    total = F("basic") + F("standard") + F("premium")
    rows = HourlyCount.objects.filter(device_id__in=list(machines), starts_at__gte=end - SPAN, starts_at__lt=end)
    hours = rows.annotate(number=total).filter(number__gt=0).order_by("device_id", "starts_at")
    found: dict[int, Rhythm | None] = {}
    columns = hours.values_list("device_id", "machine_id", "starts_at", "number")
    for device, told in groupby(columns, key=itemgetter(0)):
        machine, opening = machines[device]
        own = [(at, number) for _, held_by, at, number in told if held_by == machine]
        found[machine] = rhythm_of(own, read_opening_hours(opening))
    return found


def rhythm_of(hours: Sequence[tuple[datetime, int]], opening: OpeningHours) -> Rhythm | None:
    """Of hours in which there were so many treatments, in order. None: too few."""
    presses = sum(number for _, number in hours)
    if presses < LEAST_PRESSES or len(hours) < 2:
        return None
    zone = people_zone()
    longest: dict[date, timedelta] = {}
    for (before, _), (after, _) in pairwise(hours):
        gap, day = opening.open_between(before, after, zone), after.astimezone(zone).date()
        longest[day] = max(gap, longest.get(day, gap))
    spent = opening.open_between(hours[0][0], hours[-1][0] + _HOUR, zone)
    return Rhythm(max(median_low(longest.values()), LEAST_GAP), presses / max(spent / timedelta(days=1), 1 / 24))


def selling_nothing(machines: Iterable[tuple[int, int, str]], now: datetime) -> list[Silent]:
    """Of (machine, its device, opening hours), all of which are there, those that have sold nothing for MISSED usual
    gaps of open time."""
    given = {device: (machine, hours) for machine, device, hours in machines}
    last = dict(_last_presses(given, now))
    zone = people_zone()
    quiet = [
        (machine, device, hours)
        for device, (machine, hours) in given.items()
        if device in last and read_opening_hours(hours).open_between(last[device], now, zone) > MISSED * LEAST_GAP
    ]
    usual = rhythms.of(quiet, now)
    return [
        Silent(machine, last[device], usual[machine])
        for machine, device, hours in quiet
        if machine in usual
        and read_opening_hours(hours).open_between(last[device], now, zone) > MISSED * usual[machine].usual_gap
    ]


def _last_presses(devices: Collection[int], now: datetime) -> Iterable[tuple[int, datetime]]:
    """By device, in the machine that has it."""
    own = TelemetryEvent.objects.filter(
        machine=OuterRef("pk"), device=OuterRef("device"), treatment__isnull=False, occurred_at__lte=now
    )
    newest = own.order_by("-occurred_at").values("occurred_at")[:1]
    rows = Machine.objects.filter(device__in=devices).order_by().annotate(pressed=Subquery(newest))
    return rows.filter(pressed__isnull=False).values_list("device_id", "pressed")
