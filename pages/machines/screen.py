"""Machines and outlets as the pages show them: each table takes a constant number of queries."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from django.db.models import Count, Q, QuerySet

from pages.kit.version import version
from telemetry.figures.rollups import starts
from telemetry.figures.totals import Totals, totals_by_machine, totals_by_outlet
from telemetry.machines.queries import visible_machines, visible_outlets
from telemetry.models import Machine, Outlet
from telemetry.presence import Presence, last_heard, presence, presence_is


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


class OutletRow(NamedTuple):
    """`machines`: how many of its machines the actor may see; `devices`: how many of these have a device."""

    pk: int
    name: str
    region: str
    is_active: bool
    machines: int
    devices: int
    online: int
    today: int
    basic: int
    standard: int
    premium: int
    total: int
    may_write: bool


def outlet_rows(actor: Any, outlets: "QuerySet[Outlet]", now: datetime) -> Iterator[tuple[int, OutletRow]]:
    """By key, in six queries."""
    found = list(outlets.values_list("pk", "name", "region", "is_active", "machine_count"))  # type: ignore[misc]
    numbers = [row[0] for row in found]
    today, ever = _today_and_ever(actor, numbers, now)
    machines = visible_machines(actor).filter(outlet__in=numbers, device__isnull=False)
    devices = _by_outlet(machines)
    online = _by_outlet(machines.annotate(heard=last_heard("device__")).filter(presence_is(Presence.ONLINE, now)))
    for row in found:
        pk = row[0]
        of_today, of_ever = today.get(pk, Totals()), ever.get(pk, Totals())
        counts = (devices.get(pk, 0), online.get(pk, 0), of_today.total, *of_ever, of_ever.total)
        yield pk, OutletRow._make((*row, *counts, actor.is_staff))


def matching_outlets(actor: Any, words: str) -> "QuerySet[Outlet]":
    """The actor's outlets in which each of the words occurs."""
    outlets = visible_outlets(actor)
    for word in words.split():
        found = Q(name__icontains=word) | Q(region__icontains=word)
        outlets = outlets.filter(found | Q(address__icontains=word) | Q(contact_person__icontains=word))
    return outlets


def today_from(now: datetime) -> datetime:
    """When the day began in the time zone of the statistics."""
    return starts(now)[1]


def _by_outlet(machines: "QuerySet[Machine]") -> dict[int, int]:
    return dict(machines.order_by().values("outlet").annotate(number=Count("pk")).values_list("outlet", "number"))


class _Scope(NamedTuple):
    """As much of a person as tells what they see."""

    is_staff: bool
    pk: int | None


def _today_and_ever(actor: Any, outlets: Iterable[int], now: datetime) -> tuple[dict[int, Totals], dict[int, Totals]]:
    """Today's are always new. The past is added up once a minute, and after whatever a person changed: it is long, and
    only what arrives late adds to it."""
    scope, day, numbers = _Scope(actor.is_staff, None if actor.is_staff else actor.pk), today_from(now), tuple(outlets)
    today = totals_by_outlet(actor, numbers, since=day)
    before = past_totals(scope, numbers, day, version(now, ("people", "minute")))
    return today, {pk: before.get(pk, Totals()).and_also(today.get(pk, Totals())) for pk in numbers}


@lru_cache(maxsize=32)
def past_totals(scope: _Scope, outlets: tuple[int, ...], until: datetime, known: str) -> dict[int, Totals]:
    """Before the day that began at `until`; remembered for as long as `known` is the same."""
    return totals_by_outlet(scope, outlets, until=until)
