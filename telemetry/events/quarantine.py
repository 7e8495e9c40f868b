"""Events that were refused: kept with their reason until an operator lets them go.

The firmware sends its oldest event until it is acknowledged, so one refused event holds up all behind it.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Case, F, Value, When

from device_gateway.models import Device
from ozone.intake.sql import BulkInsert, moment, within
from ozone.wire import jsonio
from ozone.wire.errors import Conflict, MalformedJson, NotFound
from telemetry.events.payloads import MAX_KEPT_BODY, Event, Refused
from telemetry.models import QuarantinedEvent

CONFLICT: Final = "event_conflict"
"""The code of an event that came under the id of another one."""
UNDECIDED_FIRST: Final = Case(When(state=QuarantinedEvent.State.OPEN, then=Value(0)), default=Value(1))
"""An order: of those that hold up others."""
KEPT: Final = 200
"""Refused bodies of a device; past it the one least recently sent makes room."""


def keep_refused(
    connection: BaseDatabaseWrapper, device: int, received_at: datetime, refused: Sequence[Refused]
) -> list[bool]:
    """Notes each refused body, once for all its retries; whether it has been decided on (then it is acknowledged).

    A few statements for any number of them: a device that sends whole batches of nonsense holds up no other.
    """
    if not refused:
        return []
    rows = QuarantinedEvent.objects.filter(device_id=device)
    digests = [hashlib.sha256(one.body.encode()).hexdigest() for one in refused]
    known = _known(connection, device, digests)
    new = {digest: one for digest, one in zip(digests, refused, strict=True) if digest not in known}
    _keep_new(connection, device, received_at, list(new.items())[-KEPT:])
    for number, again in _retries(digests, known).items():
        rows.filter(pk__in=again).update(retries=F("retries") + number, last_at=received_at)
    return [known[digest][1] != QuarantinedEvent.State.OPEN if digest in known else False for digest in digests]


def keep_conflicts(connection: BaseDatabaseWrapper, conflicts: Sequence[tuple[Event, tuple[Any, ...]]]) -> None:
    """Keeps events whose event_id is another event's, with what is stored there: the first one was acknowledged under
    that id, and this one is acknowledged, too. Never evicted: each may be a press that was paid for."""
    by_device: dict[int, dict[str, tuple[Event, tuple[Any, ...]]]] = {}
    for event, first in conflicts:
        digest = hashlib.sha256(f"{event.event_id} {event.said}".encode()).hexdigest()
        by_device.setdefault(event.device_id, {})[digest] = event, first
    for device, rows in sorted(by_device.items()):
        known = _known(connection, device, sorted(rows))
        _insert.run(
            connection,
            [
                _conflict(connection, digest, event, first)
                for digest, (event, first) in rows.items()
                if digest not in known
            ],
        )
        if known:
            latest = max(rows[digest][0].received_at for digest in known)
            again = QuarantinedEvent.objects.filter(pk__in=[pk for pk, _ in known.values()])
            again.update(retries=F("retries") + 1, last_at=latest)


def _conflict(
    connection: BaseDatabaseWrapper, digest: str, event: Event, first: tuple[Any, ...]
) -> tuple[int, str, str, str, str, str, Any, Any]:
    at = moment(connection, event.received_at)
    reason = "Another event is stored under this event_id: {} {} at {}.".format(*first)[:500]
    return event.device_id, digest, event.as_sent(), reason, CONFLICT, event.event_id, at, at


_SELECT_KNOWN: Final = "SELECT digest, id, state FROM telemetry_quarantinedevent WHERE device_id = %s AND digest"
_insert: Final = BulkInsert(
    QuarantinedEvent,
    ("device_id", "digest", "body", "reason", "code", "event_id", "first_at", "last_at"),
    "ON CONFLICT DO NOTHING",
)


def _known(connection: BaseDatabaseWrapper, device: int, digests: Sequence[str]) -> dict[str, tuple[int, str]]:
    """By digest the numbers and states of those that are kept already."""
    among, given = within(connection, digests)
    with connection.cursor() as cursor:
        cursor.execute(f"{_SELECT_KNOWN} {among}", [device, *given])
        return {digest: (pk, state) for digest, pk, state in cursor.fetchall()}


def _keep_new(
    connection: BaseDatabaseWrapper, device: int, received_at: datetime, new: list[tuple[str, Refused]]
) -> None:
    if not new:
        return
    at = moment(connection, received_at)
    _insert.run(
        connection,
        [
            (
                device,
                digest,
                one.body[:MAX_KEPT_BODY],
                _reason(one)[:500],
                one.error.code,
                one.event_id or "",
                at,
                at,
            )
            for digest, one in new
        ],
    )
    rows = QuarantinedEvent.objects.filter(device_id=device).exclude(code=CONFLICT)
    rows.filter(pk__in=rows.order_by("-last_at", "-id").values("pk")[KEPT:]).delete()


def _retries(digests: list[str], known: Mapping[str, tuple[int, str]]) -> dict[int, list[int]]:
    """By how often they came again in one request, the rows that are known."""
    found: dict[int, list[int]] = {}
    for digest, number in Counter(digests).items():
        if digest in known:
            found.setdefault(number, []).append(known[digest][0])
    return found


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
