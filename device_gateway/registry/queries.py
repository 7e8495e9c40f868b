"""Which devices there are, and for whom."""

from collections.abc import Sequence
from typing import Any

from django.db.models import QuerySet

from device_gateway.models import Device, DeviceName
from device_gateway.names import spelled_mac
from ozone.wire.errors import NotFound


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
