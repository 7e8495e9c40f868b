"""What the process that leads does: once a minute it looks how large the database is and whether anything is old, which
it then deletes without a break."""

import time
from typing import Final

from django.utils import timezone

from device_gateway import room
from device_gateway.leading import Leading
from device_gateway.upkeep.retention import LEASE, retention

MINUTE: Final = 60.0
PAUSE: Final = 4.0
"""Times the length of a step: what is old has waited for long."""


class _Next:
    """When it is to look again, by the clock that nobody sets."""

    look = 0.0


def step() -> bool:
    """Some of it; whether there may be more to do."""
    if time.monotonic() < _Next.look:
        return False
    if retention.step(timezone.now()).has_more:
        return True
    room.look(timezone.now())
    _Next.look = time.monotonic() + MINUTE
    return False


upkeep: Final = Leading(LEASE, step, pause=PAUSE)
