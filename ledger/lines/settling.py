"""Which lines people have settled, whatever is computed anew."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from ledger.epochs.found import LATE, MISSING, UNPLACED, FoundEpoch, FoundLine
from ledger.lines.models import Settlement

_OF_SEVERAL = (MISSING, LATE, UNPLACED)
"""Kinds whose lines may be of several numbers."""


class Settlements:
    """Those of one treatment of a device, in the order in which they were made."""

    def __init__(self, device: int, treatment: str) -> None:
        self._made = list(Settlement.objects.filter(device=device, treatment=treatment).order_by("id"))

    def split(self, epochs: Sequence[FoundEpoch], place: int) -> Iterator[tuple[FoundLine, int | None]]:
        """The lines of the epoch at that place, cut so that each is settled as a whole, by the settlement named beside
        it, or not at all. A settlement is of the epoch that was in force at its moment."""
        since = epochs[place].started_at if place else None
        until = epochs[place + 1].started_at if place + 1 < len(epochs) else None
        made = [one for one in self._made if _is_within(one.at, since, until)]
        for line in epochs[place].lines:
            of_kind = [one for one in made if one.kind == line.kind]
            yield from _cut(line, of_kind)

    def of_line(self, line: FoundLine) -> int | None:
        """Of a line whose epoch does not matter."""
        return next(
            (
                one.pk
                for one in reversed(self._made)
                if one.kind == line.kind and (one.first, one.at) == (line.first, line.at)
            ),
            None,
        )


def _is_within(at: datetime, since: datetime | None, until: datetime | None) -> bool:
    return (since is None or at >= since) and (until is None or at < until)


def _cut(line: FoundLine, made: Sequence[Settlement]) -> Iterator[tuple[FoundLine, int | None]]:
    if line.kind not in _OF_SEVERAL:
        about = (one.pk for one in reversed(made) if one.first == line.first and line.count <= one.presses)
        yield line, next(about, None)  # where one more came, nobody has said anything of them all
        return
    ends = {line.last + 1, *_within(line, (end for one in made for end in (one.first, one.last + 1)))}
    first = line.first
    for end in sorted(ends):
        by = next((one.pk for one in reversed(made) if one.first <= first and end - 1 <= one.last), None)
        yield (line if (first, end) == (line.first, line.last + 1) else _part(line, first, end - 1)), by
        first = end


def _within(line: FoundLine, ends: Iterable[int]) -> Iterator[int]:
    return (end for end in ends if line.first < end <= line.last)


def _part(line: FoundLine, first: int, last: int) -> FoundLine:
    return replace(line, first=first, last=last, count=last - first + 1)
