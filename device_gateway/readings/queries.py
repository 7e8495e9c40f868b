"""A device's readings, one by one and in buckets of time."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from device_gateway.models import Device, DeviceTelemetry, ReadingHour
from device_gateway.readings.figures import HOUR, Figures
from ozone.wire.errors import Invalid
from ozone.wire.times import iso

MAX_BUCKET_ROWS: Final = 100_000


def readings(
    device: Device, *, start: datetime | None, end: datetime | None, before: tuple[datetime, int] | None = None
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


BUCKETS: Final = {
    "minute": lambda moment: moment.replace(second=0, microsecond=0),
    "hour": lambda moment: moment.replace(minute=0, second=0, microsecond=0),
    "day": lambda moment: moment.replace(hour=0, minute=0, second=0, microsecond=0),
}
FIRST_HOUR: Final = datetime.min.replace(tzinfo=UTC) + HOUR
SPANS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def bucketed(
    device: Device, *, bucket: str, fields: list[str], start: datetime | None, end: datetime | None
) -> list[dict[str, Any]]:
    """Count, min, mean, max and last of each numeric field in each minute, hour or day (UTC), oldest first.

    Done here rather than in two JSON dialects of SQL. Of readings that are deleted the hours are there that lie wholly
    between `start` and `end`. Raises Invalid past 100,000 readings and hours.
    """
    rows = readings(device, start=start, end=end).values_list("occurred_at", "payload")[: MAX_BUCKET_ROWS + 1]
    found = list(rows)
    hours = [] if bucket == "minute" else list(_hours(device, start, end)[: MAX_BUCKET_ROWS + 1])
    if len(found) + len(hours) > MAX_BUCKET_ROWS:
        raise Invalid(
            f"More than {MAX_BUCKET_ROWS:,} readings: narrow start and end.",
            code="too_many_readings",
            errors={"start": ["Choose a shorter span."]},
        )
    buckets: defaultdict[datetime, Figures] = defaultdict(Figures)
    floor = BUCKETS[bucket]
    for beginning, count, kept in hours:
        buckets[floor(beginning.astimezone(UTC))].add_kept(count, kept, beginning, fields)
    for moment, payload in reversed(found):
        buckets[floor(moment.astimezone(UTC))].add(payload, moment, fields)
    return [
        {
            "start": iso(key),
            "end": iso(key + SPANS[bucket]),
            "count": figures.count,
            "fields": {field: figures.fields[field].as_json() for field in fields if field in figures.fields},
        }
        for key, figures in sorted(buckets.items())
    ]


def _hours(device: Device, start: datetime | None, end: datetime | None) -> "QuerySet[ReadingHour, Any]":
    """When each began, the count of its readings, and their figures."""
    hours = ReadingHour.objects.filter(device=device)
    if start is not None:
        hours = hours.filter(start__gte=start)
    if end is not None:
        hours = hours.filter(start__lte=max(end, FIRST_HOUR) - HOUR + timedelta.resolution)
    return hours.order_by("start").values_list("start", "count", "fields")
