"""Machines as the pages show them: a table takes a constant number of queries."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from telemetry.figures.rollups import starts
from telemetry.figures.totals import Totals, totals_by_machine
from telemetry.models import Machine
from telemetry.presence import last_heard, presence
from telemetry.visible import visible_machines


class MachineRow(NamedTuple):
    """`status` is "" where there is no device; the counters are the device's own, `today` counts every treatment."""

    pk: int
    name: str
    is_active: bool
    outlet_id: int | None
    outlet: str | None
    device_id: str | None
    device: str
    status: str
    heard: datetime | None
    basic: int
    standard: int
    premium: int
    today: int
    shows_outlet: bool
    may_write: bool


_MACHINE: Final = ("pk", "name", "is_active", "outlet_id", "outlet__name", "device__device_id", "device__name")
_HEARD: Final = ("device__state__last_poll", "device__state__last_seen")
_COUNTERS: Final = tuple(f"device__status__current_count_{name}" for name in ("basic", "standard", "premium"))


def machine_rows(
    actor: Any, machines: "QuerySet[Machine]", now: datetime, *, shows_outlet: bool = True
) -> Iterator[tuple[int, MachineRow]]:
    """By key, in two queries."""
    found = list(machines.values_list(*_MACHINE, *_HEARD, *_COUNTERS))
    today = totals_by_machine(actor, [row[0] for row in found], since=today_from(now))
    for pk, *facts, device_id, device, last_poll, last_seen, basic, standard, premium in found:
        status = presence(last_poll, last_seen, now) if device_id else ""
        counters = (basic or 0, standard or 0, premium or 0)
        number = today.get(pk, Totals()).total
        shown = (device_id, device or "", status, last_poll or last_seen, *counters, number)
        yield pk, MachineRow._make((pk, *facts, *shown, shows_outlet, actor.is_staff))


def matching_machines(actor: Any, words: str) -> "QuerySet[Machine]":
    """The actor's machines in which each of the words occurs: in its name, its outlet's, or one of its device's.

    Each has `heard`, when its device was last heard.
    """
    machines = visible_machines(actor).annotate(heard=last_heard("device__"))
    for word in words.split():
        found = Q(name__icontains=word) | Q(outlet__name__icontains=word) | Q(device__name__icontains=word)
        machines = machines.filter(found | Q(device__device_id__icontains=word) | Q(device__mac__icontains=word))
    return machines


def today_from(now: datetime) -> datetime:
    """When the day began in the time zone of the statistics."""
    return starts(now)[1]
