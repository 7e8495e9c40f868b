"""What devices may bring about beside their events. Each function is one transaction, mostly the writer's."""

from datetime import datetime

from django.db import connection, transaction

from device_gateway.enrolment.services import Enrolled, register_itself, shake_hands
from device_gateway.models import Credential, Device, DeviceName
from device_gateway.states import mark_seen
from ozone.wire.errors import Forbidden
from telemetry.device_side.legacy import LegacyMessage
from telemetry.events.storing import store_once
from telemetry.models import DeviceStatus, TelemetryEvent
from telemetry.statuses.payloads import NO_FLAGS
from telemetry.statuses.storing import lock_statuses, save_statuses


@transaction.atomic
def handshake(*, mac: str, firmware: str, presented: str, client: str, now: datetime) -> Enrolled:
    """As device_gateway.enrolment.shake_hands; a permitted one makes the device's DeviceStatus, and is a word on its
    firmware."""
    # Before the device's own row, as for all that a device tells.
    DeviceStatus.objects.select_for_update(of=("self",)).filter(device__names__name=mac).first()
    enrolled = shake_hands(mac=mac, firmware=firmware, presented=presented, client=client, now=now)
    if enrolled.token is not None:
        status = lock_statuses(connection, [enrolled.device.pk])[enrolled.device.pk]
        if firmware:
            status.believe(now)
            status.tell(NO_FLAGS, firmware, now)
            save_statuses(connection, [status])
    return enrolled


@transaction.atomic
def take_legacy(*, message: LegacyMessage, policy: str, now: datetime) -> int:
    """Stores what a device without a key says; the id of its event's row, the first one for a repeat.

    `policy` is LEGACY_INGEST: on or assigned. Raises Forbidden.
    """
    number = DeviceName.objects.filter(name=message.mac).values_list("device_id", flat=True).first()
    if number is None:
        if policy == "assigned":
            raise Forbidden("This MAC is not an assigned device's.", code="not_assigned")
        number = register_itself(mac=message.mac, now=now).pk
    device = Device.objects.get(pk=number)
    if device.archived_at is not None:
        raise Forbidden("This device is archived. An operator can restore it.", code="device_archived")
    if policy == "assigned" and not device.assigned:
        raise Forbidden("This MAC is not an assigned device's.", code="not_assigned")
    if Credential.objects.filter(device=device, last_used_at__isnull=False).exists():
        raise Forbidden("This device has a token: it sends its events with it.", code="token_required")
    status = lock_statuses(connection, [number])[number]
    event = message.event(number, now, status.resets)
    found = TelemetryEvent.objects.filter(device=device, event_id=event.event_id).values_list("pk", flat=True).first()
    if found is None:
        status.believe(now)
        if message.starts_anew(status.counts, status.counters_at):
            DeviceStatus.objects.filter(device=device).update(resets=status.resets + 1, counters_at=None)
            event = message.event(number, now, status.resets + 1)
        store_once(connection, [event])
        if message.on_time is not None:
            DeviceStatus.objects.filter(device=device).update(on_time=message.on_time)
        found = TelemetryEvent.objects.get(device=device, event_id=event.event_id).pk
    mark_seen(connection, [(number, now)])
    return found
