"""The follower looks into whatever was touched, the newest first, and leaves nothing."""

import time

import pytest
from django.db import connection
from django.utils import timezone

from device_gateway.leading import MOVE, Lease
from ledger.epochs.services import touched_devices
from ledger.following import follower, step
from ledger.models import Epoch
from telemetry.events.storing import store_once
from telemetry.tests.cast import HOUR, NOON, Site, event


@pytest.mark.django_db
def test_it_works() -> None:
    site = Site.make()
    store_once(connection, [event(site.device, NOON, counter=1), event(site.other_device, NOON + HOUR, counter=1)])
    assert touched_devices().count() == 2
    assert step()
    assert list(Epoch.objects.values_list("device", flat=True)) == [site.other_device.pk]
    assert step()
    assert Epoch.objects.count() == 2
    assert not step()
    assert not touched_devices().exists()


@pytest.mark.django_db
def test_while_a_past_moves_in_only_what_is_pressed_now_is_looked_into() -> None:
    site = Site.make()
    now = timezone.now()
    store_once(connection, [event(site.device, NOON, counter=1), event(site.other_device, now, counter=1)])
    assert Lease.take(MOVE, MOVE)
    assert step()
    assert not step()
    assert list(Epoch.objects.values_list("device", flat=True)) == [site.other_device.pk]
    Lease.give_back(MOVE, MOVE)
    assert step()
    assert Epoch.objects.count() == 2
    assert not touched_devices().exists()


@pytest.mark.django_db(transaction=True)
def test_it_is_a_thread_of_its_own() -> None:
    site = Site.make()
    store_once(connection, [event(site.device, NOON, counter=1)])
    follower.start()
    try:
        for _ in range(100):
            if not touched_devices().exists():
                break
            time.sleep(0.1)
    finally:
        follower.stop()
    assert Epoch.objects.get().presses == 1
