"""A device's readings, one by one and in buckets of time."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Q, QuerySet

from device_gateway.models import Device, DeviceTelemetry, ReadingHour
from device_gateway.readings.figures import HOUR, Figures
from ozone.webapi.paging import fitting
from ozone.wire.errors import Invalid
from ozone.wire.times import iso

MAX_BUCKET_ROWS: Final = 100_000
MAX_BUCKET_SIZE: Final = 256 * 1024 * 1024
"""Characters of JSON: so much is read through in some seconds."""
AT_ONCE: Final = 2_000


def readings(
    device: Device | int, *, start: datetime | None, end: datetime | None, before: tuple[datetime, int] | None = None
) -> "QuerySet[DeviceTelemetry]":
    """A device's readings by `occurred_at`, newest first; both ends inclusive; `before` is a place in that order."""
    found = DeviceTelemetry.objects.filter(device=device).order_by("-occurred_at", "-id")
    if start is not None:
        found = found.filter(occurred_at__gte=start)
    if end is not None:
        found = found.filter(occurred_at__lte=end)
    if before is not None:
        moment, number = before
        found = found.filter(occurred_at__lte=moment).filter(Q(occurred_at__lt=moment) | Q(id__lt=number))
    return found


class Piece(NamedTuple):
    """When each reading occurred, and what it says; `size` characters together."""

    rows: list[tuple[datetime, Any]]
    size: int


def pieces(
    device: Device | int,
    *,
    start: datetime | None,
    end: datetime | None,
    is_back: bool = False,
    at_once: int = AT_ONCE,
) -> Iterator[Piece]:
    """A device's readings, oldest first, or with `is_back` newest first; in a piece at most so many.

    Each piece by statements of its own: no more is held than one, however large the readings are, and no log of a
    database grows while somebody reads.
    """
    place: tuple[datetime, int] | None = None
    while True:
        if is_back:
            rows = readings(device, start=start, end=end, before=place)
        else:
            rows = readings(device, start=start, end=end).order_by("occurred_at", "id")
            if place is not None:
                moment, number = place
                rows = rows.filter(occurred_at__gte=moment).filter(Q(occurred_at__gt=moment) | Q(id__gt=number))
        fit = fitting(rows, "payload", at_once)
        found = list(rows.values_list("occurred_at", "payload", "id")[: fit.number])
        if found:
            yield Piece([(moment, payload) for moment, payload, _ in found], fit.size)
        if not fit.has_more or not found:
            return
        place = (found[-1][0], found[-1][2])


BUCKETS: Final = {
    "minute": lambda moment: moment.replace(second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}
FIRST_HOUR: Final = datetime.min.replace(tzinfo=UTC) + HOUR
SPANS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def bucketed(
    device: Device, *, bucket: str, fields: list[str], start: datetime | None, end: datetime | None
) -> Iterator[dict[str, Any]]:
    """Count, min, mean, max and last of each numeric field in each minute, hour or day (UTC), oldest first.

    Done here rather than in two JSON dialects of SQL. Of readings that are deleted the hours are there that lie wholly
    between `start` and `end`. Raises Invalid past MAX_BUCKET_ROWS readings and hours, or MAX_BUCKET_SIZE.
    """
    hours = [] if bucket == "minute" else list(_hours(device, start, end)[: MAX_BUCKET_ROWS + 1])
    number = readings(device, start=start, end=end)[: MAX_BUCKET_ROWS + 1].count()
    if number + len(hours) > MAX_BUCKET_ROWS:
        raise _too_many(f"More than {MAX_BUCKET_ROWS:,} readings")
    buckets: defaultdict[datetime, Figures] = defaultdict(Figures)
    floor = BUCKETS[bucket]
    for beginning, count, kept in hours:
        buckets[floor(beginning.astimezone(UTC))].add_kept(count, kept, beginning, fields)
    size = 0
    for piece in pieces(device, start=start, end=end):
        size += piece.size
        if size > MAX_BUCKET_SIZE:
            raise _too_many(f"Readings of more than {MAX_BUCKET_SIZE // 2**20} MB")
        for moment, payload in piece.rows:
            buckets[floor(moment.astimezone(UTC))].add(payload, moment, fields)
        last = floor(piece.rows[-1][0].astimezone(UTC))
        yield from _taken([key for key in buckets if key < last], buckets, bucket, fields)
    yield from _taken(list(buckets), buckets, bucket, fields)


def _taken(
    keys: list[datetime], buckets: dict[datetime, Figures], bucket: str, fields: list[str]
) -> Iterator[dict[str, Any]]:
    """Those to which nothing is added any more: a year's minutes are not held together."""
    for key in sorted(keys):
        figures = buckets.pop(key)
        yield {
            "start": iso(key),
            "end": iso(key + SPANS[bucket]),
            "count": figures.count,
            "fields": {field: figures.fields[field].as_json() for field in fields if field in figures.fields},
        }


def _too_many(what: str) -> Invalid:
    return Invalid(
        f"{what}: narrow start and end.", code="too_many_readings", errors={"start": ["Choose a shorter span."]}
    )


def _hours(device: Device, start: datetime | None, end: datetime | None) -> "QuerySet[ReadingHour, Any]":
    """When each began, the count of its readings, and their figures."""
    hours = ReadingHour.objects.filter(device=device)
    if start is not None:
        hours = hours.filter(start__gte=start)
    if end is not None:
        hours = hours.filter(start__lte=max(end, FIRST_HOUR) - HOUR + timedelta.resolution)
    return hours.order_by("start").values_list("start", "count", "fields")
