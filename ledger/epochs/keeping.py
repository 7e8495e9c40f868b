"""Writing what was found: only rows that differ are written, and rows that stay keep their ids."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, Sum

from ledger.epochs.account import Account, Found
from ledger.epochs.found import LONG_AGO, FoundEpoch, FoundLine
from ledger.epochs.models import Epoch
from ledger.lines.models import Kind, Line
from ledger.lines.settling import Settlements
from telemetry.events.quarantine import CONFLICT, members
from telemetry.events.storing import Bindings
from telemetry.models import QuarantinedEvent
from telemetry.treatments import TREATMENTS

_EPOCH_FIELDS = ("cause", "command_id", "machine_id", "started_at", "ended_at", "base", "last", "presses", "pressed_at")
_LINE_FIELDS = ("last", "count", "machine_id", "outlet_id", "settlement_id")


class Contradiction(Exception):
    """What is stored of an epoch cannot be: it has fewer presses than none."""


def keep(device: int, found: Found, since: datetime) -> None:
    """In the transaction of the caller, who holds the device's lock. `since`: from when on conflicts are looked at.

    Raises Contradiction where there is nothing to go on with.
    """
    for one in found.accounts:
        _keep_account(device, one, found.until)
        since = min(since, one.start.at if one.start else LONG_AGO)
    _keep_conflicts(device, since)


def _keep_account(device: int, account: Account, until: datetime | None) -> None:
    start = account.start
    first = start.epoch.number if start else 1
    of_treatment = Epoch.objects.filter(device=device, treatment=account.treatment)
    stored = {epoch.number: epoch for epoch in of_treatment.filter(number__gte=first)}
    settlements = Settlements(device, account.treatment)
    lines: list[tuple[Epoch, FoundLine, int | None]] = []
    new, changed, kept = [], [], []
    row = None
    for place, found in enumerate(account.epochs):
        row = stored.pop(first + place, None)
        values = _values(found, _unexplained(start.epoch, start.at) if start and place == 0 else 0)
        if values["presses"] < 0:
            raise Contradiction(f"{account.treatment}, epoch {first + place}")
        if row is None:
            row = Epoch(device_id=device, treatment=account.treatment, number=first + place, **values)
            new.append(row)
        else:
            kept.append(row)
            if _set(row, values):
                changed.append(row)
        lines += [(row, line, by) for line, by in settlements.split(account.epochs, place)]
    # What comes later is looked into in the next step, and mostly stays.
    gone = [row for row in stored.values() if until is None or row.started_at < until]
    if gone:
        Epoch.objects.filter(pk__in=[row.pk for row in gone]).delete()
    if changed:
        Epoch.objects.bulk_update(changed, [name.removesuffix("_id") for name in _EPOCH_FIELDS])
    if new:
        Epoch.objects.bulk_create(new)
    theirs = Line.objects.filter(epoch__in=kept).exclude(kind=Kind.CONFLICT)
    if start is not None:
        resumed = [line.pk for line in start.runs()]
        theirs = theirs.exclude(~Q(pk__in=resumed), epoch=start.epoch, at__lte=start.at)
    if until is not None and row in kept:
        theirs = theirs.exclude(epoch=row, at__gte=until)  # it goes on
    _keep_lines(theirs, lines)


def _unexplained(epoch: Epoch, until: datetime) -> int:
    """By how much the counter went on more than presses are stored, in lines up to that moment."""
    lines = Line.objects.filter(epoch=epoch, at__lte=until).order_by()
    sums = lines.aggregate(
        missing=Sum("count", filter=Q(kind=Kind.MISSING)), more=Sum("count", filter=Q(kind__in=[Kind.TWICE, Kind.BACK]))
    )
    return (sums["missing"] or 0) - (sums["more"] or 0)


def _values(found: FoundEpoch, unexplained: int) -> dict[str, Any]:
    for line in found.lines:
        if line.kind == Kind.MISSING:
            unexplained += line.count
        elif line.kind in (Kind.TWICE, Kind.BACK):
            unexplained -= line.count
    return {
        "cause": found.cause,
        "command_id": found.command,
        "machine_id": found.machine,
        "started_at": found.started_at,
        "ended_at": found.ended_at,
        "base": found.base,
        "last": found.last,
        "presses": found.last - found.base - unexplained,
        "pressed_at": found.pressed_at,
    }


def _set(row: Any, values: Mapping[str, Any]) -> bool:
    """Whether anything is another value than before."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _keep_lines(stored: Any, found: Iterable[tuple[Epoch, FoundLine, int | None]]) -> None:
    rows = {(row.epoch_id, row.kind, row.first, row.at): row for row in stored}
    new, changed = [], []
    for epoch, line, settlement in found:
        values = dict(zip(_LINE_FIELDS, (line.last, line.count, line.machine, line.outlet, settlement), strict=True))
        row = rows.pop((epoch.pk, line.kind, line.first, line.at), None)
        if row is None:
            new.append(
                Line(
                    epoch=epoch, device_id=epoch.device_id, treatment=epoch.treatment, kind=line.kind,
                    first=line.first, at=line.at, **values,
                )
            )  # fmt: skip
        elif _set(row, values):
            changed.append(row)
    if rows:
        Line.objects.filter(pk__in=[row.pk for row in rows.values()]).delete()
    if changed:
        Line.objects.bulk_update(changed, [name.removesuffix("_id") for name in _LINE_FIELDS], batch_size=500)
    if new:
        Line.objects.bulk_create(new, batch_size=500)


def _keep_conflicts(device: int, since: datetime) -> None:
    """Lines of the conflicts that nobody has decided on, each in the epoch that was in force when it came."""
    open_ones = QuarantinedEvent.objects.filter(
        device=device, state=QuarantinedEvent.State.OPEN, code=CONFLICT, first_at__gte=since
    )
    held = Bindings(connection, [device])
    found: dict[tuple[int, int, datetime], tuple[Epoch, FoundLine, int | None]] = {}
    settlements: dict[str, Settlements] = {}
    for body, at in open_ones.order_by("id").values_list("body", "first_at"):
        told = members(body)
        treatment, number = told.get("treatment"), told.get("counter")
        epoch = _in_force(device, treatment, at) if treatment in TREATMENTS and isinstance(number, int) else None
        if epoch is None or not isinstance(number, int):
            continue
        known = found.get((epoch.pk, number, at))
        if known is not None:
            known[1].count += 1
            continue
        holder = held.holder(device, at)
        line = FoundLine(Kind.CONFLICT, number, number, 1, at, holder.machine_id or None, holder.outlet_id or None)
        settled = settlements.setdefault(epoch.treatment, Settlements(device, epoch.treatment))
        found[epoch.pk, number, at] = epoch, line, settled.of_line(line)
    stored = Line.objects.filter(device=device, kind=Kind.CONFLICT, at__gte=since)
    _keep_lines(stored, found.values())


def _in_force(device: int, treatment: Any, at: datetime) -> Epoch | None:
    """The epoch of that moment, or the first one after it."""
    epochs = Epoch.objects.filter(device=device, treatment=treatment)
    return epochs.filter(started_at__lte=at).order_by("-number").first() or epochs.order_by("number").first()
