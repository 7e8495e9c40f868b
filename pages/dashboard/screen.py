"""What the dashboard tells: how the fleet is, how today goes, and what waits for somebody."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import Count, F, Max, Q, QuerySet, Subquery
from django.urls import reverse
from django.utils.safestring import SafeString

from device_gateway.models import Device, HandshakeAttempt, ProvisioningToken
from device_gateway.registry.queries import visible_devices
from device_gateway.states import last_heard, later_of
from ozone.wire.conf import options
from pages.kit import charts
from telemetry.commands.lifecycle import state_at
from telemetry.figures.buckets import first_after, wall_time
from telemetry.figures.counting import Row, first_counted, rows, rows_until
from telemetry.figures.rhythm import rhythms
from telemetry.figures.rollups import starts
from telemetry.figures.statistics import Filters, conditions_of, statistics
from telemetry.figures.totals import Totals
from telemetry.machines.spares import heard_again, is_spare
from telemetry.models import Command, QuarantinedEvent, TelemetryEvent
from telemetry.presence import Presence, presence, presence_is
from telemetry.treatments import COUNTERS
from telemetry.visible import visible_events, visible_machines

QUIET: Final = 8
TICKER: Final = 10
NAMED: Final = 3
"""Devices that are named where something waits; the others are a number."""
LATELY: Final = timedelta(days=1)
HELD_UP: Final = "refused event{} in the way of others"
MICROSECOND: Final = timedelta(microseconds=1)


class Overview(NamedTuple):
    """How many of the actor's devices there are, how many of them are assigned, in each presence, and quiet: not
    heard from lately though they should be. How many send readings, how many of these are online, and when the newest
    arrived. Whether any ever sent an event or a reading; and, as long as none did, whether a provisioning token was
    ever issued for one."""

    devices: int
    assigned: int
    online: int
    idle: int
    offline: int
    quiet: int
    meters: int
    meters_online: int
    reading_at: datetime | None
    is_reporting: bool
    has_token: bool


class TodayRow(NamedTuple):
    """Treatments of today so far, of yesterday until the same time of day, and of all of yesterday; None where that
    lies before all there is."""

    title: str
    today: int
    by_now: int | None
    yesterday: int | None


class Today(NamedTuple):
    """`until`: that time of day. `no_data_before`: since when there are data, where nothing was until then."""

    rows: list[TodayRow]
    total: int
    until: str
    no_data_before: datetime | None


class QuietRow(NamedTuple):
    """`a_day`: treatments on a usual day, 0 where nothing is usual; `is_all`: whether nothing at its outlet is heard,
    though more than one machine stands there."""

    device_id: str
    name: str
    status: str
    heard: datetime | None
    machine: str
    machine_id: int | None
    outlet: str
    location: str
    a_day: int
    is_all: bool


class Link(NamedTuple):
    name: str
    href: str


class Waiting(NamedTuple):
    """Something for an operator: how many, of what, and where it is solved; `more` places are not named."""

    number: int
    words: str
    places: tuple[Link, ...]
    more: int


class TickerRow(NamedTuple):
    happened: datetime
    kind: str
    device_id: str
    device: str
    machine: str
    outlet: str
    is_suspect: bool


def overview(actor: Any, now: datetime) -> Overview:
    devices = visible_devices(actor)
    sends_readings = Q(state__latest_received_at__isnull=False)
    # In a query of its own: asked of each device among the counts, it would cost more than all of them.
    put_away = devices.filter(_is_silent(now), is_spare(), assigned=True).order_by().values("assigned")
    counts = devices.aggregate(
        put_away=Max(Subquery(put_away.annotate(number=Count("pk")).values("number"))),
        quiet=Count("pk", filter=_is_silent(now) & (Q(machine__isnull=False) | Q(assigned=True))),
        meters=Count("pk", filter=sends_readings),
        meters_online=Count("pk", filter=sends_readings & presence_is(Presence.ONLINE, now)),
        reading_at=Max("state__latest_received_at"),
        devices=Count("pk"),
        **{status.value: Count("pk", filter=presence_is(status, now)) for status in Presence},
        assigned=Count(
            "pk", filter=Q(assigned=True)
        ),  # last: after it `assigned` names this number, no more the column
    )
    counts["quiet"] -= counts.pop("put_away") or 0
    is_reporting = bool(counts["meters"]) or visible_events(actor).exists()
    has_token = not is_reporting and ProvisioningToken.objects.filter(device__in=visible_devices(actor)).exists()
    return Overview(**counts, is_reporting=is_reporting, has_token=has_token)


def _is_quiet(now: datetime) -> Q:
    """Idle or offline, among devices that should be heard from: a spare is not."""
    return _is_silent(now) & (Q(machine__isnull=False) | (Q(assigned=True) & ~is_spare()))


def _is_silent(now: datetime) -> Q:
    return presence_is(Presence.IDLE, now) | presence_is(Presence.OFFLINE, now)


# --- today ---


def today(actor: Any, now: datetime) -> Today:
    zone, seen_by = ZoneInfo(options().STATS_TIME_ZONE), conditions_of(actor, Filters())
    day = starts(now)[1]
    before = starts(day - timedelta(hours=1))[1]
    until = min(first_after(wall_time(now, zone) - timedelta(days=1), zone), day)
    days = list(rows("days", before, now + MICROSECOND, seen_by))
    so_far, yesterday = _sum(row for row in days if row[0] >= day), _sum(row for row in days if row[0] < day)
    by_now = _sum(rows_until("days", before, until, seen_by))
    first = None if by_now[-1] else first_counted(seen_by, before, now)
    titles = (*(name.capitalize() for name in COUNTERS), "Total")
    return Today(
        [
            TodayRow(
                title,
                number,
                None if first and first >= until else number_by_now,
                None if first and first >= day else number_yesterday,
            )
            for title, number, number_by_now, number_yesterday in zip(titles, so_far, by_now, yesterday, strict=True)
        ],
        so_far[-1],
        f"{now.astimezone(zone):%H:%M}",
        first,
    )


def _sum(found: Iterable[Row]) -> tuple[int, ...]:
    """Of each treatment, and the total."""
    totals = Totals(*map(sum, zip(*(numbers for _, *numbers in found), strict=True)))
    return *totals, totals.total


def last_hour(actor: Any, now: datetime) -> tuple[int, SafeString]:
    """How many treatments occurred in it, and the chart of them by the minute."""
    found = statistics(actor, Filters(granularity="minute", start=now - timedelta(minutes=59), end=now), now)
    total = found["kpi"]["total"]
    series = {name.capitalize(): found["series"][name] for name in COUNTERS}
    labels = [label.rpartition(" ")[2] for label in found["labels"]]
    return total, charts.bars(labels, series, title=f"Treatments by the minute: {total} in the last hour", height=150)


# --- devices and events ---


def quiet_rows(actor: Any, now: datetime) -> Iterator[tuple[int, QuietRow]]:
    """Devices that should be heard from and are not, the last to go quiet first; after them those never heard."""
    silent = visible_devices(actor).annotate(heard=last_heard()).filter(_is_quiet(now))
    places = ("machine__name", "machine__pk", "machine__outlet__name", "machine__outlet_id", "location")
    columns = ("pk", "device_id", "name", "state__last_poll", "state__last_seen", "machine__outlet__opening_hours")
    found = list(silent.order_by(F("heard").desc(nulls_last=True), "pk").values_list(*columns, *places)[:QUIET])
    hours = [(row[7], row[0], row[5] or "") for row in found if row[7]]
    usual = rhythms.of(hours, now)
    dead = _dead_outlets(actor, {row[9] for row in found if row[9]}, now)
    for pk, device_id, name, last_poll, last_seen, _, machine, machine_id, outlet, outlet_id, location in found:
        status, heard = presence(last_poll, last_seen, now), later_of(last_poll, last_seen)
        a_day = round(usual[machine_id].a_day) if machine_id in usual else 0
        shown = (device_id, name, status, heard, machine or "", machine_id, outlet or "", location)
        yield pk, QuietRow(*shown, a_day, outlet_id in dead)


def _dead_outlets(actor: Any, outlets: Collection[int], now: datetime) -> set[int]:
    """Those of the outlets at which several machines have a device, and none is online."""
    machines = visible_machines(actor).filter(outlet__in=outlets, device__isnull=False).order_by().values("outlet")
    online = Count("pk", filter=presence_is(Presence.ONLINE, now, "device__"))
    counts = machines.annotate(number=Count("pk"), online=online).filter(online=0, number__gt=1)
    return set(counts.values_list("outlet", flat=True))


def ticker_rows(actor: Any, now: datetime) -> Iterator[tuple[int, TickerRow]]:
    """The last to arrive first; of the last day, so that nobody's few are looked for among everybody's many."""
    events = visible_events(actor).filter(received_at__gte=now - LATELY).order_by("-received_at", "-pk")
    facts = ("event_type", "device__device_id", "device__name", "machine__name", "outlet__name", "clock_suspect")
    for pk, happened, treatment, kind, device_id, name, machine, outlet, is_suspect in events.values_list(
        "pk", "occurred_at", "treatment", *facts
    )[:TICKER]:
        shown = (device_id, name or device_id, machine or "", outlet or "", is_suspect)
        yield pk, TickerRow(happened, treatment or kind, *shown)


# --- what waits for an operator ---


def waiting(now: datetime) -> list[Waiting]:
    """What waits, of all devices: for staff."""
    since = now - LATELY
    there = Q(device__archived_at=None)
    unassigned = Device.objects.filter(archived_at=None, assigned=False).count()
    refused = HandshakeAttempt.objects.filter(there, permitted=False, at__gte=since)
    suspect = TelemetryEvent.objects.filter(there, clock_suspect=True)
    of_devices = _named(
        [
            (_numbers(refused), "handshake{} refused in the last day", "device", "#enrolment"),
            (_numbers(_open(QuarantinedEvent.objects.filter(there))), HELD_UP, "device", "#refused"),
            (_numbers(suspect), "event{} with a suspect clock", "device", "#status"),
            (_failed(now, since), "command{} failed or timed out in the last day", "device-commands", ""),
            (dict.fromkeys(heard_again(since), 1), "spare board{} heard again in the last day", "device", ""),
        ]
    )
    if not unassigned:
        return of_devices
    to_devices = Link("Show", reverse("devices") + "?assigned=no")
    return [Waiting(unassigned, f"device{_s(unassigned)} not assigned yet", (to_devices,), 0), *of_devices]


def held_up(actor: Any) -> list[Waiting]:
    """Events of the actor's devices that were refused, or clash with others: what is not counted until an operator
    decides."""
    events = QuarantinedEvent.objects.filter(device__in=visible_devices(actor).values("pk"))
    return _named([(_numbers(_open(events)), HELD_UP, "device", "#refused")])


def _open(events: "QuerySet[QuarantinedEvent]") -> "QuerySet[QuarantinedEvent]":
    return events.filter(state=QuarantinedEvent.State.OPEN)


def _named(found: list[tuple[dict[int, int], str, str, str]]) -> list[Waiting]:
    """Of each kind the numbers by device, words, the page that solves it and its anchor. None is said of none."""
    named = Device.objects.in_bulk({pk for numbers, *_ in found for pk in _most(numbers)})
    return [_of_devices(numbers, named, *words) for numbers, *words in found if numbers]


def _most(numbers: dict[int, int]) -> list[int]:
    """The devices that have most of them."""
    return sorted(numbers, key=lambda pk: (-numbers[pk], pk))[:NAMED]


def _of_devices(numbers: dict[int, int], named: dict[int, Device], words: str, page: str, anchor: str) -> Waiting:
    devices = [named[pk] for pk in _most(numbers)]
    places = tuple(Link(str(device), reverse(page, args=[device.device_id]) + anchor) for device in devices)
    number = sum(numbers.values())
    return Waiting(number, words.format(_s(number)), places, len(numbers) - len(devices))


def _numbers(rows: "QuerySet[Any]") -> dict[int, int]:
    """How many of the rows are of which device."""
    groups = rows.order_by().values("device_id").annotate(number=Count("pk"))
    return dict(groups.values_list("device_id", "number"))


def _failed(now: datetime, since: datetime) -> dict[int, int]:
    """The same of commands. Time alone may have ended those that are still marked as open."""
    commands = Command.objects.filter(device__archived_at=None)
    numbers = _numbers(
        commands.filter(changed_at__gte=since, status__in=(Command.Status.FAILED, Command.Status.TIMEOUT))
    )
    # As literals, not parameters: only then SQLite takes its partial index of the open commands.
    still_open = commands.extra(where=["telemetry_command.status IN ('pending', 'sent')"])
    overdue = now - timedelta(seconds=options().COMMAND_RESULT_SECONDS)
    has_expired, is_unanswered = Q(expires_at__range=(since, now)), Q(sent_at__range=(since, overdue))
    facts = ("device_id", "status", "command_type", "sent_at", "expires_at", "deliveries")
    for command in still_open.filter(has_expired | is_unanswered).only(*facts):
        if state_at(command, now) == Command.Status.TIMEOUT:
            numbers[command.device_id] = numbers.get(command.device_id, 0) + 1
    return numbers


def _s(number: int) -> str:
    return "" if number == 1 else "s"
