"""Statistics: how often which treatment was chosen, in each minute, hour, day or month of a zone's wall clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.db.models import Q, QuerySet

from device_gateway.registry.queries import find_device, visible_devices
from ozone.wire.conf import options
from ozone.wire.errors import Invalid
from telemetry.figures.buckets import MAX_BUCKETS, Buckets, first_after, wall_time
from telemetry.figures.counting import Conditions, counted, source_of
from telemetry.figures.zones import changes
from telemetry.finding import devices_with, machines_with, outlets_with
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.treatments import COUNTERS
from telemetry.visible import find, visible_machines, visible_outlets

YEARS: Final = range(1900, 2200)
"""Years that start and end may have: no sum with such dates leaves the calendar."""
MOST_OPTIONS: Final = 10_000
"""Offered of each kind at once."""
_DAY: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)
_NAMES: Final = (*COUNTERS, "total")

Series = Mapping[str, list[int]]
"""By basic, standard, premium and total a number a bucket."""


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
    until_now: bool = False
    """The bucket of now ends at this instant, and the one beside it as long after its own beginning."""
    same_hours: bool = False
    """Minutes and hours are compared with the same ones of as many whole days before as they last, and not with as many
    just before: today's with yesterday's."""


@dataclass(frozen=True)
class Counted:
    """What there was in the buckets, and in those they are compared with."""

    buckets: Buckets
    plain: Series
    before: Buckets
    plain_before: Series
    days_before: timedelta | None
    """How much earlier those are, where they are the same hours; None: as many buckets just before."""
    until: datetime | None
    """The wall time, inclusive, at which the counting of those ends; None: with the last."""
    conditions: Conditions
    source: str
    ends: tuple[datetime | None, datetime | None]
    """The instants before which both are counted; None: to the end of the last bucket."""

    @property
    def beside(self) -> list[tuple[datetime, int | None]]:
        """For each bucket where the one that it is compared with begins, and its place; it may be an hour that the
        clock skipped, which has none."""
        if self.days_before is None:
            return list(zip(self.before.starts, range(len(self.before.starts)), strict=True))
        places = {start: place for place, start in enumerate(self.before.starts)}
        starts = [start - self.days_before for start in self.buckets.starts]
        return [(start, places.get(start)) for start in starts]


def statistics(actor: Any, filters: Filters, now: datetime) -> dict[str, Any]:
    """`{"labels", "series", "prev_series", "kpi"}`: a label for each bucket; series `basic, standard, premium, total`
    of as many numbers; `kpi {total, avg, min, max, prev_total, delta_pct}` of the plain totals.

    `prev_series`, with `compare`, is of as many buckets just before. Means and percentages have two places. Raises
    Invalid naming the parameter, NotFound where outlet, machine or device are not the actor's.
    """
    found = count(actor, filters, now)
    return {
        "labels": found.buckets.labels(),
        "series": shown(found.plain, filters),
        "prev_series": shown(found.plain_before, filters) if filters.compare else None,
        "kpi": _kpi(found.plain["total"], sum(found.plain_before["total"])),
    }


def count(actor: Any, filters: Filters, now: datetime) -> Counted:
    """The plain numbers. Raises as `statistics`."""
    buckets = _buckets(filters, now)
    before, days_before = _before(buckets, filters)
    conditions, source = conditions_of(actor, filters), source_of(before + buckets)
    until = _as_far_as_now(buckets, before, days_before, now) if filters.until_now else None
    ends: tuple[datetime | None, datetime | None] = (None, None)
    if until is not None:
        # The minutes before are whole, those too that the clock shows again.
        again = filters.granularity == "minute"
        ends = (now + _MICROSECOND, first_after(until, buckets.zone, again=again))
    plain, plain_before = (
        _series(counted(some, source, conditions, end)) for some, end in zip((buckets, before), ends, strict=True)
    )
    return Counted(buckets, plain, before, plain_before, days_before, until, conditions, source, ends)


def _before(buckets: Buckets, filters: Filters) -> tuple[Buckets, timedelta | None]:
    """What they are compared with, and how many days before that is, where it is the same hours."""
    if filters.same_hours and filters.granularity in ("minute", "hour"):
        days = buckets.whole_days()
        if (earlier := buckets.earlier(days)).starts:  # none, where they are one hour that the clock skipped then
            return earlier, days
    return buckets.before(), None


def _as_far_as_now(buckets: Buckets, before: Buckets, days: timedelta | None, now: datetime) -> datetime | None:
    """The wall time before that stands beside now's, at the latest the end of that bucket; None where now is in none of
    the buckets."""
    here = buckets.start_of(now)
    if here not in buckets.starts:
        return None
    there = before.starts[buckets.starts.index(here)] if days is None else here - days
    return min(there + (wall_time(now, buckets.zone) - here), before.end_of(there))


def statistics_options(
    actor: Any,
    *,
    outlet_id: int | None = None,
    machine_id: int | None = None,
    words: str = "",
    most: int = MOST_OPTIONS,
    outlets: int = MOST_OPTIONS,
) -> dict[str, Any]:
    """What the actor may choose from: `{"outlets", "machines", "devices", "more"}`. Last come those that are archived,
    which say so by `archived`: their past is there to be asked for.

    With `outlet_id` the machines there and their devices, with `machine_id` the device of that machine, with `words`
    what these find. Of outlets the first `outlets`, of the others `most`, and after them that machine where it is none
    of these; `more` names the lists that were cut.
    """
    machines, devices = visible_machines(actor), visible_devices(actor, archived=True)
    past_machines = _past_machines(actor).exclude(archived_at=None)
    if outlet_id is not None:
        machines, devices = machines.filter(outlet=outlet_id), devices.filter(machine__outlet=outlet_id)
        past_machines = past_machines.filter(Q(outlet=outlet_id) | Q(former_outlet=outlet_id))
    if machine_id is not None:
        devices = devices.filter(machine=machine_id)
    device, machine = ("id", "device_id", "name", "machine_id"), ("id", "name", "outlet_id")
    this, past_this = (some.filter(pk=machine_id or 0) for some in (machines, past_machines))
    places, past_places = visible_outlets(actor), _past_outlets(actor).exclude(archived_at=None)
    places, past_places = outlets_with(places, words), outlets_with(past_places, words)
    machines, past_machines = machines_with(machines, words), machines_with(past_machines, words)
    devices = devices_with(actor, devices, words)
    found = {
        "outlets": _choices(places, past_places, "name_order", ("id", "name"), outlets + 1),
        "machines": _choices(machines, past_machines, "name_order", machine, most + 1),
        "devices": _choices(
            devices.filter(archived_at=None), devices.exclude(archived_at=None), "device_id_order", device, most + 1
        ),
    }
    more = [name for name, rows in found.items() if len(rows) > (outlets if name == "outlets" else most)]
    for name in more:
        found[name].pop()
    if machine_id is not None and all(row["id"] != machine_id for row in found["machines"]):
        found["machines"] += _choices(this, past_this, "name_order", machine, 1)
    return {**found, "more": more}


def _choices(
    present: "QuerySet[Any]", past: "QuerySet[Any]", order: str, names: Sequence[str], most: int
) -> list[dict[str, Any]]:
    columns = [name.replace("machine_id", "machine") for name in names]
    rows = [dict(zip(names, row, strict=True)) for row in present.order_by(order, "pk").values_list(*columns)[:most]]
    gone = past.order_by(order, "pk").values_list(*columns)[: most - len(rows)]
    return [*rows, *({**dict(zip(names, row, strict=True)), "archived": True} for row in gone)]


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


def conditions_of(actor: Any, filters: Filters) -> Conditions:
    """The filters and what the actor may see, as conditions on rows of counts or of events."""
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


# --- what is shown ---


def _series(columns: Sequence[list[int]]) -> dict[str, list[int]]:
    totals = [sum(numbers) for numbers in zip(*columns, strict=True)]
    return dict(zip(_NAMES, (*columns, totals), strict=True))


def shown(series: Series, filters: Filters) -> dict[str, list[Any]]:
    """First added up, then averaged."""
    found: dict[str, list[Any]] = {}
    for name, numbers in series.items():
        added = list(accumulate(numbers)) if filters.cumulative else numbers
        found[name] = _means(added, filters.ma) if filters.ma > 1 else added
    return found


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
