"""How many treatments there were in each bucket, by the coarsest of what is counted that is exact.

They are read from the counts by day where the zone's days are those the counts are kept in, from those by hour where
its hours are, and from the events otherwise. Where one counts until an instant within a day, the counts by day reach to
that day, those by hour to its hour, and the events of one hour are the rest.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, Min, Q, Sum

from ozone.wire.conf import options
from ozone.wire.work import stop_if_left
from telemetry.figures.analytics import QUARTER, TimeSlot
from telemetry.figures.buckets import Buckets
from telemetry.figures.rollups import starts
from telemetry.figures.zones import on_quarters, same_clock, same_hours
from telemetry.models import DailyCount, HourlyCount, MachineDevice, RollUp, TelemetryEvent
from telemetry.treatments import COUNTERS, TREATMENTS

NOTHING_BEFORE: Final = datetime(1972, 2, 1, tzinfo=UTC)
"""No machine is older. What `zones` says of time zones holds from then on."""
_MARGIN: Final = timedelta(days=2)
_MINUTE: Final = 60
STRETCH: Final = timedelta(days=7)
MOST_STRETCHES: Final = 52
_ANY: Final = Q(basic__gt=0) | Q(standard__gt=0) | Q(premium__gt=0)
"""A redate leaves rows of nothing behind."""

Conditions = Mapping[str, Any]
"""On the columns that rows of counts and events both have: `device_id`, `machine_id`, `outlet_id`."""
Row = tuple[Any, ...]
"""An instant, and how many basic, standard and premium there were from then on; before these numbers the columns by
which they are told apart (`by`), 0 where an event has none."""


def source_of(buckets: Buckets) -> str:
    """`days`, `hours`, `quarters` or `minutes`: the first two are kept counts, the others of events. Each of the
    stretches it counts is in one bucket."""
    zone, kept = buckets.zone, ZoneInfo(options().STATS_TIME_ZONE)
    start, end = _window(buckets)
    if buckets.granularity == "minute":
        return "minutes"
    # The counted days and hours at both ends may begin a little outside of the window.
    edges = (start - _MARGIN, end + _MARGIN)
    if buckets.granularity in ("day", "month") and same_clock(zone, kept, *edges):
        return "days"
    if same_hours(zone, kept, *edges):
        return "hours"
    return "quarters" if on_quarters(zone, *edges) else "minutes"


def counted(buckets: Buckets, source: str, conditions: Conditions, until: datetime | None = None) -> list[list[int]]:
    """How many basic, standard and premium there were: for each a number a bucket. With `until` only what was before.

    In three lists, not in a list a bucket: Python's collector walks through a hundred thousand of those while every
    other thread waits.
    """
    columns = [[0] * len(buckets.starts) for _ in TREATMENTS]
    for place, (_, *numbers) in placed(buckets, source, conditions, until):
        for column, number in zip(columns, numbers, strict=True):
            column[place] += number
    return columns


def placed(
    buckets: Buckets, source: str, conditions: Conditions, until: datetime | None = None, *, by: Sequence[str] = ()
) -> Iterator[tuple[int, Row]]:
    """The rows, each after the place of its bucket."""
    places = {start: place for place, start in enumerate(buckets.starts)}
    start, end = _window(buckets)
    if until is None:
        found = rows(source, start, end, conditions, by=by)
    else:
        found = rows_until(source, start, until, conditions, by=by)
    for count, row in enumerate(found):
        if count % 1000 == 0:
            stop_if_left()
        place = places.get(buckets.start_of(row[0]))
        if place is not None:
            yield place, row


def _window(buckets: Buckets) -> tuple[datetime, datetime]:
    start, end = buckets.bounds()
    return max(start, NOTHING_BEFORE), max(end, NOTHING_BEFORE)


def rows_until(
    source: str, start: datetime, until: datetime, conditions: Conditions, *, by: Sequence[str] = ()
) -> Iterator[Row]:
    """Those of what occurred from `start` and before `until`, which may lie within a day or hour of the source."""
    hour, day = starts(until)
    if source == "days":
        yield from rows("days", start, day, conditions, by=by)
        source, start = "hours", max(start, day)
    if source == "hours":
        yield from rows("hours", start, hour, conditions, by=by)
        source, start = "minutes", max(start, hour)
    yield from rows(source, start, until, conditions, by=by)


def rows(
    source: str, start: datetime, end: datetime, conditions: Conditions, *, by: Sequence[str] = ()
) -> Iterable[Row]:
    """Those that begin from `start` on and before `end`: the kept ones by time, the others in no order."""
    if start >= end:
        return ()
    if source in ("days", "hours"):
        return _of_kept(DailyCount if source == "days" else HourlyCount, start, end, conditions, by)
    return _of_events(_MINUTE if source == "minutes" else QUARTER, start, end, conditions, by)


def _of_kept(
    model: type[RollUp], start: datetime, end: datetime, conditions: Conditions, by: Sequence[str]
) -> Iterable[Row]:
    kept = model._default_manager.filter(starts_at__gte=start, starts_at__lt=end, **conditions)
    sums = [Sum(name) for name in COUNTERS]
    return kept.order_by("starts_at").values("starts_at", *by).values_list("starts_at", *by, *sums)


def _of_events(
    seconds: int, start: datetime, end: datetime, conditions: Conditions, by: Sequence[str]
) -> Iterator[Row]:
    """In stretches of the window, each with a query of its own: one long read would let SQLite's log grow."""
    length = max((end - start) / MOST_STRETCHES, STRETCH)
    while start < end:
        stop_if_left()
        stop = min(start + length, end)
        events = TelemetryEvent.objects.filter(
            treatment__isnull=False, occurred_at__gte=start, occurred_at__lt=stop, **conditions
        )
        groups = events.order_by().values("treatment", *by, slot=TimeSlot("occurred_at", seconds=seconds))
        for treatment, slot, number, *held in groups.values_list("treatment", "slot", Count("pk"), *by):
            numbers = (number if treatment == name else 0 for name in TREATMENTS)
            yield datetime.fromtimestamp(slot * seconds, UTC), *(one or 0 for one in held), *numbers
        start = stop


def first_counted(conditions: Conditions, since: datetime, now: datetime) -> datetime | None:
    """When the first hour began in which anything was counted, if that is not before `since`; `now`, where nothing was
    yet. None: there were some before, so that a zero from then on is a zero."""
    kept = HourlyCount.objects.filter(_ANY, **conditions)
    # Devices that were bound there: by their numbers an index finds whether there is one, however long the past is.
    bound = {name: conditions[f"{name}_id"] for name in ("machine", "outlet") if f"{name}_id" in conditions}
    if bound:
        kept = kept.filter(device_id__in=MachineDevice.objects.filter(**bound).values("device"))
    if kept.filter(starts_at__lt=since).exists():
        return None
    first: datetime | None = kept.filter(starts_at__gte=since).aggregate(first=Min("starts_at"))["first"]
    return first or now
