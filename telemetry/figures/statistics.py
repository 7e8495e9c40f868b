"""Statistics: how often which treatment was chosen, in each minute, hour, day or month of a zone's wall clock.

They are read from the counts by day where the zone's days are those the counts are kept in, from those by hour where
its hours are, and from the events otherwise: always exact.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Count, QuerySet, Sum

from device_gateway.registry.queries import find_device, visible_devices
from ozone.wire.conf import options
from ozone.wire.errors import Invalid
from ozone.wire.work import stop_if_left
from telemetry.figures.analytics import TimeSlot
from telemetry.figures.buckets import MAX_BUCKETS, Buckets, wall_time
from telemetry.figures.zones import changes, on_quarters, same_clock, same_hours
from telemetry.models import DailyCount, HourlyCount, Machine, MachineDevice, Outlet, RollUp, TelemetryEvent
from telemetry.treatments import COUNTERS, TREATMENTS
from telemetry.visible import find, visible_machines, visible_outlets

YEARS: Final = range(1900, 2200)
"""Years that start and end may have: no sum with such dates leaves the calendar."""
_NOTHING_BEFORE: Final = datetime(1972, 2, 1, tzinfo=UTC)
"""No machine is older. What `zones` says of time zones holds from then on."""
_MARGIN: Final = timedelta(days=2)
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
STRETCH: Final = timedelta(days=7)
MOST_STRETCHES: Final = 52
_NAMES: Final = (*COUNTERS, "total")

Row = tuple[datetime, int, int, int]
"""An instant, and how many basic, standard and premium there were from then on."""


@dataclass(frozen=True)
class Filters:
    """What statistics are asked for. `start` and `end` are instants in YEARS, both inclusive; without them, the last
    `days`."""

    granularity: str = "day"
    zone: ZoneInfo | None = None
    """None: STATS_TIME_ZONE."""
    days: int = 7
    start: datetime | None = None
    end: datetime | None = None
    outlet_id: int | None = None
    machine_id: int | None = None
    device_id: str | None = None
    """Any name of the device, or its integer id."""
    cumulative: bool = False
    ma: int = 0
    """The series are means over so many buckets; 0 and 1: they are not."""
    compare: bool = False


def statistics(actor: Any, filters: Filters, now: datetime) -> dict[str, Any]:
    """`{"labels", "series", "prev_series", "kpi"}`: a label for each bucket; series `basic, standard, premium, total`
    of as many numbers; `kpi {total, avg, min, max, prev_total, delta_pct}` of the plain totals.

    `prev_series`, with `compare`, is of as many buckets just before. Means and percentages have two places. Raises
    Invalid naming the parameter, NotFound where outlet, machine or device are not the actor's.
    """
    buckets = _buckets(filters, now)
    before = buckets.before()
    columns = _counted(before + buckets, _source(before + buckets), _conditions(actor, filters))
    length = len(before.starts)
    plain, prev_plain = (
        _series([column[length:] for column in columns]),
        _series([column[:length] for column in columns]),
    )
    return {
        "labels": buckets.labels(),
        "series": _shown(plain, filters),
        "prev_series": _shown(prev_plain, filters) if filters.compare else None,
        "kpi": _kpi(plain["total"], sum(prev_plain["total"])),
    }


def statistics_options(actor: Any, *, outlet_id: int | None = None, machine_id: int | None = None) -> dict[str, Any]:
    """What the actor may choose from: `{"outlets", "machines", "devices"}`, without those that are archived.

    With `outlet_id` the machines there and their devices, with `machine_id` the device of that machine.
    """
    machines, devices = visible_machines(actor), visible_devices(actor)
    if outlet_id is not None:
        machines, devices = machines.filter(outlet=outlet_id), devices.filter(machine__outlet=outlet_id)
    if machine_id is not None:
        devices = devices.filter(machine=machine_id)
    return {
        "outlets": list(visible_outlets(actor).order_by("name", "pk").values("id", "name")),
        "machines": list(machines.order_by("name", "pk").values("id", "name", "outlet_id")),
        "devices": [
            {"id": pk, "device_id": device_id, "name": name, "machine_id": machine}
            for pk, device_id, name, machine in devices.order_by("device_id").values_list(
                "pk", "device_id", "name", "machine"
            )
        ],
    }


# --- which buckets ---


def _buckets(filters: Filters, now: datetime) -> Buckets:
    zone = filters.zone or ZoneInfo(options().STATS_TIME_ZONE)
    end = filters.end or now
    if filters.start is None:
        midnight = wall_time(end, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        first, last = midnight - timedelta(days=filters.days - 1), _shown_between(zone, end - _DAY, end)[1]
    elif filters.start <= end:
        first, last = _shown_between(zone, filters.start, end)
    elif filters.end is not None:
        raise Invalid.named("end", "Not before start.")
    else:
        first, last = wall_time(filters.start, zone), wall_time(end, zone)
    buckets = Buckets.between(filters.granularity, zone, first, last)
    if not buckets.starts:
        raise Invalid.named("start", "Not after now, unless there is an end.")
    if len(buckets.starts) > MAX_BUCKETS:
        name = "days" if filters.start is None else "start"
        raise Invalid.named(name, f"More than {MAX_BUCKETS:,} buckets. Take fewer, or another granularity.")
    return buckets


def _shown_between(zone: ZoneInfo, start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The least and the greatest wall time that the clock shows from `start` to `end`. Where it goes back near one of
    them, neither is that one's own."""
    past = end + _MICROSECOND
    near = {*changes(zone, start, min(start + _DAY, past)), *changes(zone, max(start, end - _DAY), past)}
    shown = [wall_time(at, zone) for at in (start, end, *near, *(at - _MICROSECOND for at in near))]
    return min(shown), max(shown)


