"""For how much of each of the last days machines were silent, by their incidents."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Final, NamedTuple

from django.db.migrations.recorder import MigrationRecorder
from django.db.models import Min, Q

from alerts.conditions.silence import SILENT
from alerts.incidents.models import Incident
from ozone.wire.times import people_zone
from telemetry.models import MachineDevice

DAYS: Final = 90
_MOST: Final = 20_000
"""Incidents that are looked at, the latest."""


class Day(NamedTuple):
    """`share` of it, 0 to 1, in which the machines were heard as they should be; None: nobody knows."""

    day: date
    share: float | None


def uptime(machines: Iterable[int], now: datetime) -> list[Day]:
    """Of these machines together, by the calendar of the pages, the oldest day first. Nothing is known of a machine
    before it had a device, nor of any before the server looked for incidents."""
    numbers = list(machines)
    days = list(_days(now))
    begin, looked_since = days[0][1], _looked_since()
    held = MachineDevice.objects.filter(machine__in=numbers).values("machine").annotate(since=Min("assigned_date"))
    known = {row["machine"]: max(row["since"], looked_since) for row in held} if looked_since else {}
    silences: dict[int, list[tuple[datetime, datetime]]] = {}
    lasted = Q(ended_at=None) | Q(ended_at__gte=begin)
    found = Incident.objects.filter(lasted, kind=SILENT, machine__in=known).order_by("-id")
    for machine, since, ended in found.values_list("machine", "since", "ended_at")[:_MOST]:
        if machine is not None:
            silences.setdefault(machine, []).append((since, ended or now))
    silent = [0.0] * DAYS
    for machine, spans in silences.items():
        for since, until in _joined(spans):
            _add(silent, days, max(since, known[machine]), min(until, now))
    return [
        Day(day, _share(start, min(end, now), known.values(), seconds))
        for (day, start, end), seconds in zip(days, silent, strict=True)
    ]


def _days(now: datetime) -> Iterator[tuple[date, datetime, datetime]]:
    zone = people_zone()
    today = now.astimezone(zone).date()
    for ago in range(DAYS - 1, -1, -1):
        day = today - timedelta(days=ago)
        yield day, _midnight(day), _midnight(day + timedelta(days=1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), people_zone())


def _looked_since() -> datetime | None:
    """When the tables of incidents were made."""
    applied = MigrationRecorder.Migration.objects.filter(app="alerts", name="0001_initial")
    return applied.values_list("applied", flat=True).first()


def _joined(spans: Iterable[tuple[datetime, datetime]]) -> Iterator[tuple[datetime, datetime]]:
    """Those that touch as one."""
    begin = end = None
    for since, until in sorted(spans):
        if begin is None or end is None or since > end:
            if begin is not None and end is not None:
                yield begin, end
            begin, end = since, until
        else:
            end = max(end, until)
    if begin is not None and end is not None:
        yield begin, end


def _add(
    silent: list[float], days: Sequence[tuple[date, datetime, datetime]], since: datetime, until: datetime
) -> None:
    """To each of the days the seconds of it that lie between the two."""
    place = bisect_right(days, since, key=lambda day: day[2])
    while place < len(days) and days[place][1] < until:
        _, start, end = days[place]
        silent[place] += max(0.0, (min(until, end) - max(since, start)).total_seconds())
        place += 1


def _share(start: datetime, end: datetime, known: Iterable[datetime], silent: float) -> float | None:
    """Of a day, of machines that are known since then."""
    whole = sum((end - max(start, since)).total_seconds() for since in known if since < end)
    return max(0.0, 1 - silent / whole) if whole > 0 else None
