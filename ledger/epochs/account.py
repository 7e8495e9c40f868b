"""A device's epochs and lines, from where what is stored of them still holds, to a moment or to the end."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Final, NamedTuple

from django.db.models import Q, Sum

from ledger.epochs.found import DOUBT, LONG_AGO, RESTART, FoundEpoch, FoundLine, Press, Reset, in_order
from ledger.epochs.history import History
from ledger.epochs.models import Epoch
from ledger.epochs.reading import (
    ClosedMonths,
    DeviceFacts,
    Told,
    came_last,
    latest_presses,
    nth_after,
    placed,
    presses_of,
    read_between,
    read_events,
    read_lost,
    told_zero_before,
    zeros_of,
)
from ledger.lines.models import Kind, Line
from telemetry.treatments import TREATMENTS

EVENTS_AT_ONCE: Final = 5_000
FEWER_AT_ONCE: Final = 500
"""At first, and where more of the kind would write more than ROWS_AT_ONCE: a counter that steps to and fro has a line
or an epoch a press."""
ROWS_AT_ONCE: Final = 500
MOST_ANEW: Final = 5_000
_MOMENT: Final = timedelta(microseconds=1)
_CANDIDATES: Final = (40, 2_000)
"""Presses among which one is looked for with which to begin, at first and then."""


class Start(NamedTuple):
    """A press at whose time nothing of its epoch is in doubt: all that was pressed up to then is accounted for."""

    epoch: Epoch
    number: int
    at: datetime
    is_last: bool = False
    """It is the last press of its moment: the others of it came before."""

    def runs(self) -> "list[Line]":
        """Lines of several presses that may go on after it: the one that reaches it, in all the parts into which
        settlements have cut it. Others of its moment have ended, and those that begin after it are of what the step
        before has left in its row, which may have been another epoch's."""
        of_several = Line.objects.filter(epoch=self.epoch, kind__in=[Kind.UNPLACED, Kind.LATE])
        found: list[Line] = []
        for one in of_several.filter(first__lte=self.number, last__gte=self.number, at__lte=self.at):
            parts = list(of_several.filter(kind=one.kind, at=one.at).order_by("first"))
            breaks = [place for place, (part, after) in enumerate(pairwise(parts), 1) if part.last + 1 != after.first]
            bounds = pairwise([0, *breaks, len(parts)])
            found += next(parts[start:end] for start, end in bounds if one in parts[start:end])
        return found

    def resumed(self) -> FoundEpoch:
        epoch = self.epoch
        return FoundEpoch(
            lines=[self._run(list(some)) for _, some in groupby(sorted(self.runs(), key=_run_of), key=_run_of)],
            cause=epoch.cause,
            machine=epoch.machine_id,
            started_at=epoch.started_at,
            base=epoch.base,
            last=self.number,
            command=epoch.command_id,
            pressed_at=self.at,
            first_at=LONG_AGO,
        )

    def _run(self, parts: "list[Line]") -> FoundLine:
        """As it was at its time. Parts of it may have been settled."""
        first = min(part.first for part in parts)
        line = parts[0]
        return FoundLine(
            line.kind, first, self.number, self.number - first + 1, line.at, line.machine_id, line.outlet_id
        )


def _run_of(line: Line) -> tuple[str, datetime]:
    return line.kind, line.at


@dataclass
class Account:
    """Of one treatment: the epochs from `start` on, the first of them resumed there; None: from the beginning."""

    treatment: str
    start: Start | None
    epochs: list[FoundEpoch]


class Found(NamedTuple):
    accounts: list[Account]
    until: datetime | None
    """What happened from then on is not accounted for yet; None: all is."""

    @property
    def rows(self) -> int:
        """Of epochs and lines."""
        return sum(1 + len(epoch.lines) for one in self.accounts for epoch in one.epochs)


def account(facts: DeviceFacts, since: datetime) -> Found:
    """Of those treatments of which something may have changed since, for some EVENTS_AT_ONCE; fewer where there is
    much to write, for meanwhile nobody else does."""
    number = min(FEWER_AT_ONCE, EVENTS_AT_ONCE)
    few = _account_for(facts, since, number)
    if few.until is None or number == EVENTS_AT_ONCE or few.rows * EVENTS_AT_ONCE > ROWS_AT_ONCE * number:
        return few
    many = _account_for(facts, since, EVENTS_AT_ONCE)
    return many if many.rows <= ROWS_AT_ONCE else few


def account_anew(facts: DeviceFacts) -> Found | None:
    """All from the beginning, with which nothing that is stored can be in contradiction; None of more than
    MOST_ANEW events."""
    return _account_for(facts, LONG_AGO, MOST_ANEW) if nth_after(facts, LONG_AGO, MOST_ANEW) is None else None


def _account_for(facts: DeviceFacts, since: datetime, number: int) -> Found:
    until = nth_after(facts, since, number)
    events = read_events(facts, since, until)
    closed = ClosedMonths({told.outlet for told in events if told.outlet is not None})
    found = []
    for treatment in TREATMENTS:
        newest = Epoch.objects.filter(device=facts.device, treatment=treatment).order_by("-number").first()
        if _is_concerned(facts, treatment, newest, events, since):
            found.append(_account(facts, treatment, newest, events, since, until, closed))
    return Found(found, until)


