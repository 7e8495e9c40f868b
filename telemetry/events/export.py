"""Events as CSV, in pieces: of any number of them only one piece is in memory, and no query takes long.

Between two pieces there is neither a transaction nor a cursor: while one is open, SQLite's log cannot be reset.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet

from ozone.webapi.parameters import BOM
from ozone.wire.times import iso
from ozone.wire.words import guarded
from telemetry.models import TelemetryEvent

STRETCH: Final = 2_000
"""Rows that one query looks at, whether they belong to the export or not."""

_HEADER: Final = (
    "Timestamp",
    "Device Timestamp",
    "Device ID",
    "Event ID",
    "Event Type",
    "Counter",
    "Basic Count",
    "Standard Count",
    "Premium Count",
    "WiFi Status",
    "Outlet",
    "Machine",
    # The on-time values of the legacy form, as sent.
    "Type1",
    "Type2",
    "Type3",
)
_FIELDS: Final = (
    "occurred_at",
    "device_timestamp",
    "device__device_id",
    "event_id",
    "event_type",
    "counter",
    "count_basic",
    "count_standard",
    "count_premium",
    "wifi_status",
    "outlet__name",
    "machine__name",
    "payload__type1",
    "payload__type2",
    "payload__type3",
)
_FIRST: Final = datetime(1, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(9999, 12, 31, tzinfo=UTC)


class Walk(NamedTuple):
    """Rows, in the order of a time by which an index finds them, from `start` to `end`; and those `wanted` of them.

    Neither may say anything of that time: of two bounds SQLite's index takes one, and it would take the wider.
    """

    rows: "QuerySet[TelemetryEvent]"
    wanted: "QuerySet[TelemetryEvent]"
    moment: str
    start: datetime | None
    end: datetime | None = None


def export(walks: Iterable[Walk], *, bom: bool = False) -> Iterator[bytes]:
    """A file under way, for a streamed response. The first piece is made at once: what fails there can still be told
    as an error.

    The walks come one after another. What is stored after the start is left out. `bom`: the file begins with one.
    """
    pieces = _pieces(walks, BOM if bom else "")
    return chain([next(pieces)], pieces)


def _pieces(walks: Iterable[Walk], start: str) -> Iterator[bytes]:
    """The header, and a piece for each stretch, an empty one too: whoever sends it notices that the client has left."""
    newest = TelemetryEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    piece = io.StringIO(newline="")
    piece.write(start)
    writer = csv.writer(piece)
    writer.writerow(_HEADER)
    for walk in walks:
        for stretch in _stretches(walk, newest):
            writer.writerows(map(_row, stretch.values_list(*_FIELDS)))
            yield piece.getvalue().encode()
            piece.seek(0)
            piece.truncate()
    yield piece.getvalue().encode()  # where there is nothing to walk through: the header


def _stretches(walk: Walk, newest: int) -> Iterator["QuerySet[TelemetryEvent]"]:
    """What is wanted, from stretches of STRETCH rows: however few are wanted, no query looks at more."""
    moment, end = walk.moment, walk.end or _LAST
    place: tuple[datetime, int] | None = (walk.start or _FIRST, 0)
    while place is not None:
        since, number = place
        passed = {moment: since, "pk__lte": number}
        rest = walk.rows.filter(**{f"{moment}__gte": since, f"{moment}__lte": end, "pk__lte": newest}).exclude(**passed)
        bounds = rest.order_by(moment, "pk").values_list(moment, "pk")[STRETCH - 1 : STRETCH]
        place = next(iter(bounds), None)
        until, number = place or (end, newest)
        stretch = walk.wanted.filter(**{f"{moment}__gte": since, f"{moment}__lte": until, "pk__lte": newest})
        yield stretch.exclude(**passed).exclude(**{moment: until, "pk__gt": number}).order_by(moment, "pk")


def _row(event: Sequence[Any]) -> tuple[Any, ...]:
    occurred_at, *rest = event
    return (iso(occurred_at), *[guarded(cell) if isinstance(cell, str) else cell for cell in rest])
