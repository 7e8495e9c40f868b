"""How a board that was put in comes to life: it shakes hands, asks for commands, tells a press."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Q

from device_gateway.models import Device, HandshakeAttempt
from telemetry.models import Swap, TelemetryEvent


class Tick(NamedTuple):
    """`at`: when it was done, None: not yet; `words`: what to do until then, or how it was done."""

    title: str
    at: datetime | None
    words: str


def ticks_of(swap: Swap) -> list[Tick]:
    """Of the board that was put in, in the order in which they come."""
    board, since = swap.new, swap.at
    if board is None:
        return []
    shaken = HandshakeAttempt.objects.filter(device=board, permitted=True, at__gte=since)
    shook = shaken.order_by("at").values_list("at", flat=True).first()
    polled = board.state.last_poll
    polled = polled if polled is not None and polled >= since else None
    pressed = _first_press(board, since)
    spoke = min((at for at in (shook, polled, pressed) if at is not None), default=None)
    by_token = "" if shook or not spoke else "with the token that it has from before"
    return [
        Tick("Handshake", spoke, by_token if spoke else "Switch the board on: it shakes hands within half a minute."),
        Tick("Poll", polled, "" if polled else "Then it asks for commands every half minute."),
        Tick("First press", pressed, "" if pressed else "Press a button on the machine."),
    ]


def _first_press(board: Device, since: datetime) -> datetime | None:
    """When it arrived. Two looks, each by its index: one whose clock is wrong tells no time to find it by."""
    presses = TelemetryEvent.objects.filter(device=board, treatment__isnull=False)
    looks = (Q(occurred_at__gte=since), Q(clock_suspect=True, received_at__gte=since))
    found = [presses.filter(look).order_by().values_list("received_at", flat=True)[:1] for look in looks]
    return min((at for look in found for at in look), default=None)
