"""Lines, as statements, pages and the API ask for them."""

from datetime import datetime

from django.db.models import QuerySet

from ledger.lines.models import Line


def lines_between(start: datetime, end: datetime) -> "QuerySet[Line]":
    """The lines that showed in [start, end), each with its settlement: `settlement` None is unexplained.

    Filter them by `outlet` or `machine`, both indexed with the time; `unplaced` ones have neither.
    """
    return Line.objects.filter(at__gte=start, at__lt=end).select_related("settlement")
