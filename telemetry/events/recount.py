"""Counting anew: the counts by hour and day of a device, made from its events, a stretch of its time after the other.

The device's row of DeviceStatus is the lock, as for all that writes counts: devices go on meanwhile.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from device_gateway.models import Device
from telemetry.figures.analytics import TimeSlot
from telemetry.figures.rollups import starts
from telemetry.models import DailyCount, HourlyCount, RollUp, TelemetryEvent
from telemetry.statuses.storing import lock_statuses
from telemetry.treatments import COUNTERS, TREATMENTS

EVENTS_AT_ONCE: Final = 2_000
"""How many events of a device one transaction counts; more only where one day has more."""
_MINUTE: Final = 60
_LATER: Final = timedelta(days=2)
"""Another day, for certain."""

Key = tuple[int, int, datetime]
"""Machine, outlet, beginning of the hour or the day."""


class Recounted(NamedTuple):
    rows: int
    """How many counts differed from the events."""
    until: datetime | None
    """What occurred from then on is still to be counted; None: all is done."""


def counted_devices() -> "QuerySet[Device]":
    """Those that have events or counts, archived ones too."""
    of_device = {"device_id": OuterRef("pk")}
    kept = (model._default_manager.filter(**of_device) for model in (TelemetryEvent, HourlyCount, DailyCount))
    events, hours, days = (Exists(rows) for rows in kept)
    return Device.objects.filter(events | hours | days).order_by("pk")


@transaction.atomic
def recount_some(*, device: int, since: datetime | None) -> Recounted:
    """Makes the device's counts from `since` on right, for some EVENTS_AT_ONCE of its treatments.

    `since` is the `until` of the stretch before; None: from its first event on.
    """
    lock_statuses(connection, [device])
    treatments = TelemetryEvent.objects.filter(device=device, treatment__isnull=False)
    if since is not None:
        treatments = treatments.filter(occurred_at__gte=since)
    until = _until(treatments)
    span: dict[str, Any] = {"device_id": device} | ({"starts_at__gte": since} if since else {})
    if until is not None:
        treatments = treatments.filter(occurred_at__lt=until)
        span["starts_at__lt"] = until
    hours, days = _count(treatments)
    return Recounted(_replace(HourlyCount, span, hours) + _replace(DailyCount, span, days), until)


def _until(treatments: "QuerySet[TelemetryEvent]") -> datetime | None:
    """Up to where EVENTS_AT_ONCE go, in whole days of STATS_TIME_ZONE."""
    times = treatments.order_by("occurred_at").values_list("occurred_at", flat=True)
    beyond = list(times[EVENTS_AT_ONCE : EVENTS_AT_ONCE + 1])
    if not beyond:
        return None
    first = starts(times[:1].get())[1]
    until = starts(beyond[0])[1]
    if until > first:
        return until
    later = list(times.filter(occurred_at__gte=first + _LATER)[:1])
    return starts(later[0])[1] if later else None


def _count(treatments: "QuerySet[TelemetryEvent]") -> tuple[dict[Key, list[int]], dict[Key, list[int]]]:
    """By hour, and by day."""
    hours: dict[Key, list[int]] = {}
    days: dict[Key, list[int]] = {}
    minutes = treatments.order_by().values(
        "machine_id", "outlet_id", "treatment", minute=TimeSlot("occurred_at", seconds=_MINUTE)
    )
    for group in minutes.annotate(number=Count("pk")):
        place = TREATMENTS.index(str(group["treatment"]))
        hour, day = starts(datetime.fromtimestamp(group["minute"] * _MINUTE, UTC))
        for counts, start in ((hours, hour), (days, day)):
            key = (group["machine_id"] or 0, group["outlet_id"] or 0, start)
            counts.setdefault(key, [0, 0, 0])[place] += group["number"]
    return hours, days


def _replace(model: type[RollUp], span: Mapping[str, Any], counts: Mapping[Key, list[int]]) -> int:
    """Writes where the rows of the span say something else; how many did. No row and one of zeros say the same."""
    kept = {
        (row.machine_id, row.outlet_id, row.starts_at): [row.basic, row.standard, row.premium]
        for row in model._default_manager.filter(**span)
    }
    nothing = [0, 0, 0]
    wrong = [key for key in kept.keys() | counts.keys() if kept.get(key, nothing) != counts.get(key, nothing)]
    model._default_manager.bulk_create(
        (
            model(
                device_id=span["device_id"],
                machine_id=key[0],
                outlet_id=key[1],
                starts_at=key[2],
                **dict(zip(COUNTERS, counts.get(key, nothing), strict=True)),
            )
            for key in sorted(wrong)
        ),
        batch_size=500,
        update_conflicts=True,
        unique_fields=["device_id", "starts_at", "machine_id", "outlet_id"],
        update_fields=COUNTERS,
    )
    model._default_manager.filter(**span, **dict.fromkeys(COUNTERS, 0)).delete()
    return len(wrong)
