"""What the pages read, over several tables at once."""

from typing import Any, Final

from django.db.models import Q, QuerySet

from device_gateway.models import Device
from device_gateway.names import normal_mac
from device_gateway.registry.queries import visible_devices

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
