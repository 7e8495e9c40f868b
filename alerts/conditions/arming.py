"""Whoever is waited for is looked at: devices get their time, but those that are known to be silent."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection

from alerts.conditions.silence import SILENT
from device_gateway.models import Device
from ozone.intake.sql import moment, within

_ARM: Final = (
    "INSERT INTO alerts_watch (device_id, alert_after) SELECT d.id, %s FROM device_gateway_device d"
    " WHERE d.assigned AND d.archived_at IS NULL AND d.id {among} AND NOT EXISTS (SELECT 1 FROM alerts_incident i"
    " WHERE i.device_id = d.id AND i.kind = %s AND i.ended_at IS NULL AND i.calm_since IS NULL) ORDER BY d.id"
    " ON CONFLICT (device_id) DO UPDATE SET alert_after = excluded.alert_after"
)
_UNLESS_ARMED: Final = " WHERE alerts_watch.alert_after IS NULL"


def arm(devices: Collection[int], now: datetime) -> None:
    """They are looked at now, those of them that somebody waits for."""
    arm_among(*within(connection, devices), now, anew=True)


def arm_next(after: int, most: int, now: datetime, *, anew: bool) -> int | None:
    """As arm_among, of the devices that are numbered next, which may be far off. Returns the last one's number; None
    where there are no more."""
    numbers = list(Device.objects.filter(pk__gt=after).order_by("pk").values_list("pk", flat=True)[:most])
    if numbers:
        arm_among("BETWEEN %s AND %s", [numbers[0], numbers[-1]], now, anew=anew)
    return numbers[-1] if len(numbers) == most else None


def arm_among(among: str, given: list[Any], now: datetime, *, anew: bool) -> None:
    """Of those whose number is `among`, SQL, with what is `given` to it; without `anew` those that have no time."""
    statement = _ARM.format(among=among) + ("" if anew else _UNLESS_ARMED)
    with connection.cursor() as cursor:
        cursor.execute(statement, [moment(connection, now), *given, SILENT])
