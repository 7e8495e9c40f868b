"""Writing what was found: only rows that differ are written, and rows that stay keep their ids."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from django.db import connection
from django.db.models import Max, Q, QuerySet, Sum

from ledger.epochs.account import Account, Found
from ledger.epochs.found import LONG_AGO, FoundEpoch, FoundLine
from ledger.epochs.models import Epoch
from ledger.lines.models import Kind, Line
from ledger.lines.settling import Settlements
from ozone.intake.rows import prepare_upsert
from ozone.intake.sql import BulkInsert, moment
from telemetry.events.quarantine import CONFLICT, members
from telemetry.events.storing import Bindings
from telemetry.models import QuarantinedEvent
from telemetry.treatments import TREATMENTS

MOST_CONFLICTS: Final = 1_000
"""Of a device, undecided, that have lines. A device may send any number, and each look goes through all of them."""
_EPOCH_KEY = ("device", "treatment", "number")
_EPOCH_FIELDS = ("cause", "command_id", "machine_id", "started_at", "ended_at", "base", "last", "presses", "pressed_at")
_LINE_FIELDS = ("last", "count", "machine_id", "outlet_id", "settlement_id")
_insert_lines = BulkInsert(Line, ("epoch_id", "device_id", "treatment", "kind", "first", "at", *_LINE_FIELDS))


class Contradiction(Exception):
    """What is stored of an epoch cannot be: it has fewer presses than none."""


class Changes:
    """What is to be written. Others wait while it is written, not while it is made out."""

    def __init__(self, device: int, found: Found, since: datetime, *, goes_on: bool = False) -> None:
        """Reads what is stored. `since`: from when on conflicts are looked at. Raises Contradiction where there is
        nothing to go on with, unless it `goes_on`."""
        self._device = device
        self._goes_on = goes_on
        self._epochs, self._lines = _Rows(), _Rows()
        for one in found.accounts:
            since = min(since, one.start.at if one.start else LONG_AGO)
            self._compare(one, found.until)
        self._conflicts = _conflicts(device, since, self._epochs)
        rows = [*self._epochs.changed, *self._epochs.new]
        self._upsert = prepare_upsert(rows, unique=_EPOCH_KEY, update=_EPOCH_FIELDS)

    def write(self) -> None:
        """In the transaction of the caller, who holds the device's lock and knows that nothing it was made of is
        different now. Epochs that are being forgotten may come once more, and go with the device's status."""
        self._epochs.delete()
        self._upsert()
        _write_lines(self._lines)
        _write_lines(self._conflicts)

    def _compare(self, account: Account, until: datetime | None) -> None:
        start = account.start
        first = start.epoch.number if start else 1
        concerned = Q(number__gte=first)
        if until is not None:  # what comes later is looked into in the next step, and mostly stays
            concerned &= Q(number__lt=first + len(account.epochs)) | Q(started_at__lt=until)
        of_treatment = Epoch.objects.filter(device=self._device, treatment=account.treatment)
        stored = {epoch.number: epoch for epoch in of_treatment.filter(concerned)}
        settlements = Settlements(self._device, account.treatment)
        lines: list[tuple[Epoch, FoundLine, int | None]] = []
        kept = []
        row = None
        for place, found in enumerate(account.epochs):
            number = first + place
            row = stored.pop(number, None)
            values = _values(found, _unexplained(start.epoch, start.at) if start and place == 0 else 0)
            if values["presses"] < 0:
                if not self._goes_on:
                    raise Contradiction(f"{account.treatment}, epoch {number}")
                values["presses"] = 0
            if row is None:
                row = Epoch(device_id=self._device, treatment=account.treatment, number=number, **values)
                self._epochs.new.append(row)
            else:
                kept.append(row)
                self._epochs.set(row, values)
            lines += [(row, line, by) for line, by in settlements.split(account.epochs, place)]
        self._epochs.gone += [row for row in stored.values() if until is None or row.started_at < until]
        theirs = Line.objects.filter(epoch__in=kept).exclude(kind=Kind.CONFLICT)
        if start is not None:
            resumed = [line.pk for line in start.runs()]
            theirs = theirs.exclude(~Q(pk__in=resumed), epoch=start.epoch, at__lte=start.at)
        if until is not None and row in kept:
            theirs = theirs.exclude(epoch=row, at__gte=until)  # it goes on
        _compare_lines(self._lines, theirs, lines)


