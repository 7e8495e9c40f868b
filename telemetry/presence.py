"""Whether a device is there: computed when read, never stored (contract, 2.3).

One rule in three forms, for one device, for Django's queries and for SQL; telemetry/tests/test_presence.py holds them
together. What counts is the last poll, else when the device was last seen; one never heard from is offline. When it was
last heard is another question (device_gateway.states).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from django.db.models import Case, Q, Value, When

from ozone.wire.conf import options

AHEAD: Final = timedelta(minutes=1)
"""A stored time further ahead than this is of a clock that was wrong, and says nothing. Clocks of several processes
never differ so much."""
POLLING: Final = timedelta(seconds=90)
"""The firmware polls every 30 s: one that has not for so long has missed two."""


class Presence(StrEnum):
    ONLINE = "online"
    IDLE = "idle"
    OFFLINE = "offline"


def silences() -> tuple[timedelta, timedelta]:
    """How long a device may have been silent to be online, and to be idle."""
    return timedelta(seconds=options().STATUS_ONLINE_SECONDS), timedelta(seconds=options().STATUS_IDLE_SECONDS)


def presence(last_poll: datetime | None, last_seen: datetime | None, now: datetime) -> Presence:
    """Whether one device is there, by when it polled and when it was seen."""
    heard = last_poll or last_seen
    if heard is None or heard > now + AHEAD:
        return Presence.OFFLINE
    silence, (online, idle) = now - heard, silences()
    if silence <= online:
        return Presence.ONLINE
    return Presence.IDLE if silence <= idle else Presence.OFFLINE


def presence_is(wanted: Presence, now: datetime, device: str = "") -> Q:
    """The condition that `presence` would call a row's device `wanted`. `device` leads from the row to it
    (`device__`)."""
    online, idle = (now - silence for silence in silences())
    poll, seen = f"{device}state__last_poll", f"{device}state__last_seen"

    def counts(**bounds: datetime) -> Q:
        """That which counts of the two is within."""
        return Q(**{f"{poll}__{name}": at for name, at in bounds.items()}) | Q(
            **{poll: None}, **{f"{seen}__{name}": at for name, at in bounds.items()}
        )

    if wanted == Presence.ONLINE:
        return counts(gte=online, lte=now + AHEAD)
    if wanted == Presence.IDLE:
        return counts(gte=idle, lt=online)
    return counts(lt=min(online, idle)) | counts(gt=now + AHEAD) | Q(**{poll: None, seen: None})


def presence_order(now: datetime, device: str = "") -> Case:
    """Online, idle, offline, as numbers that go up."""
    online, idle = (presence_is(status, now, device) for status in (Presence.ONLINE, Presence.IDLE))
    return Case(When(online, then=Value(0)), When(idle, then=Value(1)), default=Value(2))


_HEARD: Final = "COALESCE(last_poll, last_seen)"
PRESENCE_SQL: Final = (
    f"CASE WHEN {_HEARD} > %(ahead)s THEN 'offline'"
    f" WHEN {_HEARD} >= %(online)s THEN 'online' WHEN {_HEARD} >= %(idle)s THEN 'idle' ELSE 'offline' END"
)
"""The presence of a row of device_gateway_devicestate; its parameters are `moments`."""


def moments(now: datetime) -> dict[str, datetime]:
    """Since when a device must have been heard from, and until when it can have been, by the names of the parameters
    above."""
    online, idle = silences()
    return {"online": now - online, "idle": now - idle, "polling": now - POLLING, "ahead": now + AHEAD}


def is_polling(last_poll: datetime | None, now: datetime) -> bool:
    """Whether a command for the device would be fetched soon."""
    return last_poll is not None and -AHEAD <= now - last_poll <= POLLING
