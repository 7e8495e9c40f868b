"""One machine: what it has given and what its device counts now, and its treatments and counter resets."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from device_gateway.states import later_of
from pages.kit.frame import signed_in_page
from pages.kit.live import Screen, live_page, part, rows, screen
from pages.machines.screen import today_from
from pages.machines.uptime import uptime_of
from telemetry.figures.totals import Totals, totals
from telemetry.machines.logs import MOST_TREATMENTS, Counts, Log, counts_after, happened_at, machine_log
from telemetry.models import Command, Machine, TelemetryEvent
from telemetry.presence import presence
from telemetry.visible import find, visible_machines

FOLLOWS: Final = ("people", "presence", "events", "commands", "minute")
NEWEST: Final = 100
LAST_DEVICES: Final = 10
LATE: Final = timedelta(minutes=1)
"""An event that took longer to arrive says so."""


class MachineBindingRow(NamedTuple):
    device_id: str
    outlet: str | None
    since: datetime
    until: datetime | None


class LogRow(NamedTuple):
    """`what`: a treatment, or `reset`. The counters are those at that moment, after it. `at` is when it arrived where
    the clock `is_suspect`; else `arrived_at` is told only of what came late."""

    at: datetime
    what: str
    device_id: str
    basic: int
    standard: int
    premium: int
    is_suspect: bool
    arrived_at: datetime | None
    words: str


@signed_in_page
@require_safe
def logs(request: HttpRequest, number: str) -> HttpResponse:
    most = MOST_TREATMENTS if "all" in request.GET else NEWEST
    return live_page(
        request,
        "pages/machines/log.html",
        FOLLOWS,
        lambda: _screen(request.user, int(number), most, timezone.now()),
    )


def _screen(actor: Any, number: int, most: int, now: datetime) -> Screen:
    machines = visible_machines(actor, archived=actor.is_staff).select_related(
        "outlet", "device__state", "device__status"
    )
    machine = find(machines, number, code="unknown_machine")
    may_write = actor.is_staff and machine.archived_at is None
    facts = {"machine": machine, "may_write": may_write, **_device(machine.device, now)}
    found = _merged(machine_log(actor, machine, most=most))[:most]
    older = {"is_full": len(found) == most, "most": most, "all": MOST_TREATMENTS}
    return screen(
        lists={
            "log": rows("pages/machines/log_row.html", found),
            "bindings": rows("pages/machines/binding_row.html", _bindings(actor, machine)),
        },
        parts=[
            part("head", "pages/machines/head.html", facts),
            part("older", "pages/machines/log_older.html", older),
            part("figures", "pages/machines/figures.html", {"figures": _figures(actor, machine, now)}),
            part("uptime", "pages/machines/uptime.html", uptime_of([machine.pk], now)),
        ],
        name=machine.name,
        number=machine.pk,
    )


def _device(device: Device | None, now: datetime) -> dict[str, Any]:
    if device is None:
        return {"device": None}
    seen, polled = device.state.last_seen, device.state.last_poll
    return {"device": device, "heard": later_of(polled, seen), "status": presence(polled, seen, now)}


def _figures(actor: Any, machine: Machine, now: datetime) -> list[tuple[str, Totals]]:
    """What it has given, with whatever device, beside what the one it has now counts."""
    given = [
        ("Ever", totals(actor, machine)),
        ("Today", totals(actor, machine, since=today_from(now))),
    ]
    if machine.device is None:
        return given
    status = getattr(machine.device, "status", None)  # none before its first word
    return [*given, ("Counter now", Totals(**status.counts) if status else Totals())]


def _bindings(actor: Any, machine: Machine) -> Iterator[tuple[int, MachineBindingRow]]:
    """The last devices it had, of those the actor may see."""
    held = machine.bindings.filter(device__in=visible_devices(actor, archived=True))
    columns = ("device__device_id", "outlet__name", "assigned_date", "deactivated_date")
    for pk, *row in held.values_list("pk", *columns)[:LAST_DEVICES]:
        yield pk, MachineBindingRow._make(row)


def _merged(log: Log) -> list[tuple[str, LogRow]]:
    """By key, the last to happen first; a reset comes before the treatments of the same moment."""
    lines = [
        *(
            (happened_at(event), event.pk, f"e{event.pk}", _treatment(event, counts))
            for event, counts in log.treatments
        ),
        *((happened_at(reset), 0, f"r{reset.pk}", _reset(reset)) for reset in log.resets),
    ]
    return [(key, row) for _, _, key, row in sorted(lines, key=lambda line: line[:2], reverse=True)]


def _treatment(event: TelemetryEvent, counts: Counts) -> LogRow:
    is_late = not event.clock_suspect and event.received_at - event.occurred_at > LATE
    return LogRow(
        at=happened_at(event),
        what=str(event.treatment).lower(),
        device_id=str(event.device.device_id),
        **counts,
        is_suspect=event.clock_suspect,
        arrived_at=event.received_at if is_late else None,
        words=event.device_timestamp or "" if event.clock_suspect else "",
    )


def _reset(reset: Command) -> LogRow:
    return LogRow(
        at=happened_at(reset),
        what="reset",
        device_id=str(reset.device.device_id),
        **counts_after(reset),
        is_suspect=False,
        arrived_at=None,
        words=reset.description or reset.message,
    )
