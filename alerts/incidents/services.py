"""What people do about incidents."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q

from alerts.conditions.table import CONDITIONS
from alerts.incidents.flips import end_incidents
from alerts.incidents.happening import ACKNOWLEDGED, Happening, announce
from alerts.incidents.models import Incident, Maintenance
from ozone.wire.errors import Conflict, Invalid
from telemetry.models import Machine, Outlet
from telemetry.visible import find

FIRST, END = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""Of the times that people may name: at the ends of the calendar the pages' clock would be beyond it."""


@transaction.atomic
def acknowledge(*, incident: Incident, note: str, actor: Any, now: datetime) -> Incident:
    """Somebody has it in hand: it is not escalated. One that has no end of its own ends with it. A second one may add
    to the note, and stands. Raises Conflict where it has ended."""
    is_open = Incident.objects.filter(pk=incident.pk, ended_at=None)
    if not is_open.update(acknowledged_at=now, acknowledged_by=actor, note=note, snoozed_until=None):
        raise Conflict("It has ended: there is nothing left to acknowledge.", code="incident_ended")
    told = Incident.objects.get(pk=incident.pk)
    if told.told_at is not None:
        announce([Happening(ACKNOWLEDGED, now, told)])
    condition = CONDITIONS.get(told.kind)
    if condition is not None and condition.is_passing:
        end_incidents([told.pk], now)
    return Incident.objects.get(pk=incident.pk)


@transaction.atomic
def snooze(*, incident: Incident, until: datetime, now: datetime) -> Incident:
    """Nobody is told of it until then; if it is still open then they are reminded. Raises Conflict, Invalid."""
    if until <= now:
        raise Invalid.named("until", "A time that is still to come.")
    _check("until", until)
    is_open = Incident.objects.filter(Q(ended_at=None), pk=incident.pk)
    if not is_open.update(snoozed_until=until):
        raise Conflict("It has ended: there is nothing left to put off.", code="incident_ended")
    return Incident.objects.get(pk=incident.pk)


def plan_maintenance(
    *,
    outlet: int | None,
    machine: int | None,
    fleet: bool,
    start: datetime,
    end: datetime | None,
    weekly: str,
    note: str,
    actor: Any,
) -> Maintenance:
    """Of an outlet, of a machine, or of all: exactly one of them. Raises Invalid, NotFound."""
    if [outlet is not None, machine is not None, fleet].count(True) != 1:
        raise Invalid.named("outlet", "An outlet, a machine, or fleet: true. One of them.")
    _check("start", start)
    _check("end", end)
    window = Maintenance(start=start, end=end, weekly=weekly.strip(), note=note, made_by=actor)
    if outlet is not None:
        window.outlet = find(Outlet.objects.filter(archived_at=None), outlet, code="unknown_outlet")
    if machine is not None:
        window.machine = find(Machine.objects.filter(archived_at=None), machine, code="unknown_machine")
    try:
        window.full_clean()
    except ValidationError as error:
        raise Invalid("Not valid: " + ", ".join(error.message_dict) + ".", errors=error.message_dict) from None
    window.save()
    return window


def _check(name: str, moment: datetime | None) -> None:
    if moment is not None and not FIRST <= moment < END:
        raise Invalid.named(name, "A time of the years 2000 to 2199.")
