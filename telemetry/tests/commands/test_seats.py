"""Of several polls of one device the newest has the seat: whoever waits on an older one gets nothing."""

from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from device_gateway.models import Device, DeviceState
from telemetry.commands import services
from telemetry.commands.polling import Poll, store_polls

pytestmark = pytest.mark.django_db


@pytest.fixture
def device() -> Device:
    return Device.objects.create(device_id="one", assigned=True)


def order(device: Device) -> str:
    fields = {"command_type": "CLEAR_QUEUE", "expires_in_hours": 1}
    command = services.create(device=device, fields=fields, author=None, now=timezone.now())
    return str(command.command_id)


def look(device: Device, *polls: tuple[int, bool]) -> list[Any]:
    """The command_ids each gets, or None; a poll by its seat, and whether it sits down now."""
    found = store_polls(connection, [Poll(device.pk, timezone.now(), seat, first) for seat, first in polls])
    return [commands and [str(command.command_id) for command in commands] for commands in found]


def test_it_looks_again_as_long_as_it_is_the_newest(device: Device) -> None:
    assert look(device, (1, True)) == [[]]
    number = order(device)
    assert look(device, (1, False)) == [[number]]


def test_an_older_one_gets_nothing_and_says_nothing(device: Device) -> None:
    look(device, (1, True))
    look(device, (2, True))
    heard = DeviceState.objects.get().last_poll
    number = order(device)
    assert look(device, (1, False)) == [None]
    assert DeviceState.objects.get().last_poll == heard
    assert look(device, (2, False)) == [[number]]


@pytest.mark.parametrize("older_sits_down", [True, False])
def test_nor_in_the_same_transaction(device: Device, older_sits_down: bool) -> None:
    if not older_sits_down:
        look(device, (1, True))
    number = order(device)
    assert look(device, (1, older_sits_down), (2, True)) == [None, [number]]
    assert DeviceState.objects.get().seat == 2


def test_of_two_at_once_one_gets_it(device: Device) -> None:
    number = order(device)
    assert look(device, (1, True), (1, False)) == [[number], []]
