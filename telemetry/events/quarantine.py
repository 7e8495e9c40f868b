"""Events that were refused: kept with their reason until an operator lets them go.

The firmware sends its oldest event until it is acknowledged, so one refused event holds up all behind it.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import F

from device_gateway.models import Device
from ozone.wire import jsonio
from ozone.wire.errors import Conflict, MalformedJson, NotFound
from telemetry.events.payloads import MAX_KEPT_BODY, Refused
from telemetry.models import QuarantinedEvent

KEPT: Final = 200
"""Bodies of a device; past it the one least recently sent makes room."""


def keep_refused(device: int, received_at: datetime, refused: Sequence[Refused]) -> list[bool]:
    """Notes each refused body, once for all its retries; whether it has been decided on (then it is acknowledged)."""
    return [_keep(device, received_at, item) for item in refused]


def _keep(device: int, received_at: datetime, refused: Refused) -> bool:
    rows = QuarantinedEvent.objects.filter(device_id=device)
    digest = hashlib.sha256(refused.body.encode()).hexdigest()
    row, is_new = rows.get_or_create(
        digest=digest,
        defaults={
            "device_id": device,
            "body": refused.body[:MAX_KEPT_BODY],
            "reason": _reason(refused)[:500],
            "code": refused.error.code,
            "event_id": refused.event_id or "",
            "first_at": received_at,
            "last_at": received_at,
        },
    )
    if is_new:
        rows.filter(pk__in=list(rows.order_by("-last_at", "-id").values_list("pk", flat=True)[KEPT:])).delete()
    else:
        rows.filter(pk=row.pk).update(retries=F("retries") + 1, last_at=received_at)
    return row.state != QuarantinedEvent.State.OPEN


def _reason(refused: Refused) -> str:
    faults = [f"{field}: {' '.join(texts)}" for field, texts in (refused.error.errors or {}).items()]
    return "; ".join(faults) or refused.error.detail


def members(body: str) -> dict[str, Any]:
    """The members of a refused body; none where it was no object."""
    try:
        value = jsonio.decode(body.encode())
    except MalformedJson:
        return {}
    return value if isinstance(value, dict) else {}


def decide(device: Device, number: int, state: str) -> QuarantinedEvent:
    """An operator's decision: the device's next retry of this body is acknowledged. Raises NotFound, Conflict.

    `state`: what was decided, DISCARDED or ACCEPTED.
    """
    row = QuarantinedEvent.objects.select_for_update().filter(device=device, pk=number).first()
    if row is None:
        raise NotFound("There is no such quarantined event.", code="unknown_quarantined_event")
    if row.state != QuarantinedEvent.State.OPEN:
        raise Conflict("This event has been let go already.", code="already_let_go")
    row.state = state
    row.save(update_fields=["state"])
    return row