# --- which rows ---


def _conditions(actor: Any, filters: Filters) -> dict[str, Any]:
    """The filters and what the actor may see, as conditions on rows of counts or of events: both have these columns."""
    devices = visible_devices(actor, archived=True)
    found: dict[str, Any] = {} if actor.is_staff else {"device_id__in": devices.values("pk")}
    if filters.outlet_id is not None:
        found["outlet_id"] = find(_past_outlets(actor), filters.outlet_id, code="unknown_outlet").pk
    if filters.machine_id is not None:
        found["machine_id"] = find(_past_machines(actor), filters.machine_id, code="unknown_machine").pk
    if filters.device_id is not None:
        found["device_id"] = find_device(devices, filters.device_id).pk
    return found


def _past_machines(actor: Any) -> "QuerySet[Machine]":
    """Those that have or ever had a device of the actor's, archived ones too: their past is there to be asked for."""
    return (
        Machine.objects.all() if actor.is_staff else Machine.objects.filter(pk__in=_bindings(actor).values("machine"))
    )


def _past_outlets(actor: Any) -> "QuerySet[Outlet]":
    outlets = Outlet.objects.all()
    return outlets if actor.is_staff else outlets.filter(pk__in=_bindings(actor).values("outlet"))


def _bindings(actor: Any) -> "QuerySet[MachineDevice]":
    return MachineDevice.objects.filter(device__in=visible_devices(actor, archived=True))


# --- where they are counted ---


def _source(buckets: Buckets) -> str:
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


def _window(buckets: Buckets) -> tuple[datetime, datetime]:
    start, end = buckets.bounds()
    return max(start, _NOTHING_BEFORE), max(end, _NOTHING_BEFORE)


def _counted(buckets: Buckets, source: str, conditions: Mapping[str, Any]) -> list[list[int]]:
    """How many basic, standard and premium there were: for each a number a bucket.

    In three lists, not in a list a bucket: Python's collector walks through a hundred thousand of those while every
    other thread waits.
    """
    places = {start: place for place, start in enumerate(buckets.starts)}
    columns = [[0] * len(places) for _ in TREATMENTS]
    window = _window(buckets)
    if source in ("days", "hours"):
        rows = _of_kept(DailyCount if source == "days" else HourlyCount, window, conditions)
    else:
        rows = _of_events(60 if source == "minutes" else 900, window, conditions)
    for count, (instant, *numbers) in enumerate(rows):
        if count % 1000 == 0:
            stop_if_left()
        place = places.get(buckets.start_of(instant))
        if place is not None:
            for column, number in zip(columns, numbers, strict=True):
                column[place] += number
    return columns


def _of_kept(model: type[RollUp], window: tuple[datetime, datetime], conditions: Mapping[str, Any]) -> Iterable[Row]:
    kept = model._default_manager.filter(starts_at__gte=window[0], starts_at__lt=window[1], **conditions)
    sums = [Sum(name) for name in COUNTERS]
    return kept.order_by("starts_at").values("starts_at").values_list("starts_at", *sums)


def _of_events(seconds: int, window: tuple[datetime, datetime], conditions: Mapping[str, Any]) -> Iterator[Row]:
    """In stretches of the window, each with a query of its own: one long read would let SQLite's log grow."""
    start, end = window
    length = max((end - start) / MOST_STRETCHES, STRETCH)
    while start < end:
        stop_if_left()
        stop = min(start + length, end)
        events = TelemetryEvent.objects.filter(
            treatment__isnull=False, occurred_at__gte=start, occurred_at__lt=stop, **conditions
        )
        groups = events.order_by().values("treatment", slot=TimeSlot("occurred_at", seconds=seconds))
        for treatment, slot, number in groups.values_list("treatment", "slot", Count("pk")):
            numbers = [number if treatment == name else 0 for name in TREATMENTS]
            yield datetime.fromtimestamp(slot * seconds, UTC), numbers[0], numbers[1], numbers[2]
        start = stop


# --- what is shown ---


def _series(columns: Sequence[list[int]]) -> dict[str, list[int]]:
    totals = [sum(numbers) for numbers in zip(*columns, strict=True)]
    return dict(zip(_NAMES, (*columns, totals), strict=True))


def _shown(series: Mapping[str, list[int]], filters: Filters) -> dict[str, list[Any]]:
    """First added up, then averaged."""
    shown: dict[str, list[Any]] = {}
    for name, numbers in series.items():
        added = list(accumulate(numbers)) if filters.cumulative else numbers
        shown[name] = _means(added, filters.ma) if filters.ma > 1 else added
    return shown


def _means(numbers: Sequence[int], width: int) -> list[float]:
    """The moving mean: of each number and those before it, `width` in all; of fewer at the beginning."""
    sums = [0, *accumulate(numbers)]
    return [round((sums[end] - sums[max(0, end - width)]) / min(end, width), 2) for end in range(1, len(numbers) + 1)]


def _kpi(totals: Sequence[int], prev_total: int) -> dict[str, Any]:
    total = sum(totals)
    return {
        "total": total,
        "avg": round(total / len(totals), 2),
        "min": min(totals),
        "max": max(totals),
        "prev_total": prev_total,
        "delta_pct": round(100 * (total - prev_total) / prev_total, 2) if prev_total else None,
    }
