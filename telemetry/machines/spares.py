"""Boards that were put away: a machine had them, and none has them now. Nobody misses them."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, Max, OuterRef, Q

from device_gateway.models import Device
from device_gateway.states import last_heard
from telemetry.models import Machine, MachineDevice

TAKEN_OUT: Final = timedelta(minutes=15)
"""A board that is put away may run on until somebody takes it out."""


def is_spare(device: str = "") -> Q:
    """The condition that a row's device is one. `device` leads to it, as `device__`."""
    whose = OuterRef(f"{device}pk")
    # Both as conditions of their own: of an outer join that finds nothing PostgreSQL expects one row, of a million.
    return Q(Exists(MachineDevice.objects.filter(device=whose)), ~Exists(Machine.objects.filter(device=whose)))


def heard_again(since: datetime) -> list[int]:
    """Those that were heard since then, and after they were put away: somebody uses them."""
    spares = Device.objects.filter(is_spare(), archived_at=None).annotate(heard=last_heard())
    heard = spares.filter(heard__gte=since).annotate(put_away=Max("bindings__deactivated_date")).order_by("pk")
    return [pk for pk, at, put_away in heard.values_list("pk", "heard", "put_away") if at > put_away + TAKEN_OUT]
