"""What was told to another system is made out before it is stored, and stored by what holds then."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from telemetry.events.payloads import Event
from telemetry.events.storing import Past, store_once
from telemetry.machines.bindings import unassign_device
from telemetry.models import DailyCount, DeviceStatus, HourlyCount, TelemetryEvent
from telemetry.statuses.storing import lock_devices, touch_statuses
from telemetry.tests.cast import HOUR, NOON, Site, event

pytestmark = pytest.mark.django_db


def past(events: Iterable[Event]) -> Past:
    return Past(connection, {(event.device_id, event.event_id): event for event in events})


def store(made: Past) -> int:
    with transaction.atomic():
        return len(made.store())


def counted() -> list[int]:
    return [sum(model.objects.values_list("basic", flat=True)) for model in (HourlyCount, DailyCount)]


def test_of_devices_that_have_told_nothing_yet() -> None:
    site = Site.make()
    DeviceStatus.objects.all().delete()
    told = [event(site.device, NOON), event(site.device, NOON + HOUR), event(site.other_device, NOON - HOUR)]
    assert store(past(told)) == 3
    assert counted() == [3, 3]
    touched = dict(DeviceStatus.objects.values_list("device", "touched_from"))
    assert touched == {site.device.pk: NOON, site.other_device.pk: NOON - HOUR}


def test_whose_press_it_was_is_known_when_it_is_stored() -> None:
    """Somebody parts machine and device after the rows were made out."""
    site = Site.make()
    at = timezone.now().replace(microsecond=0) + timedelta(minutes=1)
    store_once(connection, [event(site.device, NOON)])  # it has its status
    made = past([event(site.device, at, event_id="then"), event(site.other_device, at, event_id="other")])
    unassign_device(machine=site.machine)
    assert store(made) == 2
    rows = TelemetryEvent.objects.filter(occurred_at=at).order_by("event_id")
    assert [(row.event_id, row.machine_id) for row in rows] == [("other", site.other_machine.pk), ("then", None)]
    held = HourlyCount.objects.filter(starts_at__gte=at - HOUR).order_by("machine_id")
    assert list(held.values_list("machine_id", "basic")) == [(0, 1), (site.other_machine.pk, 1)]


def test_what_came_in_between_is_stored_and_counted_once() -> None:
    site = Site.make()
    store_once(connection, [event(site.other_device, NOON, treatment="PREMIUM"), event(site.device, NOON - HOUR)])
    told = [event(site.device, NOON), event(site.device, NOON + HOUR)]
    made = past(told)
    DeviceStatus.objects.update(touched_from=None)
    with transaction.atomic():
        store_once(connection, told[:1])
    DeviceStatus.objects.update(touched_from=None)
    with transaction.atomic():
        assert made.store() == {(site.device.pk, told[1].event_id)}
    assert counted() == [3, 3]
    assert DeviceStatus.objects.get(device=site.device).touched_from == NOON + HOUR
    assert store(past(told)) == 0
    assert counted() == [3, 3]


@pytest.mark.sqlite_only
def test_any_number_of_devices_is_marked_by_one_statement() -> None:
    """And the earliest moment stays."""
    site = Site.make()
    one, other = sorted([site.device.pk, site.other_device.pk])
    with transaction.atomic():
        lock_devices(connection, [one, other])
    DeviceStatus.objects.update(touched=0, touched_from=None)
    told: list[str] = []
    connection.connection.set_trace_callback(told.append)
    for hours in (3, 1, 2):
        touch_statuses(connection, {other: NOON - hours * HOUR, one: NOON + hours * HOUR})
    connection.connection.set_trace_callback(None)
    assert len(told) == 3, told
    marked = DeviceStatus.objects.values_list("device", "touched", "touched_from")
    assert set(marked) == {(one, 3, NOON + HOUR), (other, 3, NOON - 3 * HOUR)}
