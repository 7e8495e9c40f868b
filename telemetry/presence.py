"""Whether a device is there: computed when read, never stored (contract, 2.3)."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from ozone.wire.conf import options

POLLING: Final = timedelta(seconds=90)
"""The firmware polls every 30 s: one that has not for so long has missed two."""


class Presence(StrEnum):
    ONLINE = "online"
    IDLE = "idle"
    OFFLINE = "offline"


def presence(last_poll: datetime | None, last_seen: datetime | None, now: datetime) -> Presence:
    """From the last poll, else from when it was last seen; a device never heard from is offline."""
    heard = last_poll or last_seen
    if heard is None:
        return Presence.OFFLINE
    silence = now - heard
    if silence <= timedelta(seconds=options().STATUS_ONLINE_SECONDS):
        return Presence.ONLINE
    return Presence.IDLE if silence <= timedelta(seconds=options().STATUS_IDLE_SECONDS) else Presence.OFFLINE


def is_polling(last_poll: datetime | None, now: datetime) -> bool:
    """Whether a command for the device would be fetched soon."""
    return last_poll is not None and now - last_poll <= POLLING
