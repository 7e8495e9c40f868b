"""The table of a command's moves: every pair of states, allowed or not."""

from datetime import timedelta

import pytest
from django.utils import timezone

from telemetry.commands.lifecycle import MOVES, allows, state_at
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
