"""The ledger, as the API and pages show it."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import Exists, OuterRef, Q, QuerySet

from device_gateway.models import Device
from device_gateway.registry.queries import visible_devices
from ledger.epochs.models import Epoch
from ledger.epochs.services import look_into, touched_devices
from ledger.lines.models import Line
from ozone.webapi.parameters import PageCursor
from telemetry.models import Machine, MachineDevice, Outlet, Swap

LOOK_SECONDS: Final = 1.0
"""How long a reader waits for what was stored just before."""
MOST_LINES: Final = 10_000
"""In one reply."""
AT_ONCE: Final = 500
"""Epochs that are read at once, with their lines."""


class Scope(NamedTuple):
    """Which part of the ledger: what `actor` may see, and of that what the others name. `start` and `end` are a span of
    time."""

    actor: Any
    machine: Machine | None = None
    outlet: Outlet | None = None
    device: Device | None = None
    start: datetime | None = None
    end: datetime | None = None


class Page(NamedTuple):
    """Epochs, the newest first, each with its lines, the oldest first."""

    epochs: list[tuple[Epoch, list[Line]]]
    next: PageCursor | None
    ordered_by: dict[int, str]
    """By epoch who gave the command, or ordered the swap, with which it began."""
    lines_left_out: int
    devices_pending: int
    """Of the scope, those that have told something which is not looked into yet."""


def ledger(scope: Scope, *, before: PageCursor | None, limit: int) -> Iterator[Page]:
    """So many epochs, on pages of AT_ONCE, of which one at least: thousands at once would keep the collector of
    garbage."""
    pending, left = look_now(scope), MOST_LINES
    while True:
        page = _page(scope, before, min(limit, AT_ONCE), left, pending)
        yield page
        before, limit, left = page.next, limit - AT_ONCE, left - sum(len(lines) for _, lines in page.epochs)
        if before is None or limit <= 0:
            break


def _page(scope: Scope, before: PageCursor | None, limit: int, most_lines: int, pending: int) -> Page:
    epochs = epochs_of(scope).order_by("-started_at", "-id").select_related("machine", "device", "command__created_by")
    if before is not None:
        epochs = epochs.filter(Q(started_at__lt=before.moment) | Q(started_at=before.moment, id__lt=before.number))
    found = list(epochs[: limit + 1])
    is_more = len(found) > limit
    found = found[:limit]
    lines = _lines(scope).filter(epoch__in=found)
    shown = list(lines.select_related("settlement__made_by").order_by("-at", "-id")[: most_lines + 1])
    left_out = lines.count() - most_lines if len(shown) > most_lines else 0
    by_epoch: dict[int, list[Line]] = {}
    for line in reversed(shown[:most_lines]):
        by_epoch.setdefault(line.epoch_id, []).append(line)
    return Page(
        [(epoch, by_epoch.get(epoch.pk, [])) for epoch in found],
        PageCursor(found[-1].started_at, found[-1].pk) if is_more else None,
        _ordered_by(found),
        left_out,
        pending,
    )


def _ordered_by(epochs: Sequence[Epoch]) -> dict[int, str]:
    swapped = [epoch for epoch in epochs if epoch.cause == Epoch.Cause.SWAP]
    swaps = Swap.objects.filter(at__in={epoch.started_at for epoch in swapped}, ordered_by__isnull=False)
    people: dict[tuple[int | None, datetime], Any] = {}
    for swap in swaps.select_related("ordered_by") if swapped else ():
        people |= dict.fromkeys([(swap.old_id, swap.at), (swap.new_id, swap.at)], swap.ordered_by)
    found = {epoch.pk: people.get((epoch.device_id, epoch.started_at)) for epoch in swapped}
    found |= {epoch.pk: epoch.command.created_by for epoch in epochs if epoch.command is not None}
    return {pk: person.get_username() for pk, person in found.items() if person is not None}


def epochs_of(scope: Scope) -> "QuerySet[Epoch]":
    epochs = Epoch.objects.all()
    if not scope.actor.is_staff:
        epochs = epochs.filter(device__in=visible_devices(scope.actor, archived=True))
    if scope.machine is not None:
        epochs = epochs.filter(machine=scope.machine)
    if scope.device is not None:
        epochs = epochs.filter(device=scope.device)
    if scope.outlet is not None:
        there = MachineDevice.objects.filter(
            outlet=scope.outlet, device=OuterRef("device"), machine=OuterRef("machine")
        )
        if scope.start is not None:
            there = there.filter(Q(deactivated_date=None) | Q(deactivated_date__gt=scope.start))
        if scope.end is not None:
            there = there.filter(assigned_date__lt=scope.end)
        epochs = epochs.filter(Exists(there))
    if scope.start is not None:
        epochs = epochs.filter(Q(ended_at=None) | Q(ended_at__gt=scope.start))
    if scope.end is not None:
        epochs = epochs.filter(started_at__lt=scope.end)
    return epochs


def _lines(scope: Scope) -> "QuerySet[Line]":
    lines = Line.objects.all()
    if scope.outlet is not None:
        lines = lines.filter(outlet=scope.outlet)
    if scope.start is not None:
        lines = lines.filter(at__gte=scope.start)
    if scope.end is not None:
        lines = lines.filter(at__lt=scope.end)
    return lines


def look_now(scope: Scope) -> int:
    """Looks into the scope's devices that were touched, for at most LOOK_SECONDS; how many are left."""
    until = time.monotonic() + LOOK_SECONDS
    touched = touched_devices().filter(device__in=_devices(scope))
    waiting = list(touched.order_by("-touched_from").values_list("device_id", flat=True))
    for number in waiting:
        while not look_into(number):
            if time.monotonic() > until:
                return touched.count()
        if time.monotonic() > until:
            return touched.count()
    return 0


def _devices(scope: Scope) -> "QuerySet[Device]":
    devices = visible_devices(scope.actor, archived=True)
    if scope.device is not None:
        devices = devices.filter(pk=scope.device.pk)
    held = MachineDevice.objects.order_by()
    if scope.machine is not None:
        devices = devices.filter(pk__in=held.filter(machine=scope.machine).values("device"))
    if scope.outlet is not None:
        devices = devices.filter(pk__in=held.filter(outlet=scope.outlet).values("device"))
    return devices
