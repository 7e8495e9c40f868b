"""Which devices are waited for: the registry says which of them have changed, and all are gone through now and then."""

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import Max

from alerts.conditions.silence import SILENT
from device_gateway.models import Device
from device_gateway.versions import EVERYONE, RegistryChange
from ozone.intake.sql import moment, within

AT_ONCE: Final = 5_000
"""Numbers of devices that one statement goes through."""
CHANGES: Final = 1_000
AGAIN_AFTER: Final = 3600.0
"""Seconds after which all are gone through in any case."""
AT_LEAST: Final = 60.0
"""Seconds between two that changes ask for."""

_ARM: Final = (
    "INSERT INTO alerts_watch (device_id, alert_after) SELECT d.id, %s FROM device_gateway_device d"
    " WHERE d.assigned AND d.archived_at IS NULL AND d.id {among} AND NOT EXISTS (SELECT 1 FROM alerts_incident i"
    " WHERE i.device_id = d.id AND i.kind = %s AND i.ended_at IS NULL AND i.calm_since IS NULL) ORDER BY d.id"
    " ON CONFLICT (device_id) DO UPDATE SET alert_after = excluded.alert_after"
)
_UNLESS_ARMED: Final = " WHERE alerts_watch.alert_after IS NULL"


def arm(devices: Collection[int], now: datetime) -> None:
    """They are looked at now, those of them that somebody waits for."""
    _arm(*within(connection, devices), now, anew=True)


def _arm(among: str, given: list[Any], now: datetime, *, anew: bool) -> None:
    statement = _ARM.format(among=among) + ("" if anew else _UNLESS_ARMED)
    with connection.cursor() as cursor:
        cursor.execute(statement, [moment(connection, now), *given, SILENT])


class Arming:
    """What one process knows of it."""

    def __init__(self) -> None:
        self._change: int | None = None
        self._place: int | None = 0
        """How far it has gone through all; None: it does not."""
        self._last = 0
        self._is_anew = False
        self._is_wanted = False
        self._began = float("-inf")

    def go_through_all(self) -> None:
        """At the next steps, also those that have their time: it was of another clock, or by another threshold."""
        self._place, self._is_anew = 0, True

    def step(self, now: datetime, monotonic: float) -> bool:
        """Some of it; whether there is more at once."""
        self._hear(now)
        since = monotonic - self._began
        if self._place is None and since >= (AT_LEAST if self._is_wanted else AGAIN_AFTER):
            self._place = 0
        if self._place is None:
            return False
        if self._place == 0:
            self._began, self._is_wanted = monotonic, False
            self._last = Device.objects.aggregate(last=Max("id"))["last"] or 0
        until = self._place + AT_ONCE
        _arm("BETWEEN %s AND %s", [self._place + 1, until], now, anew=self._is_anew)
        self._place = until
        if until >= self._last:
            self._place, self._is_anew = None, False
        return self._place is not None

    def _hear(self, now: datetime) -> None:
        changes = RegistryChange.objects.order_by("id")
        if self._change is None:
            self._change = changes.values_list("id", flat=True).last() or 0
            return
        found = list(changes.filter(id__gt=self._change).values_list("id", "device_id")[:CHANGES])
        if found:
            self._change = found[-1][0]
            self._is_wanted = self._is_wanted or any(device in (None, EVERYONE) for _, device in found)
            arm({device for _, device in found if device}, now)
