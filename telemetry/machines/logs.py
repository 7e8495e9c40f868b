"""A machine's log: its treatments and its counter resets, each with what its device's counters were then."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import F, Q

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from telemetry.commands.lifecycle import EXECUTED
from telemetry.commands.types import RESETTING
from telemetry.models import Command, Machine, TelemetryEvent
from telemetry.treatments import COUNTERS, TREATMENTS
from telemetry.visible import visible_events

MOST_TREATMENTS: Final = 500
MOST_RESETS: Final = 200

Counts = dict[str, int]


class Log(NamedTuple):
    """The last to happen first."""

    treatments: list[tuple[TelemetryEvent, Counts]]
    resets: list[Command]


def machine_log(
    actor: Any,
    machine: Machine,
    *,
    after_event: int | None = None,
    after_reset: datetime | None = None,
    most: int = MOST_TREATMENTS,
) -> Log:
    """The treatments that arrived last, so many at `most`, and the last resets that were executed while the machine had
    the device.

    With `after_event`, a number of a row, the treatments stored next after it, so that a reader who goes on from the
    last one it got misses none; with `after_reset` the resets executed since.
    """
    events = visible_events(actor).filter(machine=machine, treatment__isnull=False).select_related("device")
    if after_event is None:
        shown = list(events.order_by("-pk")[:most])
    else:
        shown = list(events.filter(pk__gt=after_event).order_by("pk")[:most])
    walked = list(shown)
    if any(_own_counts(event) is None for event in shown):
        # What it does not tell, the ones before it may have told.
        oldest = min(event.pk for event in shown)
        walked += events.filter(pk__lt=oldest).order_by("-pk")[:MOST_TREATMENTS]
    resets = _resets(actor, machine)
    counts = _walk(walked, resets)
    shown.sort(key=lambda event: (happened_at(event), event.pk), reverse=True)
    return Log(
        [(event, counts[event.pk]) for event in shown],
        [reset for reset in resets if after_reset is None or happened_at(reset) > after_reset],
    )


def last_events(actor: Any, device: Device, number: int) -> list[TelemetryEvent]:
    """The events of a device that happened last, the last one first; suspect ones by when they arrived."""
    events = visible_events(actor).filter(device=device)
    told = events.filter(clock_suspect=False).order_by("-occurred_at", "-pk")
    suspect = events.filter(clock_suspect=True).order_by("-pk")
    found = [*told[:number], *suspect[:number]]
    return sorted(found, key=lambda event: (happened_at(event), event.pk), reverse=True)[:number]


def counts_after(reset: Command) -> Counts:
    """What it left: as the device told, else zeros."""
    told = reset.counters or {}
    return {name: told.get(name, 0) for name in COUNTERS}


def _resets(actor: Any, machine: Machine) -> list[Command]:
    start, end = "device__bindings__assigned_date", "device__bindings__deactivated_date"
    executed = Command.objects.filter(
        Q(**{end: None}) | Q(executed_at__lt=F(end)),
        command_type__in=RESETTING,
        status=EXECUTED,
        device__in=visible_devices(actor, archived=True),
        device__bindings__machine=machine,
        executed_at__gte=F(start),
    )
    return list(executed.select_related("device").order_by("-executed_at", "-pk")[:MOST_RESETS])


def _walk(events: Iterable[TelemetryEvent], resets: Iterable[Command]) -> dict[int, Counts]:
    """The counters at each event: as it told them, or its own one beside those that its device had before."""
    now: dict[int, list[int]] = {}
    found: dict[int, Counts] = {}
    happened: list[tuple[datetime, int, TelemetryEvent | Command]] = [
        *((happened_at(reset), 0, reset) for reset in resets),
        *((happened_at(event), event.pk, event) for event in events),
    ]
    for _, number, row in sorted(happened, key=lambda item: item[:2]):
        if isinstance(row, Command):
            now[row.device_id] = list(counts_after(row).values())
            continue
        counts = now.setdefault(row.device_id, [0, 0, 0])
        own = _own_counts(row)
        if own is not None:
            counts[:] = own
        elif row.treatment is not None and row.counter is not None:
            counts[TREATMENTS.index(row.treatment)] = row.counter
        found[number] = dict(zip(COUNTERS, counts, strict=True))
    return found


def _own_counts(event: TelemetryEvent) -> list[int] | None:
    told = [event.count_basic, event.count_standard, event.count_premium]
    counts = [count for count in told if count is not None]
    return counts if len(counts) == len(told) else None


def happened_at(row: TelemetryEvent | Command) -> datetime:
    """When; of an event whose clock is suspect, when it arrived."""
    if isinstance(row, TelemetryEvent):
        return row.received_at if row.clock_suspect else row.occurred_at
    assert row.executed_at is not None
    return row.executed_at
