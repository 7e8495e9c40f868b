"""What the pages read, over several tables at once."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.models import Count, Q, QuerySet

from device_gateway.models import Device, ProvisioningToken
from device_gateway.names import normal_mac
from device_gateway.queries import visible_devices

CHOICES: Final = 200
"""Devices offered at once; past that the reader narrows them down by words."""
RECENTLY: Final = timedelta(hours=1)


class Overview(NamedTuple):
    """How many of the actor's devices there are, are assigned, were seen in the last hour, ever sent a reading; and
    whether a provisioning token was ever issued for one."""

    devices: int
    assigned: int
    seen: int
    reporting: int
    tokens: bool


def overview(actor: Any, now: datetime) -> Overview:
    devices = visible_devices(actor)
    counts = devices.aggregate(
        devices=Count("pk"),
        assigned=Count("pk", filter=Q(assigned=True)),
        seen=Count("pk", filter=Q(state__last_seen__gte=now - RECENTLY)),
        reporting=Count("pk", filter=Q(state__latest_received_at__isnull=False)),
    )
    return Overview(**counts, tokens=ProvisioningToken.objects.filter(device__in=devices).exists())


def matching_devices(actor: Any, words: str) -> "QuerySet[Device]":
    """The actor's devices in which each of the words occurs: in a name, the location, the MAC or the number."""
    devices = visible_devices(actor).order_by("name", "pk")
    if actor.is_staff:
        devices = devices.select_related("owner")
    for word in words.split():
        found = Q(name__icontains=word) | Q(device_id__icontains=word) | Q(location__icontains=word)
        found |= Q(mac__icontains=word) | Q(mac=normal_mac(word) or "-")
        if word.isascii() and word.isdigit() and len(word) < 19 and not word.startswith("0"):
            found |= Q(pk=int(word))
        if actor.is_staff:
            found |= Q(owner__username__icontains=word)
        devices = devices.filter(found)
    return devices
