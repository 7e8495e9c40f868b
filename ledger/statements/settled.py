"""What people have said of lines, in presses, and what nobody has explained yet."""

from collections import Counter
from collections.abc import Collection
from datetime import date
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
    for line in _lines(month).filter(outlet__in=outlets, settlement__isnull=False):
        assert line.outlet_id is not None and line.settlement is not None
        found[line.outlet_id, line.treatment, day_of(line.at)] += change(line.kind, line.count, line.settlement)
    return dict(found)


def change(kind: str, presses: int, settlement: Settlement) -> int:
    """What was said of a line of so many presses, against what is counted of them."""
    counted = presses if kind in _STORED else 0
    match settlement.reason:
        case Settlement.Reason.COUNTED:
            return (settlement.count or 0) - counted
        case Settlement.Reason.TEST | Settlement.Reason.REFUNDED:
            return -counted
        case _:
            return 0


def unexplained_in(outlets: Collection[int], month: Month) -> dict[int, dict[str, int]]:
    """By outlet, of each kind of line how many presses nobody has settled."""
    rows = _lines(month).filter(outlet__in=outlets, settlement=None).order_by("kind").values("outlet", "kind")
    found: dict[int, dict[str, int]] = {}
    for outlet, kind, number in rows.annotate(number=Sum("count")).values_list("outlet", "kind", "number"):
        found.setdefault(outlet, {})[kind] = number
    return found


def _lines(month: Month) -> "QuerySet[Line]":
    return lines_between(day_start(month.first), day_start(month.next.first))
