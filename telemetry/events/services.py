"""What operators do about events that were refused, or are dated wrongly. Each function is one transaction; `redate`
takes as many as it needs."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from device_gateway.models import Device
from ozone.intake import call_and_wait
from telemetry.events.payloads import read_event
from telemetry.events.quarantine import CONFLICT, decide, members
from telemetry.events.storing import Bindings, store_once
from telemetry.figures.rollups import Attribution, Tally
from telemetry.models import QuarantinedEvent, TelemetryEvent
from telemetry.statuses.storing import lock_devices, lock_statuses, touch_statuses

_STEM: Final = 100
"""Characters of a conflict's event_id that stay in the id of its own."""
REDATED_AT_ONCE: Final = 500
"""Events in one transaction: a long one would hold up the devices."""


@transaction.atomic
def discard_refused(*, device: Device, number: int) -> None:
    """Drops a quarantined event: the device's next retry is acknowledged. Raises NotFound, Conflict."""
    _decide(device, number, QuarantinedEvent.State.DISCARDED)


@transaction.atomic
def accept_refused(*, device: Device, number: int, correction: Mapping[str, Any]) -> str:
    """Stores a quarantined event with the members of `correction` in place of its own, as of its first arrival.

    A conflict becomes an event with an id of its own. A member that is None in `correction` is left out. The device's
    next retry is acknowledged. Returns the event_id.
    Raises Invalid where the result is still no event, NotFound, Conflict.
    """
    row = _decide(device, number, QuarantinedEvent.State.ACCEPTED)
    left_out = {name for name, value in correction.items() if value is None}
    told = {name: value for name, value in {**members(row.body), **correction}.items() if name not in left_out}
    if row.code == CONFLICT and told.get("event_id") == row.event_id:
        told["event_id"] = f"{row.event_id[:_STEM]}-conflict-{row.pk}"  # the id it came with is another event's
    event = read_event(told, device.pk, row.first_at, source="operator")
    store_once(connection, [event])
    return event.event_id


def _decide(device: Device, number: int, state: str) -> QuarantinedEvent:
    lock_devices(connection, [device.pk])  # before the row, as where the device sends it once more
    row = decide(device, number, state)
    if row.code == CONFLICT:
        touch_statuses(connection, {device.pk: row.first_at})
    return row


def redate(*, device: int, until: datetime | None) -> int:
    """Gives the device's suspect events their arrival time, in steps beside the devices' traffic; how many.

    `until` leaves those that arrived later alone.
    """
    count = 0
    while done := call_and_wait(redate_some, device=device, until=until):
        count += done
    return count


@transaction.atomic
def redate_some(*, device: int, until: datetime | None) -> int:
    """Gives up to REDATED_AT_ONCE of the device's suspect events their arrival time; how many. 0: all is done.

    `until` leaves those that arrived later alone. Machine, outlet and statistics follow.
    """
    lock_statuses(connection, [device])
    suspect = TelemetryEvent.objects.filter(device=device, clock_suspect=True).order_by("id")
    if until is not None:
        suspect = suspect.filter(received_at__lte=until)
    events = list(suspect[:REDATED_AT_ONCE])
    bindings = Bindings(connection, [device])
    tally = Tally()
    if events:
        moments = [at for event in events for at in (event.occurred_at, event.received_at)]
        touch_statuses(connection, {device: min(moments)})
    for event in events:
        held = bindings.holder(device, event.received_at)
        if event.treatment is not None:
            tally.add(
                Attribution(device, event.machine_id or 0, event.outlet_id or 0), event.treatment, event.occurred_at, -1
            )
            tally.add(held, event.treatment, event.received_at)
        event.occurred_at = event.received_at
        event.clock_suspect = False
        event.machine_id, event.outlet_id = held.machine_id or None, held.outlet_id or None
    TelemetryEvent.objects.bulk_update(events, ["occurred_at", "clock_suspect", "machine", "outlet"], batch_size=100)
    tally.store(connection)
    return len(events)
