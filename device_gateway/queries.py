"""What may be read of devices and their readings, and by whom."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q, QuerySet

from device_gateway.models import Device, DeviceName, DeviceTelemetry, ProvisioningToken
from device_gateway.names import spelled_mac
from ozone.wire.errors import Invalid, NotFound
from ozone.wire.times import iso

MAX_BUCKET_ROWS: Final = 100_000
RECENT_CLAIMS: Final = 50


def visible_devices(actor: Any, *, archived: bool = False) -> "QuerySet[Device]":
    """The devices the actor may see: all for staff, their own for others. Every view, page and command asks here."""
    devices = Device.objects.all() if archived else Device.objects.filter(archived_at=None)
    if actor.is_staff:
        return devices
    return devices.filter(owner_id=actor.pk) if actor.pk is not None else devices.none()


def find_device(devices: "QuerySet[Device]", name: str) -> Device:
    """The device of that integer id or name, current or former; raises NotFound where it is not among `devices`."""
    found: Device | None = None
    if name.isascii() and name.isdigit():
        found = devices.filter(pk=int(name)).first() if len(name) < 19 else None
    elif "\0" not in name:  # which PostgreSQL cannot even look for
        found = devices.filter(names__name__in={name, spelled_mac(name) or name}).first()
    if found is None:
        raise NotFound("There is no such device.", code="unknown_device")
    return found


def find_devices(devices: "QuerySet[Device]", names: Sequence[str]) -> dict[str, Device]:
    """As find_device, of many names in two queries: those that name one of `devices`."""
    numbers = {name: int(name) for name in names if name.isascii() and name.isdigit() and len(name) < 19}
    texts = {name: spelled_mac(name) or name for name in names if name not in numbers and "\0" not in name}
    by_number = devices.in_bulk(set(numbers.values()))
    rows = DeviceName.objects.filter(name__in={*texts, *texts.values()}, device__in=devices).select_related("device")
    by_name = {row.name: row.device for row in rows}
    found = {name: by_number.get(number) for name, number in numbers.items()}
    found |= {name: by_name.get(name) or by_name.get(mac) for name, mac in texts.items()}
    return {name: device for name, device in found.items() if device is not None}


def pending_tokens(actor: Any) -> "QuerySet[ProvisioningToken]":
    """Tokens nobody has claimed, of the actor's devices, newest first: some may have expired. Revoked ones follow."""
    return _tokens(actor).filter(claimed_at=None).order_by(F("revoked_at").desc(nulls_first=True), "-id")


def recent_claims(actor: Any) -> "QuerySet[ProvisioningToken]":
    """The last 50 claims of the actor's devices."""
    return _tokens(actor).filter(claimed_at__isnull=False).order_by("-claimed_at", "-id")[:RECENT_CLAIMS]


def _tokens(actor: Any) -> "QuerySet[ProvisioningToken]":
    return ProvisioningToken.objects.filter(device__in=visible_devices(actor)).select_related(
        "device", "issued_by", "credential"
    )


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