class _Rows:
    """Rows of one table that go, change or come; of a line that comes its epoch, whose number may not be known yet, and
    the values of the other columns of `_insert_lines`."""

    def __init__(self) -> None:
        self.gone: list[Any] = []
        self.changed: list[Any] = []
        self.new: list[Any] = []

    def set(self, row: Any, values: Mapping[str, Any]) -> None:
        """It is to have these; where it has others it is written."""
        different = {name: value for name, value in values.items() if getattr(row, name) != value}
        for name, value in different.items():
            setattr(row, name, value)
        if different:
            self.changed.append(row)

    def delete(self) -> None:
        if self.gone:
            type(self.gone[0])._default_manager.filter(pk__in=[row.pk for row in self.gone]).delete()


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


def _write_lines(lines: _Rows) -> None:
    lines.delete()
    if lines.changed:
        Line.objects.bulk_update(lines.changed, [name.removesuffix("_id") for name in _LINE_FIELDS], batch_size=500)
    with connection.wrap_database_errors:
        _insert_lines.run(connection, [(epoch.pk, *values) for epoch, values in lines.new])


def _compare_lines(
    changes: _Rows, stored: "QuerySet[Line]", found: Iterable[tuple[Epoch, FoundLine, int | None]]
) -> None:
    rows = {(row.epoch_id, row.kind, row.first, row.at): row for row in stored}
    for epoch, line, settlement in found:
        values = (line.last, line.count, line.machine, line.outlet, settlement)
        row = rows.pop((epoch.pk, line.kind, line.first, line.at), None)
        if row is None:
            place = (epoch.device_id, epoch.treatment, line.kind, line.first, moment(connection, line.at))
            changes.new.append((epoch, (*place, *values)))
        else:
            changes.set(row, dict(zip(_LINE_FIELDS, values, strict=True)))
    changes.gone += rows.values()


def _conflicts(device: int, since: datetime, epochs: _Rows) -> _Rows:
    """Lines of the conflicts that nobody has decided on, each in the epoch that was in force when it came, as they are
    once `epochs` is written. Of the first MOST_CONFLICTS of the device: the rest have theirs when those are decided."""
    open_ones = QuarantinedEvent.objects.filter(device=device, state=QuarantinedEvent.State.OPEN, code=CONFLICT)
    first_ones = open_ones.order_by("id").values_list("body", "first_at")[:MOST_CONFLICTS]
    held = Bindings(connection, [device])
    found: dict[tuple[str, int, int, datetime], tuple[Epoch, FoundLine, int | None]] = {}
    of_treatment: dict[str, tuple[_InForce, Settlements]] = {}
    for body, at in first_ones:
        if at < since:
            continue
        told = members(body)
        treatment, number = told.get("treatment"), told.get("counter")
        if treatment not in TREATMENTS or not isinstance(number, int):
            continue
        if treatment not in of_treatment:
            of_treatment[treatment] = _InForce(device, treatment, since, epochs), Settlements(device, treatment)
        in_force, settlements = of_treatment[treatment]
        epoch = in_force.at(at)
        if epoch is None:
            continue
        known = found.get((treatment, epoch.number, number, at))
        if known is not None:
            known[1].count += 1
            continue
        holder = held.holder(device, at)
        line = FoundLine(Kind.CONFLICT, number, number, 1, at, holder.machine_id or None, holder.outlet_id or None)
        found[treatment, epoch.number, number, at] = epoch, line, settlements.of_line(line)
    changes = _Rows()
    _compare_lines(changes, Line.objects.filter(device=device, kind=Kind.CONFLICT, at__gte=since), found.values())
    return changes


class _InForce:
    """The epochs of a treatment of a device from `since` on, as they are once `changes` is written."""

    def __init__(self, device: int, treatment: str, since: datetime, changes: _Rows) -> None:
        stored = Epoch.objects.filter(device=device, treatment=treatment)
        before = stored.filter(started_at__lte=since).aggregate(Max("number"))["number__max"] or 0
        gone = {epoch.number for epoch in changes.gone if epoch.treatment == treatment}
        later = stored.filter(number__gte=min([before, *(number - 1 for number in gone)]))
        fields = "device", "treatment", "number", "started_at"
        rows = {epoch.number: epoch for epoch in later.only(*fields) if epoch.number not in gone}
        rows |= {epoch.number: epoch for epoch in [*changes.changed, *changes.new] if epoch.treatment == treatment}
        self._first = rows[min(rows)] if rows else None
        self._starts: list[datetime] = []
        self._newest: list[Epoch] = []
        for epoch in sorted(rows.values(), key=attrgetter("started_at")):
            self._starts.append(epoch.started_at)
            self._newest.append(max([epoch, *self._newest[-1:]], key=attrgetter("number")))

    def at(self, moment: datetime) -> Epoch | None:
        """The epoch of that moment, or the first one after it."""
        place = bisect_right(self._starts, moment)
        return self._newest[place - 1] if place else self._first
