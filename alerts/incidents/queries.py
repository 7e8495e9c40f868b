"""Which incidents there are, and for whom."""

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Model, Q, QuerySet

from alerts.conditions.table import CONDITIONS
from alerts.incidents.models import Incident, Maintenance
from device_gateway.registry.queries import visible_devices
from telemetry.visible import visible_machines

FOR_ALL = [condition.kind for condition in CONDITIONS.values() if not condition.for_staff]


def visible_incidents(actor: Any) -> "QuerySet[Incident]":
    """All for staff. For others those of their devices, of the machines that have them, and of the outlets at which
    these stand now."""
    if actor.is_staff:
        return Incident.objects.all()
    devices = visible_devices(actor).order_by()
    own = Q(device__in=devices) | Q(device=None, machine__device__in=devices)
    own |= Q(device=None, machine=None, outlet__in=devices.filter(machine__isnull=False).values("machine__outlet"))
    return Incident.objects.filter(own, kind__in=FOR_ALL)


def seen_by(incident: Incident) -> "QuerySet[Model]":
    """The active people who may see it: staff, and owners as above."""
    people = get_user_model()._default_manager.filter(is_active=True)
    owns = Q()
    condition = CONDITIONS.get(incident.kind)
    if condition is not None and not condition.for_staff:
        if incident.device_id is not None:
            owns = Q(devices=incident.device_id, devices__archived_at=None)
        elif incident.machine_id is not None:
            owns = Q(devices__machine=incident.machine_id)
        elif incident.outlet_id is not None:
            owns = Q(devices__machine__outlet=incident.outlet_id)
    return people.filter(Q(is_staff=True) | owns if owns else Q(is_staff=True)).distinct()


def visible_maintenance(actor: Any, now: datetime | None = None) -> "QuerySet[Maintenance]":
    """Of all it is everybody's; else it is seen by whom its outlet or machine is. `now`: those that are not past."""
    windows = Maintenance.objects.all()
    if now is not None:
        windows = windows.filter(Q(end=None) | Q(end__gt=now))
    if actor.is_staff:
        return windows
    machines = visible_machines(actor)
    here = Q(machine__in=machines) | Q(outlet__in=machines.filter(outlet__isnull=False).values("outlet"))
    return windows.filter(here | Q(machine=None, outlet=None))


def open_by_kind() -> dict[str, int]:
    """Numbers of open incidents that were told."""
    told = Incident.objects.filter(ended_at=None, told_at__isnull=False).order_by()
    return dict(told.values_list("kind").annotate(number=Count("id")))
