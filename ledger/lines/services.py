"""What people say of lines."""

from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F

from ledger.lines.models import Line, Settlement
from ozone.wire.errors import Invalid, NotFound
from telemetry.models import DeviceStatus
from telemetry.statuses.storing import lock_statuses


@transaction.atomic
def settle(*, line: int, reason: str, count: int | None, note: str, actor: Any, now: datetime) -> Line:
    """An entry of its own; what was said of the line before stays, and stands no more. Raises NotFound, Invalid."""
    device = Line.objects.filter(pk=line).values_list("device_id", flat=True).first()
    if device is not None:
        lock_statuses(connection, [device])  # nobody computes its lines anew meanwhile
    found = Line.objects.filter(pk=line).first()
    if found is None:
        raise NotFound("There is no such line. A press that came late may have ended it.", code="unknown_line")
    if (count is not None) != (reason == Settlement.Reason.COUNTED):
        raise Invalid.named("count", "The presses that were sold, with the reason counted, and with no other.")
    if count is not None and count > found.count:
        raise Invalid.named("count", f"The line is about {found.count:,} presses: at most so many.")
    found.settlement = Settlement.objects.create(
        device_id=found.device_id, treatment=found.treatment, kind=found.kind, first=found.first, last=found.last,
        at=found.at, machine_id=found.machine_id, outlet_id=found.outlet_id, presses=found.count,
        reason=reason, count=count, note=note, made_at=now, made_by=actor,
    )  # fmt: skip
    found.save(update_fields=["settlement"])
    # Whoever has made out already what the device's lines are to be looks again.
    DeviceStatus.objects.filter(device=found.device_id).update(touched=F("touched") + 1)
    return found
