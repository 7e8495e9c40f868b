"""What may be read of machines, outlets, devices and events, and by whom: all of it hangs on visible_devices."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet

from device_gateway.models import Device
from ozone.wire.times import iso_or_none
from telemetry.models import Machine
from telemetry.presence import presence
from telemetry.treatments import COUNTERS

_COUNTS: Final = (
    "status__current_count_basic",
    "status__current_count_standard",
    "status__current_count_premium",
)
_HEARD: Final = ("state__last_poll", "state__last_seen")
_DEVICE: Final = ("id", "device_id", "mac", "name", "location", "assigned", "firmware")
_MACHINE: Final = ("id", "outlet_id", "name", "is_active", "installed_date", "outlet__name", "device__device_id")


def device_list(devices: "QuerySet[Device]", now: datetime) -> Iterator[dict[str, Any]]:
    """Devices as the lists show them, in one query: plain columns, because a fleet has ten thousand."""
    machine = ("machine__id", "machine__name", "machine__outlet_id", "machine__outlet__name")
    for row in devices.values(*_DEVICE, *_HEARD, *_COUNTS, *machine):
        bound = {
            "id": row["machine__id"],
            "name": row["machine__name"],
            "outlet_id": row["machine__outlet_id"],
            "outlet_name": row["machine__outlet__name"],
        }
        yield {
            **{name: row[name] for name in _DEVICE},
            "last_seen": iso_or_none(row["state__last_seen"]),
            "last_poll": iso_or_none(row["state__last_poll"]),
            **_of_device(row, "", now),
            "bound_machine": bound if row["machine__id"] else None,
        }


def machine_list(machines: "QuerySet[Machine]", now: datetime) -> Iterator[dict[str, Any]]:
    """Machines as the API shows them, in one query."""
    of_device = [f"device__{name}" for name in (*_HEARD, *_COUNTS)]
    for row in machines.values(*_MACHINE, *of_device):
        yield {
            "id": row["id"],
            "outlet": row["outlet_id"],
            "name": row["name"],
            "is_active": row["is_active"],
            "installed_date": row["installed_date"] and row["installed_date"].isoformat(),
            "machine_id": row["id"],
            "machine_code": row["name"],
            "outlet_name": row["outlet__name"],
            "device_id": row["device__device_id"],
            **_of_device(row, "device__", now),
        }


def _of_device(row: Mapping[str, Any], prefix: str, now: datetime) -> dict[str, Any]:
    """Status and counters; those of no device are offline and zeros."""
    last_poll, last_seen = (row[prefix + name] for name in _HEARD)
    counts = (row[prefix + name] or 0 for name in _COUNTS)
    return {
        "status": presence(last_poll, last_seen, now),
        "counts": dict(zip(COUNTERS, counts, strict=True)),
    }
