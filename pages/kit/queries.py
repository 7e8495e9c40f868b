"""What the pages read, over several tables at once."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Q, QuerySet

from device_gateway.models import Device
from device_gateway.names import normal_mac
from device_gateway.registry.queries import visible_devices
from ozone.wire.conf import options
from telemetry.presence import Presence

CHOICES: Final = 200
"""Devices offered at once; past that the reader narrows them down by words."""


def matching_devices(actor: Any, words: str, *, archived: bool = False) -> "QuerySet[Device]":
    """The actor's devices in which each of the words occurs: in a name, the location, the MAC or the number. With
    `archived` the archived ones are among them."""
    devices = visible_devices(actor, archived=archived).order_by("name", "pk")
    for word in words.split():
        found = Q(name__icontains=word) | Q(device_id__icontains=word) | Q(location__icontains=word)
        found |= Q(mac__icontains=word) | Q(mac=normal_mac(word) or "-")
        if word.isascii() and word.isdigit() and len(word) < 19 and not word.startswith("0"):
            found |= Q(pk=int(word))
        if actor.is_staff:
            found |= Q(owner__username__icontains=word)
        devices = devices.filter(found)
    return devices


def in_presence(devices: "QuerySet[Any]", status: Presence, now: datetime) -> "QuerySet[Any]":
    """Those of the devices that `telemetry.presence.presence` would call so; they are annotated with `heard`."""
    return devices.filter(presence_is(status, now))


def presence_is(status: Presence, now: datetime) -> Q:
    """The same as a condition."""
    online = now - timedelta(seconds=options().STATUS_ONLINE_SECONDS)
    idle = now - timedelta(seconds=options().STATUS_IDLE_SECONDS)
    if status == Presence.ONLINE:
        return Q(heard__gte=online)
    if status == Presence.IDLE:
        return Q(heard__gte=idle, heard__lt=online)
    return Q(heard__lt=idle) | Q(heard=None)
