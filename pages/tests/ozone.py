"""What an Ozone machine's device has done, for the tests of its pages."""

from datetime import UTC, datetime
from typing import Any, Final

from django.utils import timezone

from device_gateway.models import Device
from telemetry.models import QuarantinedEvent, TelemetryEvent

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
MAC: Final = "EC:E3:34:46:2B:C0"
UNIT: Final = "/devices/OZ-001/"


def press(device: Device, number: int = 1, **fields: Any) -> TelemetryEvent:
    now = timezone.now()
    usual = {
        "event_id": f"e-{number}", "event": "treatment", "event_type": "BASIC", "treatment": "BASIC", "counter": number,
        "occurred_at": now, "received_at": now, "source": "device", "payload": {},
    }  # fmt: skip
    return TelemetryEvent.objects.create(device=device, **{**usual, **fields})


def refuse(device: Device, **fields: Any) -> QuarantinedEvent:
    usual = {
        "digest": "d" * 64, "body": '{"event_id": "bad-1", "treatment": "GOLD"}', "code": "invalid",
        "reason": "treatment: Must be BASIC, STANDARD or PREMIUM.", "event_id": "bad-1", "retries": 7,
        "first_at": timezone.now(), "last_at": timezone.now(),
    }  # fmt: skip
    return QuarantinedEvent.objects.create(device=device, **{**usual, **fields})
