"""What keeps the ledger: one process looks into every device that was touched, some seconds after it was."""

from datetime import timedelta
from typing import Final

from django.db.models import QuerySet
from django.utils import timezone

from device_gateway.leading import MOVE, Leading, Lease
from ledger.epochs.services import look_into, touched_devices
from telemetry.models import DeviceStatus

AT_ONCE: Final = 50
"""Devices among which those with the newest presses come first; one of the others has its turn with them, so that a
history that was moved in neither waits for ever nor holds up the day."""

PAST: Final = timedelta(hours=1)
"""What happened before that waits while a past moves in: each step of the move would have it looked into anew."""


class _Waiting:
    """Devices that were touched when it was last looked."""

    devices: list[int] = []


def step() -> bool:
    """Looks a step farther into one device; whether there may be more."""
    if not _Waiting.devices:
        _Waiting.devices = _found()
    if _Waiting.devices:
        look_into(_Waiting.devices.pop())
        return True
    return False


def _found() -> list[int]:
    touched = touched_devices()
    if Lease.is_taken(MOVE):
        touched = touched.filter(touched_from__gte=timezone.now() - PAST)
    newest = _numbers(touched.order_by("-touched_from"), AT_ONCE)
    if len(newest) < AT_ONCE:
        return newest[::-1]
    oldest = _numbers(touched.order_by("touched_from"), 1)
    return [*(number for number in oldest if number not in newest), *newest[::-1]]


def _numbers(statuses: "QuerySet[DeviceStatus]", most: int) -> list[int]:
    return list(statuses.values_list("device_id", flat=True)[:most])


follower: Final = Leading("ledger", step)
