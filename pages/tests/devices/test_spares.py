"""A board that was put away is nobody's worry, until it is heard again."""

from datetime import timedelta

import pytest
import time_machine
from django.test import Client

from device_gateway.models import Device, DeviceState
from pages.dashboard.screen import overview, waiting
from pages.tests.onlooker import text
from telemetry.machines.bindings import unassign_device
from telemetry.machines.swapping import swap_board
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site

MINUTE = timedelta(minutes=1)


@pytest.fixture
def spare(site: Site) -> Device:
    """That which was in the machine until now."""
    new = Device.objects.create(device_id="esp32-003", name="New")
    swap_board(machine=site.machine, device=new)
    DeviceState.objects.filter(device__in=[new, site.other_device]).update(last_poll=NOON)
    return site.device


def hear(device: Device, at: timedelta) -> None:
    DeviceState.objects.filter(device=device).update(last_poll=NOON + at)


def test_it_is_not_quiet(site: Site, spare: Device) -> None:
    assert site.olga.user
    hear(spare, -2 * HOUR)
    assert overview(site.olga.user, NOON).quiet == 0
    hear(site.other_device, -2 * HOUR)
    assert overview(site.olga.user, NOON).quiet == 1
    unassign_device(machine=site.other_machine)
    assert overview(site.olga.user, NOON).quiet == 0


@pytest.mark.parametrize(
    ("heard", "now", "is_shown"),
    [
        (15 * MINUTE, HOUR, False),  # it ran until somebody took it out
        (15 * MINUTE + SECOND, HOUR, True),
        (HOUR, HOUR + DAY, True),
        (HOUR, HOUR + DAY + SECOND, False),
    ],
)
def test_it_is_heard_again(
    site: Site, staff: Client, spare: Device, heard: timedelta, now: timedelta, is_shown: bool
) -> None:
    hear(spare, heard)
    with time_machine.travel(NOON + now, tick=False):
        page = staff.get("/").content.decode()
        words = [one.words for one in waiting(NOON + now)]
    said = "spare board heard again in the last day"
    assert (said in words) is (said in page) is is_shown
    assert (f'<a href="/devices/{spare.device_id}">' in page.partition(said)[2]) is is_shown


def test_in_the_list(staff: Client, site: Site, spare: Device) -> None:
    Device.objects.create(name="Meter", assigned=True)
    found = text(staff.get("/devices/?assigned=spare").content.decode().partition("<tbody")[2])
    assert "Left" in found
    assert "spare" in found
    for other in ("Right", "New", "Meter"):
        assert other not in found
    assert staff.get("/devices/").content.decode().count(">spare</span>") == 1
