"""What is stored of a request with events, and what its reply tells the device beside."""

from typing import Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import Locks, write_path
from telemetry.commands.polling import ask_pending
from telemetry.events.storing import EventArrival, store_events
from telemetry.statuses.storing import lock_devices

EVENTS: Final = "events"
_WEIGHT: Final = 2
"""An event moves counters and figures, and takes two to four times as long as a reading."""


class Stored(NamedTuple):
    """Which of the refused events an operator has decided on; how many commands are pending for the device."""

    decided: list[bool]
    waiting: int


def store_arrivals(connection: BaseDatabaseWrapper, arrivals: list[EventArrival]) -> list[Stored]:
    """For each request what its reply says."""
    now = max(arrival.received_at for arrival in arrivals)
    pending = ask_pending(connection, devices_of(connection, arrivals), now)
    decided = store_events(connection, arrivals)
    waiting = pending()
    return [Stored(one, waiting.get(arrival.device, 0)) for one, arrival in zip(decided, arrivals, strict=True)]


def devices_of(connection: BaseDatabaseWrapper, arrivals: list[EventArrival]) -> set[int]:
    """Those whose statuses are locked."""
    return {arrival.device for arrival in arrivals}


def register_kinds() -> None:
    write_path.register(EVENTS, store_arrivals, Locks(lock_devices, devices_of), is_piped=True, weight=_WEIGHT)
