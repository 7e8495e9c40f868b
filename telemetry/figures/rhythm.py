"""How often something is sold on a machine, and whether that has stopped: within its outlet's opening hours. And how
long a device that sends readings is usually silent."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby, pairwise
from operator import itemgetter
from statistics import median_low
from typing import Any, Final, NamedTuple

from django.db.models import F, OuterRef, QuerySet, Subquery

from device_gateway.models import DeviceTelemetry
from ozone.intake.sql import read_moment
from ozone.intake.written import Among, written
from ozone.wire.times import people_zone
from telemetry.figures.rollups import starts
from telemetry.models import HourlyCount, MachineDevice, TelemetryEvent
from telemetry.opening import OpeningHours, read_opening_hours

SPAN: Final = timedelta(days=28)
"""Of which the rhythm is: whole weeks."""
LEAST_PRESSES: Final = 20
"""With fewer nothing is usual."""
LEAST_GAP: Final = timedelta(hours=1)
MISSED: Final = 3
"""Usual gaps without a treatment: it has stopped."""

HEARD_SPAN: Final = timedelta(days=14)
"""Of which a device's usual silence is."""
HEARD_ROWS: Final = 2_000
"""The newest readings of that time at most."""
LEAST_SILENCES: Final = 3

Told = tuple[int, int, str]
"""A machine, its device, the opening hours of its outlet."""
UNKNOWN_AFTER: Final = timedelta(days=14)
"""Open time without a treatment, where nothing is usual."""
NEVER_AFTER: Final = timedelta(hours=12)
"""The same, of a machine that has never sold anything."""


class Rhythm(NamedTuple):
    """`usual_gap`: the longest open time between two treatments on a usual day, the median of all days that had any; an
    hour at least. Where no opening hours are told that is the night. `a_day`: treatments of a day."""

    usual_gap: timedelta
    a_day: float


class Silent(NamedTuple):
    """A machine that has stopped to sell, though its device is there."""

    machine: int
    last_press: datetime | None
    """None: with this device there was none."""
    rhythm: Rhythm | None


class Rhythms:
    """By machine, worked out once a day: what was usual in the four weeks until midnight."""

    def __init__(self) -> None:
        self._day: date | None = None
        self._known: dict[Told, Rhythm | None] = {}

    def of(self, machines: Collection[Told], now: datetime) -> dict[int, Rhythm]:
        """Those of which anything is usual."""
        end = starts(now)[1]
        day = now.astimezone(people_zone()).date()
        known = self._known if self._day == day else {}
        missing = {told[1]: told for told in machines if told not in known}
        found = dict.fromkeys(missing.values()) | _read(missing, end)
        self._day, self._known = day, known | found
        return {told[0]: rhythm for told in machines if (rhythm := self._known.get(told))}

    def forget(self) -> None:
        self._day, self._known = None, {}


rhythms: Final = Rhythms()


def _read(machines: Mapping[int, Told], end: datetime) -> dict[Told, Rhythm | None]:
    """By device."""
    if not machines:
        return {}
    total = F("basic") + F("standard") + F("premium")
    rows = HourlyCount.objects.filter(device_id__in=list(machines), starts_at__gte=end - SPAN, starts_at__lt=end)
    hours = rows.annotate(number=total).filter(number__gt=0).order_by("device_id", "starts_at")
    found: dict[Told, Rhythm | None] = {}
    columns = hours.values_list("device_id", "machine_id", "starts_at", "number")
    for device, counted in groupby(columns, key=itemgetter(0)):
        told = machines[device]
        own = [(at, number) for _, held_by, at, number in counted if held_by == told[0]]
        found[told] = rhythm_of(own, read_opening_hours(told[2]))
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
    first, last = (at.astimezone(zone).date() for at in (hours[0][0], hours[-1][0]))
    return Rhythm(max(median_low(longest.values()), LEAST_GAP), presses / ((last - first).days + 1))


def selling_nothing(machines: Collection[Told], now: datetime) -> list[Silent]:
    """Machines, all of which are there, that have sold nothing for MISSED usual gaps of open time. Where nothing is
    usual: for UNKNOWN_AFTER, or never in the first day."""
    quiet: dict[Told, tuple[datetime | None, timedelta]] = {}
    held = _last_presses(machines) if machines else {}
    for told in machines:
        since, last = held.get(told[:2], (now, None))
        if now - (last or since) <= MISSED * LEAST_GAP:
            continue
        silence = read_opening_hours(told[2]).open_between(last or since, now, people_zone())
        if silence > MISSED * LEAST_GAP:
            quiet[told] = last, silence
    usual = rhythms.of(quiet, now)
    return [
        Silent(told[0], last, usual.get(told[0]))
        for told, (last, silence) in quiet.items()
        if silence > _patience(usual.get(told[0]), last)
    ]


def _patience(rhythm: Rhythm | None, last: datetime | None) -> timedelta:
    if rhythm is not None:
        return MISSED * rhythm.usual_gap
    return UNKNOWN_AFTER if last else NEVER_AFTER


def _last_presses(machines: Collection[Told]) -> dict[tuple[int, int], tuple[datetime, datetime | None]]:
    """By machine and device since when they are together, and when the last treatment was."""
    found = {}
    for machine, device, assigned, pressed in _bound([device for _, device, _ in machines]):
        since = read_moment(assigned)
        assert since is not None
        found[machine, device] = since, read_moment(pressed)
    return found


@written
def _bound(devices: Collection[int]) -> "QuerySet[Any, Any]":
    """With the last treatment of each."""
    own = TelemetryEvent.objects.filter(machine=OuterRef("machine"), device=OuterRef("device"), treatment__isnull=False)
    bindings = MachineDevice.objects.filter(Among("device", devices), is_active=True)
    newest = Subquery(own.order_by("-occurred_at").values("occurred_at")[:1])
    return bindings.order_by().values_list("machine_id", "device_id", "assigned_date", newest)


def usual_silence(device: int, now: datetime) -> timedelta | None:
    """The longest time between two arrivals of the device's readings on a usual day of the last two weeks: the median
    of all days that had any. None: it has sent too few."""
    sent = DeviceTelemetry.objects.filter(device=device, occurred_at__gte=now - HEARD_SPAN, occurred_at__lte=now)
    arrivals = sorted({*sent.order_by("-occurred_at").values_list("received_at", flat=True)[:HEARD_ROWS]})
    if len(arrivals) <= LEAST_SILENCES:
        return None
    zone = people_zone()
    longest: dict[date, timedelta] = {}
    for before, after in pairwise(arrivals):
        day = after.astimezone(zone).date()
        longest[day] = max(after - before, longest.get(day, after - before))
    return median_low(longest.values())
