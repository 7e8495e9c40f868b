"""Outlets as the pages show them: a table takes a constant number of queries."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet

from pages.kit.version import version
from pages.machines.screen import today_from
from telemetry.figures.totals import Totals, totals_by_outlet
from telemetry.models import Machine, Outlet
from telemetry.presence import Presence, last_heard, presence_is
from telemetry.visible import visible_machines, visible_outlets


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
