"""From presses and known resets to epochs and lines: pure, for one treatment of one device.

Presses come in the order of time. Each raises the counter, or not: what is skipped is missing, the same number again is
twice, a lower one is a step back until the next press shows that the counters began anew. A known reset ends an epoch
at the press after it.

The clock of a device and the server's differ by more than lies between a reset and the presses around it, and devices
tell whole seconds. So the numbers decide where a reset took place, within DOUBT of when it was told: where they fall. A
reset that no press shows there is where it was told.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ledger.epochs.found import (
    BACK,
    CLEARED,
    DOUBT,
    FIRST,
    LATE,
    LONG_AGO,
    MISSING,
    RESET,
    RESTART,
    SWAP,
    TWICE,
    UNPLACED,
    ZERO,
    FoundEpoch,
    FoundLine,
    Holding,
    Press,
    Reset,
)

MOMENTS: Final = timedelta(minutes=1)
"""How long after it was made a device's word on its counters may come: meanwhile somebody may have pressed."""


@dataclass
class _Doubt:
    """A reset after which the counter seemed to go on: the press after it may still be of the epoch before."""

    reset: Reset
    before: FoundEpoch
    at: Press


class History:
    """`resets` and `holdings` are sorted by time: all from the first press on, and the holding in force then.

    `resumed`: the epoch to go on with, at a moment when nothing about it is in doubt.
    """

    def __init__(
        self, resets: Iterable[Reset], holdings: Sequence[Holding] = (), resumed: FoundEpoch | None = None
    ) -> None:
        self.epochs: list[FoundEpoch] = [resumed] if resumed else []
        self._resets = deque(resets)
        self._holdings = holdings
        self._changes = [holding.since for holding in holdings]
        self._pending: Reset | None = None
        self._doubt: _Doubt | None = None
        self._lower: tuple[Press, FoundLine] | None = None
        self._repeats: dict[tuple[str, int], FoundLine] = {}
        """Lines of presses since the last one that raised the counter."""
        self._moment: datetime | None = None
        self._of_moment: dict[tuple[str, int], FoundLine] = {}
        """Those before it, of its moment: a second line of the same number could not be told from the first."""
        self._runs: dict[str, FoundLine] = {line.kind: line for line in resumed.lines} if resumed else {}
        """Lines of several presses, to which the next may belong."""

    def tell(self, presses: Iterable[Press]) -> None:
        for press in presses:
            self._pass_resets(press)
            self._take(press)

    def end(self) -> list[FoundEpoch]:
        """All epochs, after the last press."""
        self._pass_resets(None)
        pending, self._pending = self._pending, None
        if pending is not None and self.epochs and not self._is_known_already(pending, None):
            if self._lower is not None and _near(pending, self._lower[0]):
                self._begin_at_lower(pending)
            else:
                self._open(
                    pending.cause,
                    self._holder(pending.at).machine,
                    pending.at,
                    self._base_after(pending, None),
                    pending,
                )
        if self.epochs and self.epochs[-1].ended_at is None:
            self._end_when_moved(self.epochs[-1])
        return self.epochs

    # --- resets ---

    def _pass_resets(self, press: Press | None) -> None:
        """Those that were told before the press."""
        while self._resets and (press is None or (self._resets[0].at, self._resets[0].order) < (press.at, press.order)):
            self._announce(self._resets.popleft())

    def _announce(self, reset: Reset) -> None:
        epoch = self.epochs[-1] if self.epochs else None
        pending = self._pending
        if pending is None:
            told_what_is = reset.cause == ZERO and epoch is not None and epoch.last <= 0
            self._pending = None if told_what_is else reset
        elif reset.cause == ZERO:
            self._pending = pending._replace(base=0)
        else:
            self._pending = reset._replace(base=pending.base if reset.base is None else reset.base)

    def _is_known_already(self, reset: Reset, press: Press | None) -> bool:
        """Whether the epoch has begun with this reset, which was told a while later or by another clock, as it seems
        from the press after both."""
        epoch = self.epochs[-1]
        tells_zero = reset.cause == ZERO or (reset.cause == CLEARED and reset.base == 0)
        began = epoch.first_at or (epoch.started_at if tells_zero else None)
        if reset.is_exact or began is None or began < reset.at - DOUBT:
            return False
        if epoch.cause == RESTART and (press is None or press.number > epoch.last):
            epoch.cause, epoch.command = reset.cause, reset.command
            return True
        is_told_late = epoch.base == reset.base == 0 or (epoch.cause == FIRST and reset.cause == ZERO)
        return press is not None and press.number > epoch.last and is_told_late and began >= reset.at - MOMENTS

    def _base_after(self, reset: Reset, number: int | None) -> int:
        """Of the epoch that the reset begins, with that number or none yet."""
        before = self.epochs[-1].last if self.epochs else None
        base = reset.base if reset.base is not None else before
        if number is None:
            return base or 0
        if base is None:
            return number - 1
        return base if base < number else min(0, number - 1)

    # --- presses ---

    def _take(self, press: Press) -> None:
        pending, held = self._pending, self._holder(press.at)
        epoch = self.epochs[-1] if self.epochs else None
        if epoch is None or epoch.machine != held.machine:
            self._begin_elsewhere(press, held)
        elif pending is None:
            self._count(press)
        elif press.number > epoch.last and self._may_be_before(press, pending):
            self._raise(press)
        elif self._lower is not None and _near(pending, self._lower[0]) and self._lower[0].number < press.number:
            self._pending = None
            self._begin_at_lower(pending)
            self._count(press)
        elif self._is_known_already(pending, press):
            self._pending = None
            self._count(press)
        else:
            self._pending = None
            self._begin_after(pending, press)

    def _may_be_before(self, press: Press, reset: Reset) -> bool:
        """Whether a press that goes on after the reset may be of before it: it waited in the device, or both
        are of one second, and it is the next one, or the counter is known to have been reset near."""
        if not press.is_dated:
            return True
        if not reset.is_exact or press.at != reset.at:
            return False
        following = self._following()
        return press.number == self.epochs[-1].last + 1 or (following is not None and _near(following, press))

    def _count(self, press: Press) -> None:
        """A press of an epoch that no known reset has ended."""
        epoch = self.epochs[-1]
        if press.number > epoch.last:
            self._raise(press)
        elif press.number == epoch.last and press.number > 1:
            self._repeat(TWICE, press)
            self._lower = None
        elif self._is_after_doubt(press):
            self._settle_doubt(press)
        elif press.number <= 1:
            self._restart(press)
        elif self._lower is not None:
            self._begin_at_lower(None)
            self._count(press)
        else:
            self._lower = press, self._repeat(BACK, press)

    def _raise(self, press: Press) -> None:
        epoch = self.epochs[-1]
        if press.number > epoch.last + 1:
            self._line(MISSING, press, epoch.last + 1, press.number - 1)
        epoch.last = press.number
        epoch.pressed_at = press.at
        epoch.first_at = epoch.first_at or (press.at if press.is_dated else None)
        self._lower = None
        if self._moment != press.at:
            self._moment, self._of_moment = press.at, {}
        self._of_moment.update((key, line) for key, line in self._repeats.items() if line.at == press.at)
        self._repeats.clear()
        self._run(UNPLACED, press, is_so=press.machine is None)
        self._run(LATE, press, is_so=press.is_late)

    def _restart(self, press: Press) -> None:
        """The counter began anew with this press, and maybe a reset that is told later says why."""
        reset = self._explanation(press)
        if reset is not None:
            self._open(
                reset.cause, self._holder(press.at).machine, press.at, self._base_after(reset, press.number), reset
            )
        else:
            self._open(RESTART, self._holder(press.at).machine, press.at, min(0, press.number - 1))
        self._raise(press)

    def _explanation(self, press: Press) -> Reset | None:
        """The next known reset, if it was told so soon after the press that this was pressed after it."""
        following = self._following()
        if following is None or not _near(following, press):
            return None
        self._resets.remove(following)
        return following

    def _following(self) -> Reset | None:
        return next((reset for reset in self._resets if not reset.is_exact and reset.base is not None), None)

    def _begin_at_lower(self, reset: Reset | None) -> None:
        """What seemed a step back was the first press of an epoch."""
        assert self._lower is not None
        press, line = self._lower
        if line.count == 1:
            self.epochs[-1].lines.remove(line)
        else:
            line.count -= 1
        if reset is None:
            self._restart(press)
        else:
            machine = self._holder(press.at).machine
            self._open(reset.cause, machine, press.at, self._base_after(reset, press.number), reset)
            self._raise(press)

    def _begin_after(self, reset: Reset, press: Press) -> None:
        before = self.epochs[-1]
        goes_on = press.number > before.last
        since = max(reset.at, before.pressed_at or LONG_AGO)
        self._open(reset.cause, self._holder(press.at).machine, since, self._base_after(reset, press.number), reset)
        self._raise(press)
        if goes_on and reset.base is not None and not reset.is_exact:
            self._doubt = _Doubt(reset, before, press)

    def _is_after_doubt(self, press: Press) -> bool:
        """Whether the reset in doubt is what made the counter fall here, rather than the one that is told next."""
        if self._doubt is None or not press.is_dated or press.at > self._doubt.reset.at + DOUBT:
            return False
        following = self._following()
        return following is None or press.at - self._doubt.reset.at <= following.at - press.at

    def _settle_doubt(self, press: Press) -> None:
        """Here the numbers fall: what was pressed between the reset and this is of the epoch before."""
        doubt, epoch = self._doubt, self.epochs.pop()
        assert doubt is not None
        before, first = doubt.before, doubt.at
        gap = epoch.base + 1
        lines = [line for line in epoch.lines if not (line.kind == MISSING and line.first == gap)]
        before.lines += lines
        if first.number > before.last + 1:
            before.lines.append(_line(MISSING, first, before.last + 1, first.number - 1))
        before.last, before.pressed_at, before.ended_at = epoch.last, epoch.pressed_at, None
        reset = doubt.reset
        self._open(reset.cause, self._holder(press.at).machine, press.at, self._base_after(reset, press.number), reset)
        self._raise(press)

    def _begin_elsewhere(self, press: Press, held: Holding) -> None:
        """The first press of all, or of another machine: its counter goes on, unless it was reset."""
        epoch = self.epochs[-1] if self.epochs else None
        if epoch is None and not press.is_dated:
            self._open(FIRST, held.machine, press.at, press.number - 1)  # before any reset, as far as anybody knows
            if self._pending is not None and self._pending.cause == ZERO and press.number == 1:
                self._pending = None  # it told where this epoch began
            self._raise(press)
            return
        pending, self._pending = self._pending, None
        if epoch is not None and pending is not None and self._is_known_already(pending, press):
            pending = None
        if epoch is None:
            base = press.number - 1 if pending is None else self._base_after(pending, press.number)
            is_reset = pending is not None and pending.cause == RESET
            cause, since = (SWAP, held.since) if held.is_swap else (FIRST, press.at)
            if pending is not None and is_reset:
                cause, since = RESET, pending.at
            self._open(cause, held.machine, since, base, pending if is_reset else None)
        else:
            base = self._base_after(pending or Reset(press.at, SWAP), press.number)
            since = max(held.since, epoch.pressed_at or LONG_AGO)
            self._open(pending.cause if pending else SWAP, held.machine, since, base, pending)
        self._raise(press)

    # --- epochs and lines ---

    def _open(self, cause: str, machine: int | None, since: datetime, base: int, reset: Reset | None = None) -> None:
        if self.epochs:
            self.epochs[-1].ended_at = since
            self._end_when_moved(self.epochs[-1])
        self.epochs.append(FoundEpoch(cause, machine, since, base, base, reset.command if reset else None))
        self._doubt = self._lower = None
        self._repeats.clear()
        self._of_moment.clear()
        self._runs.clear()

    def _end_when_moved(self, epoch: FoundEpoch) -> None:
        """An epoch ends when its machine gives the device away, press or no press."""
        after = epoch.pressed_at or epoch.started_at
        moved = (held.since for held in self._holdings if held.since > after and held.machine != epoch.machine)
        first = next(moved, None)
        if first is not None and (epoch.ended_at is None or first < epoch.ended_at):
            epoch.ended_at = first

    def _holder(self, at: datetime) -> Holding:
        place = bisect_right(self._changes, at)
        return self._holdings[place - 1] if place else Holding(LONG_AGO, None)

    def _line(self, kind: str, press: Press, first: int, last: int) -> FoundLine:
        line = _line(kind, press, first, last)
        self.epochs[-1].lines.append(line)
        return line

    def _repeat(self, kind: str, press: Press) -> FoundLine:
        key = kind, press.number
        line = self._repeats.get(key)
        if line is None and self._moment == press.at:
            line = self._of_moment.get(key)
        if line is None:
            line = self._line(kind, press, press.number, press.number)
        else:
            line.count += 1
        self._repeats[key] = line
        return line

    def _run(self, kind: str, press: Press, *, is_so: bool) -> None:
        run = self._runs.get(kind)
        if not is_so:
            self._runs.pop(kind, None)
        elif run is not None and run.last + 1 == press.number and run.outlet == press.outlet:
            run.last, run.count = press.number, run.count + 1
        else:
            self._runs[kind] = self._line(kind, press, press.number, press.number)


def _line(kind: str, press: Press, first: int, last: int) -> FoundLine:
    return FoundLine(kind, first, last, last - first + 1, press.at, press.machine, press.outlet)


def _near(reset: Reset, press: Press) -> bool:
    """Whether a press that seems to be before the reset may have been after it."""
    return not reset.is_exact and reset.at - DOUBT <= press.at
