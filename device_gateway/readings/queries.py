"""A device's readings, one by one and in buckets of time."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from device_gateway.models import Device, DeviceTelemetry
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
SPANS: Final = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1)}


def bucketed(
    device: Device, *, bucket: str, fields: list[str], start: datetime | None, end: datetime | None
) -> list[dict[str, Any]]:
    """Count, min, mean, max and last of each numeric field in each minute, hour or day (UTC), oldest first.

    Done here rather than in two JSON dialects of SQL. Raises Invalid past 100,000 readings.
    """
    rows = readings(device, start=start, end=end).values_list("occurred_at", "payload")[: MAX_BUCKET_ROWS + 1]
    found = list(rows)
    if len(found) > MAX_BUCKET_ROWS:
        raise Invalid(
            f"More than {MAX_BUCKET_ROWS:,} readings: narrow start and end.",
            code="too_many_readings",
            errors={"start": ["Choose a shorter span."]},
        )
    buckets: dict[datetime, dict[str, _Summary]] = {}
    counts: dict[datetime, int] = {}
    floor = BUCKETS[bucket]
    for moment, payload in reversed(found):
        key = floor(moment.astimezone(UTC))
        counts[key] = counts.get(key, 0) + 1
        summaries = buckets.setdefault(key, {})
        for field, value in _numbers(payload, fields):
            if field not in summaries:
                summaries[field] = _Summary()
            summaries[field].add(value)
    return [
        {
            "start": iso(key),
            "end": iso(key + SPANS[bucket]),
            "count": counts[key],
            "fields": {field: summaries[field].as_json() for field in fields if field in summaries},
        }
        for key, summaries in buckets.items()
    ]


def _numbers(payload: Any, fields: list[str]) -> Iterator[tuple[str, float]]:
    if not isinstance(payload, dict):
        return
    for field in fields:
        value = payload.get(field)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            yield field, value


class _Summary:
    """Running figures of one field in one bucket."""

    def __init__(self) -> None:
        self._values: list[float] = []

    def add(self, value: float) -> None:
        self._values.append(value)

    def as_json(self) -> dict[str, Any]:
        values = self._values
        # Divided first: the sum of the largest doubles would be infinite.
        mean = math.fsum(value / len(values) for value in values)
        return {"count": len(values), "min": min(values), "mean": mean, "max": max(values), "last": values[-1]}
