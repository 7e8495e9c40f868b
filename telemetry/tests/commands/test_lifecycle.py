"""The table of a command's moves: every pair of states, allowed or not."""

from datetime import timedelta
from itertools import product

import pytest
from django.utils import timezone

from device_gateway.models import Device
from telemetry.commands.lifecycle import MOVES, allows, state_at, state_is
from telemetry.commands.services import statistics
from telemetry.models import Command

ALLOWED = {
    ("pending", "sent"),
    ("pending", "cancelled"),
    ("sent", "sent"),
    ("sent", "executed"),
    ("sent", "failed"),
    ("sent", "timeout"),
    ("timeout", "pending"),
    ("timeout", "executed"),
    ("timeout", "failed"),
    ("failed", "pending"),
}


@pytest.mark.parametrize("here", Command.Status.values)
@pytest.mark.parametrize("there", Command.Status.values)
@pytest.mark.sqlite_only
def test_every_move(here: str, there: str) -> None:
    now = timezone.now()
    command = Command(command_type="GET_STATUS", status=here, created_at=now, expires_at=now + timedelta(hours=1))
    command.sent_at = None if here == "pending" else now
    assert state_at(command, now) == here
    assert allows(command, there, now) is ((here, there) in ALLOWED)
    command.sent_at = now  # delivered before, and retried: its late result is taken
    assert allows(command, there, now) is ((here, there) in ALLOWED | {("pending", "executed"), ("pending", "failed")})


def test_the_table_is_about_all_states() -> None:
    assert set(MOVES) == set(Command.Status)


@pytest.mark.django_db
def test_one_command_and_many_are_judged_alike() -> None:
    """`state_at` of a row, `state_is` of a query: around each threshold, of types of every trait."""
    now, device = timezone.now(), Device.objects.create()
    second, hour = timedelta(seconds=1), timedelta(hours=1)
    sent = [None, *(now + shift for shift in (-hour, -121 * second, -120 * second, -119 * second, 60 * second, hour))]
    Command.objects.bulk_create(
        Command(device=device, command_type=kind, status=status, sent_at=at, deliveries=times, expires_at=ends)
        for kind, status, at, times, ends in product(
            ("GET_STATUS", "REBOOT_DEVICE", "CLEAR_QUEUE", "OPEN_DOOR"),
            Command.Status.values,
            sent,
            (0, 3, 4),
            (now - second, now, now + second),
        )
    )
    every = list(Command.objects.all())
    counts = {}
    for state in Command.Status.values:
        wanted = {command.pk for command in every if state_at(command, now) == state}
        assert set(Command.objects.filter(state_is(state, now)).values_list("pk", flat=True)) == wanted, state
        counts[state] = len(wanted)
    assert statistics(Command.objects.all(), now) == counts
    assert sum(counts.values()) == len(every)
    assert min(counts.values()) > 0
