"""Thresholds that people set."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from alerts.conditions.arming import arm
from alerts.conditions.models import Beat, Rule, Watch
from alerts.conditions.readings import READING
from alerts.conditions.silence import LEAST, SILENT
from alerts.incidents.flips import end_incidents
from alerts.incidents.models import Incident
from device_gateway.models import Device
from device_gateway.versions import RegistryVersion
from ozone.wire.errors import Invalid
from telemetry.models import Outlet
from telemetry.visible import visible_machines


@transaction.atomic
def set_rule(
    *,
    kind: str,
    device: Device | None,
    outlet: Outlet | None,
    field: str,
    is_on: bool,
    now: datetime,
    **bounds: Any,
) -> Rule:
    """Of a device, of an outlet or, with neither, of all; what was set there before is replaced. `bounds`: seconds,
    number, low, high. What it switches off ends after the commit, some at a time. Raises Invalid."""
    if device is not None and outlet is not None:
        raise Invalid.named("outlet", "A device, or an outlet, or neither: then it is of all.")
    if (kind == READING) != bool(field):
        raise Invalid.named("field", "The member of readings, with the kind reading and with no other.")
    if kind == SILENT and (bounds["seconds"] or LEAST.total_seconds()) < LEAST.total_seconds():
        raise Invalid.named("seconds", f"At least {int(LEAST.total_seconds())}.")
    if None not in (bounds["low"], bounds["high"]) and bounds["low"] >= bounds["high"]:
        raise Invalid.named("high", "More than low.")
    rule, _ = Rule.objects.update_or_create(
        kind=kind,
        field=field,
        device=device,
        outlet=outlet,
        defaults={"is_on": is_on, "changed_at": now, **bounds},
    )
    if not is_on:
        # Not in here, nor in a form's transaction around it: of a large fleet they are thousands.
        transaction.on_commit(lambda: end_incidents(_held_by(rule).values_list("id", flat=True), now), robust=True)
    _changed(rule, now)
    return rule


def _held_by(rule: Rule) -> "QuerySet[Incident]":
    """What is open by it, and not by a nearer one."""
    about = {"device": rule.device_id, "outlet": rule.outlet_id, "facts__field": rule.field}
    found = Incident.objects.filter(kind=rule.kind, ended_at=None, **{name: at for name, at in about.items() if at})
    nearer = Rule.objects.filter(kind=rule.kind)
    if not rule.device_id:
        found = found.exclude(device__in=nearer.filter(device__isnull=False).values("device"))
        if not rule.outlet_id:
            found = found.exclude(outlet__in=nearer.filter(outlet__isnull=False).values("outlet"))
    return found


@transaction.atomic
def drop_rule(*, rule: Rule, now: datetime) -> None:
    """What holds farther off holds there again."""
    Rule.objects.filter(pk=rule.pk).delete()
    _changed(rule, now)


def _changed(rule: Rule, now: datetime) -> None:
    """The devices whose silence it is about are looked at now."""
    transaction.on_commit(RegistryVersion.change_pages, robust=True)
    if rule.kind == SILENT and not (rule.device_id or rule.outlet_id):
        Beat.objects.update(rules_changed_at=now)  # there may be a million
    elif rule.kind == SILENT:
        near = Q(device=rule.device_id) if rule.device_id else Q(device__machine__outlet=rule.outlet_id)
        arm(list(Watch.objects.filter(near).values_list("device_id", flat=True)), now)


def visible_rules(actor: Any) -> "QuerySet[Rule]":
    """Those of all, and those of devices and outlets that the actor may see."""
    rules = Rule.objects.select_related("device")
    if actor.is_staff:
        return rules
    machines = visible_machines(actor)
    here = Q(device__owner=actor.pk, device__archived_at=None)
    here |= Q(outlet__in=machines.filter(outlet__isnull=False).values("outlet"))
    return rules.filter(here | Q(device=None, outlet=None))
