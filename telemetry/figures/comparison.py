"""Statistics for people, who compare: what is not over, and what was never counted, is told and no number lies by it.

The bucket of now is unfinished. Fewest and average leave it out, and so does the change by day and month; by hour and
minute both sides end at the same time of day. Before the first treatment that there is nothing is known: no zeros.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import compress
from typing import Any

from telemetry.figures.buckets import Buckets, wall_time
from telemetry.figures.counting import first_counted
from telemetry.figures.statistics import Counted, Filters, count, shown

Number = float | None
"""None: nothing is known."""


@dataclass(frozen=True)
class Comparison:
    labels: list[str]
    unfinished: int
    """How many of the last buckets are not over."""
    series: dict[str, list[Number]]
    before: list[Number]
    """The total of what each bucket is compared with, treated as the series are."""
    total: int
    average: Number
    fewest: int | None
    most: int | None
    total_before: int | None
    span_before: tuple[str, str]
    """The first and the last label of what it is compared with, or until when it is counted."""
    ours: int
    theirs: int
    """What the change is of: totals without what has nothing to be compared with."""
    pairs: int
    """Over how many buckets these are."""
    is_until_now: bool
    """Whether the bucket of now is among them, as far as it is over; else they are finished."""
    no_data_before: str
    """The minute, hour or day of the first data, where anything lies before."""
    counted: Counted
    """What all this is made of."""

    @property
    def change(self) -> Number:
        """Per cent."""
        return 100 * (self.ours - self.theirs) / self.theirs if self.theirs else None


def compared(actor: Any, filters: Filters, now: datetime) -> Comparison:
    """Raises as `statistics`."""
    found = count(actor, replace(filters, until_now=True, same_hours=True), now)
    buckets, totals, totals_before = found.buckets, found.plain["total"], found.plain_before["total"]
    first, start_before = first_counted(found.conditions, found.before.bounds()[0], now), found.before.starts[0]
    known_from = whole_from = start_before if first is None else buckets.start_of(first)
    if first and filters.granularity == "month" and wall_time(first, buckets.zone).date() > known_from.date():
        whole_from = buckets.end_of(known_from)  # most of a month may be missing: it is in no average, either
    finished = sum(start < buckets.start_of(now) for start in buckets.starts)
    is_known = [start >= known_from for start in buckets.starts]
    was_known = [start >= known_from for start, _ in found.beside]
    was_whole = [start >= whole_from for start, _ in found.beside]
    whole = [number for start, number in zip(buckets.starts[:finished], totals, strict=False) if start >= whole_from]
    # By day and month they stand in pairs; by hour the clock may have shown more or fewer before.
    by_pairs = filters.granularity in ("day", "month") and finished > 0
    compared_to = finished if by_pairs else None
    return Comparison(
        labels=buckets.labels(),
        unfinished=len(totals) - finished,
        series={name: _masked(numbers, is_known) for name, numbers in shown(found.plain, filters).items()},
        before=_before(found, filters, was_known),
        total=sum(totals),
        average=round(sum(whole) / len(whole), 2) if whole else None,
        fewest=min(whole, default=None),
        most=max(compress(totals, is_known), default=None),
        total_before=sum(totals_before) if found.before.starts[-1] >= known_from else None,
        span_before=_span(found),
        ours=sum(compress(totals[:compared_to], was_whole)),
        theirs=sum(compress(totals_before[:compared_to], (start >= whole_from for start in found.before.starts))),
        pairs=sum(was_whole[:compared_to]),
        is_until_now=not by_pairs,
        no_data_before=_label(buckets, first, known_from) if first and whole_from > start_before else "",
        counted=found,
    )


def _label(buckets: Buckets, first: datetime, known_from: datetime) -> str:
    day = f"{wall_time(first, buckets.zone):%Y-%m-%d}"
    return day if buckets.granularity == "month" else replace(buckets, starts=(known_from,)).labels()[0]


def _masked(numbers: Sequence[Any], is_known: Sequence[bool]) -> list[Number]:
    return [number if is_told else None for number, is_told in zip(numbers, is_known, strict=True)]


def _before(found: Counted, filters: Filters, was_known: Sequence[bool]) -> list[Number]:
    numbers = shown(found.plain_before, filters)["total"]
    return _masked([None if place is None else numbers[place] for _, place in found.beside], was_known)


def _span(found: Counted) -> tuple[str, str]:
    labels, end = found.before.labels(), found.before.end_of(found.before.starts[-1])
    is_cut = found.until is not None and found.until < end
    return labels[0], f"{found.until:%Y-%m-%d %H:%M}" if is_cut else labels[-1]
