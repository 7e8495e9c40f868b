"""The first page: counts of what one may see, and the next step."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.contrib.auth.models import User

from device_gateway.models import Device, DeviceState
from pages.queries import RECENTLY, Overview, overview
from pages.tests.conftest import SignIn, claim

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 9, 16, 12, tzinfo=UTC)


def test_it_works(signed_in: SignIn, vera: User, meter: Device, pump: Device) -> None:
    html = signed_in(vera).get("/").content.decode()
    assert "<dt>Devices</dt><dd>1</dd>" in html
    assert "Issue a token" in html
    assert "None is yours yet" not in html


def test_counts_are_of_visible_devices(vera: User, sam: User, olga: User, meter: Device, pump: Device) -> None:
    claim(pump, sam)
    assert overview(vera, NOW) == Overview(devices=1, assigned=0, seen=0, reporting=0, tokens=False)
    assert overview(sam, NOW) == Overview(devices=1, assigned=1, seen=0, reporting=0, tokens=True)
    assert overview(olga, NOW) == Overview(devices=2, assigned=1, seen=0, reporting=0, tokens=True)


@pytest.mark.parametrize(("ago", "seen"), [(RECENTLY, 1), (RECENTLY + timedelta(seconds=1), 0)])
def test_seen_in_the_last_hour(vera: User, meter: Device, ago: timedelta, seen: int) -> None:
    DeviceState.objects.filter(device=meter).update(last_seen=NOW - ago)
    assert overview(vera, NOW).seen == seen


def test_guide_from_nothing(signed_in: SignIn, vera: User, olga: User) -> None:
    assert b"Ask an operator to add one with you" in signed_in(vera).get("/").content
    assert b"/admin/device_gateway/device/add/" not in signed_in(olga).get("/").content  # staff without the right
    olga.is_superuser = True
    olga.save()
    assert b"/admin/device_gateway/device/add/" in signed_in(olga).get("/").content


def test_guide_is_gone_with_the_first_reading(signed_in: SignIn, vera: User, meter: Device) -> None:
    claim(meter, vera)
    assert b"From nothing to the first reading" in signed_in(vera).get("/").content
    with time_machine.travel(NOW):
        DeviceState.objects.filter(device=meter).update(last_seen=NOW, latest_received_at=NOW)
        html = signed_in(vera).get("/").content.decode()
    assert "From nothing to the first reading" not in html
    assert "<dt>Seen in the last hour</dt><dd>1</dd>" in html
