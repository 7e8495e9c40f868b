"""What a history is made of, and what is found in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final, NamedTuple

LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Before anything is told: no time before 2020 is believed (DEVICE_EPOCH)."""

DOUBT: Final = timedelta(minutes=10)
"""How far a clock that is believed may be off (ozone.wire.times.AHEAD)."""

FIRST, RESET, CLEARED, ZERO, RESTART, SWAP = "first", "reset", "cleared", "zero", "restart", "swap"
MISSING, TWICE, BACK, LATE, UNPLACED = "missing", "twice", "back", "late", "unplaced"


class Press(NamedTuple):
    """`order` is the order in which presses of one moment were told. Of one that is not `is_dated` nobody knows more of
    its time than that it was not after `at`. Machine and outlet are those it was given to."""

    at: datetime
    order: int
    number: int
    is_dated: bool = True
    machine: int | None = None
    outlet: int | None = None
    is_late: bool = False


class Reset(NamedTuple):
    """A known one. `base`: what the counter was after it; None: it may have gone on. `order` places it among presses of
    its moment; `is_exact`: the device itself told it in their order, by the same clock."""

    at: datetime
    cause: str
    base: int | None = None
    command: int | None = None
    order: int = -1
    is_exact: bool = False


class Holding(NamedTuple):
    """Which machine held the device from then on, until the next one; `is_swap`: in the place of another device."""

    since: datetime
    machine: int | None
    is_swap: bool = False


@dataclass
class FoundLine:
    kind: str
    first: int
    last: int
    count: int
    at: datetime
    machine: int | None = None
    outlet: int | None = None


@dataclass
class FoundEpoch:
    """As the model has it; `presses` among `lines` only, for an epoch that is resumed has more of them."""

    cause: str
    machine: int | None
    started_at: datetime
    base: int
    last: int
    command: int | None = None
    ended_at: datetime | None = None
    pressed_at: datetime | None = None
    """Its newest press."""
    first_at: datetime | None = None
    """Its first press whose time is known; of one that is resumed LONG_AGO, for it is past doubt."""
    lines: list[FoundLine] = field(default_factory=list)


def in_order(presses: Iterable[Press], resets: Iterable[Reset] = (), before: int | None = None) -> list[Press]:
    """By time, then as told; but those of one moment that are one unbroken run of numbers go by number, because whole
    seconds hold several presses, and one of them may come late. What has no time of its own stays where it was put.
    With a known reset near, what goes on in its moment comes before what begins anew, unless the press that follows
    goes on too; and 2 and 1 after a 1 were told as they were pressed, unless a 3 follows. `before`: the number that the
    first of them followed."""
    ordered = sorted(presses, key=lambda press: (press.at, press.order))
    near = [reset.at for reset in resets if not reset.is_exact]
    start = 0
    while start < len(ordered):
        end = start + 1
        while end < len(ordered) and ordered[end].at == ordered[start].at:
            end += 1
        dated = [place for place in range(start, end) if ordered[place].is_dated]
        if len(dated) > 1:
            told = [ordered[place] for place in dated]
            some = sorted(told, key=lambda press: press.number)
            following = ordered[end].number if end < len(ordered) else None
            is_near = any(abs(reset - told[0].at) <= DOUBT for reset in near)
            if not _is_run(some):
                told = (_begun_anew(told, before, following) if is_near and before is not None else []) or told
            elif not (is_near and before is not None and before == _fall(told) and following != some[-1].number + 1):
                told = some
            for place, press in zip(dated, told, strict=True):
                ordered[place] = press
        before, start = ordered[end - 1].number, end
    return ordered


def _is_run(presses: Sequence[Press]) -> bool:
    return all(one.number + 1 == other.number for one, other in pairwise(presses))


def _begun_anew(told: Sequence[Press], before: int, following: int | None) -> list[Press]:
    """Presses as they were pressed where a counter that was at `before` went on, and began at 1 within the moment; none
    where it did not, as far as their numbers and the one that follows show, or where nothing is missing as told."""
    some = sorted(told, key=lambda press: press.number)
    if len({press.number for press in some}) < len(some):
        return []
    if all(other in (1, one + 1) for one, other in pairwise([before, *(press.number for press in told)])):
        return []
    anew = [press for press in some if press.number <= before]
    on = [press for press in some if press.number > before]
    if not anew or not on or anew[0].number != 1 or not _is_run(anew):
        return []
    return [*on, *anew] if following is None or following < on[0].number else []


def _fall(told: Sequence[Press]) -> int | None:
    """The number before the first of them, where they rise to where they fall to 1, and rise again; None elsewhere."""
    falls = [place for place, (one, other) in enumerate(pairwise(told), 1) if other.number != one.number + 1]
    return told[0].number - 1 if len(falls) == 1 and told[falls[0]].number == 1 else None
