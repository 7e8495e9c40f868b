"""What may be read of machines, outlets and events, and by whom: all of it hangs on visible_devices."""

from typing import Any, TypeVar

from django.db.models import Count, Model, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from device_gateway.registry.queries import visible_devices
from ozone.wire.errors import NotFound
from telemetry.models import Machine, Outlet, TelemetryEvent

M = TypeVar("M", bound=Model)


def visible_events(actor: Any) -> "QuerySet[TelemetryEvent]":
    """Archived devices' too: what they sent stays what it was."""
    events = TelemetryEvent.objects.all()
    return events if actor.is_staff else events.filter(device__in=visible_devices(actor, archived=True))


def visible_machines(actor: Any, *, archived: bool = False) -> "QuerySet[Machine]":
    """With `archived` the archived ones are among them. These have no device: they are staff's."""
    machines = Machine.objects.all() if archived else Machine.objects.filter(archived_at=None)
    return machines if actor.is_staff else machines.filter(device__in=visible_devices(actor))


def visible_outlets(actor: Any, *, archived: bool = False) -> "QuerySet[Outlet]":
    """With `machine_count`: of the machines there, those that the actor may see. `archived`: as above."""
    outlets = Outlet.objects.all() if archived else Outlet.objects.filter(archived_at=None)
    machines = visible_machines(actor)
    if not actor.is_staff:
        outlets = outlets.filter(pk__in=machines.values("outlet"))
    # No join: whatever else a list is put in order by would be worked out for every machine, not for every outlet.
    here = machines.filter(outlet=OuterRef("pk")).order_by().values("outlet").annotate(number=Count("pk"))
    return outlets.annotate(machine_count=Coalesce(Subquery(here.values("number")), 0))


def find(rows: "QuerySet[M]", number: int, *, code: str) -> M:
    """Raises NotFound with the code `unknown_<what>` where the row is not among `rows`."""
    found = rows.filter(pk=number).first()
    if found is None:
        raise NotFound(f"There is no such {code.removeprefix('unknown_')}.", code=code)
    return found
