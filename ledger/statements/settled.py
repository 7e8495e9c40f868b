"""What people have said of lines, in presses, and what nobody has explained yet."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import groupby
from operator import attrgetter
from typing import Final

from django.db.models import QuerySet, Sum

from ledger.lines.models import Kind, Line, Settlement
from ledger.lines.queries import lines_between
from ledger.sales.earning import day_of
from ledger.statements.months import Month, day_start

_STORED: Final = (Kind.TWICE, Kind.BACK, Kind.LATE)
"""Kinds whose presses are counted already."""


def settled_in(outlets: Collection[int], month: Month) -> dict[tuple[int, str, date], int]:
    """By outlet, treatment and day how many presses more, or fewer, were sold than are counted."""
    found: Counter[tuple[int, str, date]] = Counter()
    wanted = _lines(month).filter(outlet__in=outlets, settlement__isnull=False).order_by()
    # All that is left of what somebody has settled, wherever it lies: it is one number of presses.
    lines = Line.objects.filter(settlement__in=wanted.values("settlement")).select_related("settlement")
    for settlement, parts in groupby(lines.order_by("settlement", "at", "first"), key=attrgetter("settlement")):
        for line, change in _changes(settlement, list(parts)):
            outlet = line.outlet_id
            if outlet is not None and outlet in outlets and Month.at(line.at) == month:
                found[outlet, line.treatment, day_of(line.at)] += change
    return dict(found)


def _changes(settlement: Settlement, lines: Sequence[Line]) -> Iterator[tuple[Line, int]]:
    """What was said of each of the lines that are left of one, against what is counted of its presses.

    Presses that have come after all are counted, and are among those that were counted by hand: the rest is of the
    lines that are left, the earliest first.
    """
    is_stored = settlement.kind in _STORED
    left = settlement.count or 0
    if not is_stored:
        left -= settlement.presses - sum(line.count for line in lines)
    for line in lines:
        counted = line.count if is_stored else 0
        match settlement.reason:
            case Settlement.Reason.COUNTED:
                by_hand = max(0, min(left, line.count))
                left -= by_hand
                yield line, by_hand - counted
            case Settlement.Reason.TEST | Settlement.Reason.REFUNDED:
                yield line, -counted


def unexplained_in(outlets: Collection[int], month: Month) -> dict[int, dict[str, int]]:
    """By outlet, of each kind of line how many presses nobody has settled."""
    rows = _lines(month).filter(outlet__in=outlets, settlement=None).order_by("kind").values("outlet", "kind")
    found: dict[int, dict[str, int]] = {}
    for outlet, kind, number in rows.annotate(number=Sum("count")).values_list("outlet", "kind", "number"):
        found.setdefault(outlet, {})[kind] = number
    return found


def _lines(month: Month) -> "QuerySet[Line]":
    return lines_between(day_start(month.first), day_start(month.next.first))
