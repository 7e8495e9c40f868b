"""What may be read of machines, outlets, devices and events, and by whom: all of it hangs on visible_devices."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Count, Model, Q, QuerySet

from device_gateway.models import Device
from device_gateway.queries import visible_devices
from telemetry.models import Machine, Outlet, TelemetryEvent
from telemetry.status import presence
from wire.errors import NotFound
from wire.times import iso_or_none

M = TypeVar("M", bound=Model)


def visible_events(actor: Any) -> "QuerySet[TelemetryEvent]":
    """Archived devices' too: what they sent stays what it was."""
    events = TelemetryEvent.objects.all()
    return events if actor.is_staff else events.filter(device__in=visible_devices(actor, archived=True))


def visible_machines(actor: Any) -> "QuerySet[Machine]":
    machines = Machine.objects.filter(archived_at=None)
    return machines if actor.is_staff else machines.filter(device__in=visible_devices(actor))


def visible_outlets(actor: Any) -> "QuerySet[Outlet]":
    outlets = Outlet.objects.filter(archived_at=None)
    if not actor.is_staff:
        outlets = outlets.filter(pk__in=visible_machines(actor).values("outlet"))
    return outlets.annotate(machine_count=Count("machines", filter=Q(machines__archived_at=None)))


def find(rows: "QuerySet[M]", number: int, *, code: str) -> M:
    """Raises NotFound with the code `unknown_<what>` where the row is not among `rows`."""
    found = rows.filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise NotFound(f"There is no such {code.removeprefix('unknown_')}.", code=code)
    return found


_DEVICE_COLUMNS = (
    "id",
    "device_id",
    "mac",
    "name",
    "location",
    "assigned",
    "firmware",
    "state__last_seen",
    "state__last_poll",
    "status__current_count_basic",
    "status__current_count_standard",
    "status__current_count_premium",
    "machine__id",
    "machine__name",
    "machine__outlet_id",
    "machine__outlet__name",
)


def device_list(devices: "QuerySet[Device]", now: datetime) -> Iterator[dict[str, Any]]:
    """Devices as the lists show them, in one query: plain columns, because a fleet has ten thousand."""
    for row in devices.order_by("id").values(*_DEVICE_COLUMNS).iterator(chunk_size=2000):
        yield _listed(row, now)


def _listed(row: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    machine = row["machine__id"] and {
        "id": row["machine__id"],
        "name": row["machine__name"],
        "outlet_id": row["machine__outlet_id"],
        "outlet_name": row["machine__outlet__name"],
    }
    return {
        **{name: row[name] for name in _DEVICE_COLUMNS[:7]},
        "last_seen": iso_or_none(row["state__last_seen"]),
        "last_poll": iso_or_none(row["state__last_poll"]),
        "status": presence(row["state__last_poll"], row["state__last_seen"], now),
        "counts": {name: row[f"status__current_count_{name}"] or 0 for name in ("basic", "standard", "premium")},
        "bound_machine": machine,
    }
