"""Plain readings and others of one device in one transaction: they are stored by statements of their own."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from device_gateway.models import Device, DeviceState, DeviceTelemetry
from device_gateway.readings.payloads import Reading
from device_gateway.readings.storing import Arrival, store_readings

NOW = datetime(2026, 10, 25, 1, tzinfo=UTC)
"""Between the two half past twos of Berlin's night."""


def told(device: Device, at: datetime, again: datetime | None = None) -> Reading:
    return Reading(device.pk, "m1", None, at, NOW, None, '{"n": "told"}', again)


@pytest.mark.parametrize("is_first", [True, False])
def test_of_one_moment_the_latest_has_the_greatest_id(device: Device, is_first: bool) -> None:
    arrivals = [Arrival(device.pk, NOW, (), ['{"n": "plain"}']), Arrival(device.pk, NOW, [told(device, NOW)])]
    with transaction.atomic():
        store_readings(connection, arrivals if is_first else arrivals[::-1])
    newest = DeviceTelemetry.objects.order_by("occurred_at", "id").last()
    assert newest is not None
    assert DeviceState.objects.get().latest_payload == newest.payload
    assert DeviceTelemetry.objects.count() == 2


def test_a_time_that_comes_twice_is_the_later_one_after_a_plain_reading(device: Device) -> None:
    half_past, again = NOW - timedelta(minutes=30), NOW + timedelta(minutes=30)
    arrivals = [Arrival(device.pk, NOW, (), ["{}"]), Arrival(device.pk, NOW, [told(device, half_past, again)])]
    with transaction.atomic():
        store_readings(connection, arrivals)
    assert DeviceTelemetry.objects.get(message_id="m1").occurred_at == again