def _is_concerned(
    facts: DeviceFacts, treatment: str, newest: Epoch | None, events: Sequence[Told], since: datetime
) -> bool:
    if any(told.treatment == treatment and told.number is not None for told in events):
        return True
    if newest is None:
        return False  # only a press begins the first epoch
    if newest.started_at >= since or (newest.pressed_at is not None and newest.pressed_at >= since):
        return True
    if newest.pressed_at is not None and zeros_of(events, treatment):
        return True  # of one without a press it says nothing new
    if Line.objects.filter(epoch=newest, at__gte=since).exclude(kind=Kind.CONFLICT).exists():
        return True  # of presses that are not there any more: the step before has left it to this one
    return bool(facts.resets(treatment, since)) or any(held.since >= since for held in facts.holdings)


def _account(
    facts: DeviceFacts,
    treatment: str,
    newest: Epoch | None,
    events: Sequence[Told],
    since: datetime,
    until: datetime | None,
    closed: ClosedMonths,
) -> Account:
    start = _start(facts, treatment, newest, since)
    resets = facts.resets(treatment, start.at if start else LONG_AGO)
    earlier: Sequence[Told] = []
    if start is not None:
        earlier = read_between(facts, treatment, start.at, since)
    elif newest is not None:
        earlier = read_between(facts, treatment, LONG_AGO, since)
    elif (zero := told_zero_before(facts, treatment, since)) is not None:
        resets.append(zero)
    lost: Sequence[Told] = []
    if until is not None and (late := came_last(earlier)) > until:
        lost = read_lost(facts, since, late)  # some of it may have been pressed before that came
    told = list({one.order: one for one in (*earlier, *events, *lost)}.values())
    after = start.at if start else LONG_AGO
    resets = [reset for reset in (*resets, *zeros_of(told, treatment)) if until is None or reset.at < until]
    resets = [reset for reset in resets if reset.at > after]
    presses = placed(one for one in told if one.treatment == treatment and one.number is not None)
    history = History(sorted(resets, key=_place), facts.holdings, start.resumed() if start else None)
    presses = [one for one in presses if one.at > after and (until is None or one.at < until)]
    history.tell(in_order(presses_of(presses, closed), resets, start.number if start else None))
    return Account(treatment, start, history.end())


def _place(reset: Reset) -> tuple[datetime, int]:
    return reset.at, reset.order


def _start(facts: DeviceFacts, treatment: str, newest: Epoch | None, since: datetime) -> Start | None:
    """The latest press before `since` that is no repeat and no step back, with no reset near it, among the newest ones
    and those that ended an epoch; None where there is none among them."""
    if newest is None:
        return None
    of_treatment = Epoch.objects.filter(device=facts.device, treatment=treatment)
    epoch = newest if newest.pressed_at is not None else of_treatment.filter(number=newest.number - 1).first()
    if epoch is not None and epoch.pressed_at is not None and epoch.pressed_at < since:
        start = Start(epoch, epoch.last, epoch.pressed_at)
        if _holds(facts, start):
            return start
    before = since
    for number in _CANDIDATES:
        for start in _candidates(facts, treatment, before, number):
            if _holds(facts, start):
                return start
        near = facts.resets(treatment, before - 2 * DOUBT)
        before = min([before, *(reset.at - DOUBT for reset in near if reset.at - DOUBT < before)])
    facts.resets(treatment, LONG_AGO)  # all at once
    moments = of_treatment.filter(pressed_at__lt=before).order_by("-number").values_list("pressed_at", flat=True)
    for pressed_at, _ in groupby(moments.iterator(100)):
        assert pressed_at is not None
        for start in _candidates(facts, treatment, pressed_at + _MOMENT, 2):
            if _holds(facts, start):
                return start
    return None


def _candidates(facts: DeviceFacts, treatment: str, before: datetime, number: int) -> Iterator[Start]:
    """Of each moment the press that comes last, the latest first; more than `number` where that are all of one."""
    moments: list[list[Told]] = []
    while not moments:
        latest = latest_presses(facts, treatment, before, number)
        moments = [list(some) for _, some in groupby(latest, key=lambda told: told.at)]
        if len(latest) < number:
            break
        moments.pop()  # which may be cut
        number *= 10
    of_treatment = Epoch.objects.filter(device=facts.device, treatment=treatment, pressed_at__isnull=False)
    for some in moments:
        came = some[0].at
        if any(told.received_at == came for told in some) and read_lost(facts, came, came + _MOMENT):
            continue  # of what came together some has no time at all, and may be the last
        last = in_order(Press(told.at, told.order, told.number or 0) for told in some)[-1]
        epoch = of_treatment.filter(started_at__lte=last.at).order_by("-number").first()
        if epoch is not None:
            yield Start(epoch, last.number, last.at, is_last=True)


def _holds(facts: DeviceFacts, start: Start) -> bool:
    epoch = start.epoch
    if not epoch.base < start.number <= epoch.last or (epoch.ended_at is not None and epoch.ended_at < start.at):
        return False
    is_restart = epoch.cause == RESTART and epoch.started_at == start.at and start.number > 1
    if is_restart and (not start.is_last or _is_first(start)):
        return False  # the press after it has shown that it was one
    near = facts.resets(epoch.treatment, start.at - DOUBT)
    if any(reset.at <= start.at + DOUBT for reset in near):
        return False
    # What came at its time after it, or was itself a repeat, is told by lines. A repeat that came later is found anew.
    same = Q(first=start.number, at__lte=start.at)
    if not start.is_last:
        same |= Q(at=start.at)
    return not Line.objects.filter(same, epoch=epoch, kind__in=[Kind.TWICE, Kind.BACK]).exists()


def _is_first(start: Start) -> bool:
    """Whether all that its epoch has below it is missing."""
    below = Line.objects.filter(epoch=start.epoch, kind=Kind.MISSING, at=start.at, last__lt=start.number)
    missing = below.aggregate(missing=Sum("count"))["missing"] or 0
    return bool(missing == start.number - 1 - start.epoch.base)
