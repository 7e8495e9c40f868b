"""Why a device is silent: one sentence of the likeliest cause, or nothing where nothing tells.

Clues are what was told or done just before it was heard last, or since. The first rule that holds is the cause: what is
known for certain (it speaks, and is refused) stands before what is likely (its signal was weak).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from alerts.conditions.found import Found, clock
from alerts.conditions.models import Watch
from alerts.conditions.silence import OUTLET_SILENT, SAME_MINUTE, SILENT
from alerts.incidents.models import Incident
from device_gateway.models import Credential, DeviceState, HandshakeAttempt
from device_gateway.states import later_of
from ozone.wire.times import people_zone
from ozone.wire.words import duration
from telemetry.models import Command, DeviceStatus, MachineDevice, QuarantinedEvent

JUST_BEFORE: Final = timedelta(minutes=10)
"""What was done so soon before the last word, or after it."""
FRESH: Final = timedelta(minutes=15)
"""Vitals that were told so soon before the last word are its last words."""
WEAK: Final = -80
"""dBm."""
LITTLE: Final = 20_000
"""Bytes of free heap."""
MANY: Final = 20
"""Events that wait in the device."""
YOUNG: Final = 600
"""Seconds since its start."""
DAYS: Final = timedelta(days=8)
SAME_HOUR: Final = timedelta(minutes=30)
TWICE: Final = 2
MOST: Final = 100
"""Of more that fall silent at once nobody asks why: it is the same for all."""
_WATCHDOGS: Final = ("WDT", "WATCHDOG", "PANIC", "EXCEPTION")
_COMMANDS: Final = {
    "REBOOT_DEVICE": "It was told to reboot at {at}, and has not come back.",
    "UPDATE_FIRMWARE": "It was told to update its firmware at {at}, and has not come back.",
    "CLEAR_MEMORY": "Its memory was cleared at {at}: it may have lost its network and its token.",
    "UPDATE_SETTINGS": "Its settings were changed at {at}, just before.",
}


@dataclass
class Clues:
    """Of one device that was heard last at `since`."""

    since: datetime
    refused_at: datetime | None = None
    """A message of it was refused since."""
    knocks: int = 0
    """Refused handshakes with its MAC since."""
    revoked_at: datetime | None = None
    commands: list[tuple[str, datetime]] = field(default_factory=list)
    """That were delivered just before, the newest first."""
    installed_at: datetime | None = None
    firmware: str = ""
    firmware_since: datetime | None = None
    """When it first told another one than before, just before."""
    moved_at: datetime | None = None
    """When its address changed, just before."""
    neighbours: int = 0
    """Others of its outlet that fell silent in the same minute."""
    reset_reason: str = ""
    uptime_seconds: int | None = None
    free_heap: int | None = None
    rssi: int | None = None
    queue_length: int | None = None
    days_before: int = 0
    """Of the last week, on which it fell silent at the same time of day."""


def _command(clues: Clues) -> str:
    for name, at in clues.commands:
        if name in _COMMANDS:
            return _COMMANDS[name].format(at=clock(at))
    return ""


def _start(clues: Clues) -> str:
    """Of one that had only just started, or starts again and again."""
    reason = clues.reset_reason.upper()
    if "BROWN" in reason:
        return "Its voltage fell too low (brownout): its power supply is too weak, or failing."
    if any(word in reason for word in _WATCHDOGS):
        return f"Its firmware had crashed before ({clues.reset_reason})."
    if clues.uptime_seconds is not None and clues.uptime_seconds < YOUNG and "POWER" in reason:
        return f"Its power had been away {duration(clues.uptime_seconds)} before: a loose plug, or a failing supply."
    return ""


def _refused(clues: Clues) -> str:
    if clues.refused_at is None:
        return ""
    return f"It speaks, but what it sends is refused, last at {clock(clues.refused_at)}."


def _knocks(clues: Clues) -> str:
    if not clues.knocks:
        return ""
    return f"It is there, but has lost its token: {clues.knocks} handshakes were refused since."


def _revoked(clues: Clues) -> str:
    if clues.revoked_at is None:
        return ""
    return f"Its token was revoked at {clock(clues.revoked_at)}, and it has not fetched another."


def _installed(clues: Clues) -> str:
    return f"This board was installed at {clock(clues.installed_at)}, just before." if clues.installed_at else ""


def _firmware(clues: Clues) -> str:
    if clues.firmware_since is None:
        return ""
    return f"Its firmware had changed to {clues.firmware} at {clock(clues.firmware_since)}, just before."


def _moved(clues: Clues) -> str:
    if clues.moved_at is None:
        return ""
    return f"Its address had changed at {clock(clues.moved_at)}, just before: another network, or a new line."


def _neighbours_too(clues: Clues) -> str:
    if not clues.neighbours:
        return ""
    return f"{clues.neighbours} more at the outlet fell silent in the same minute: its router, or a fuse."


def _memory(clues: Clues) -> str:
    if clues.free_heap is None or clues.free_heap >= LITTLE:
        return ""
    return f"It had run out of memory: {clues.free_heap:,} bytes were free."


def _signal(clues: Clues) -> str:
    return f"Its WiFi signal was weak: {clues.rssi} dBm." if clues.rssi is not None and clues.rssi <= WEAK else ""


def _queue(clues: Clues) -> str:
    if clues.queue_length is None or clues.queue_length < MANY:
        return ""
    return f"Its network was failing before: {clues.queue_length} events waited in it."


def _timer(clues: Clues) -> str:
    if clues.days_before < TWICE:
        return ""
    return f"It fell silent at this time on {clues.days_before} of the last seven days: does a timer switch it off?"


_RULES: Final = (
    _refused, _knocks, _revoked, _command, _installed, _firmware, _neighbours_too, _start, _memory, _signal, _queue,
    _moved, _timer,
)  # fmt: skip


def likeliest(clues: Clues) -> str:
    """A sentence; "" where nothing tells."""
    return next((cause for rule in _RULES if (cause := rule(clues))), "")


def explained(found: Sequence[Found]) -> list[Found]:
    """With their cause, those that have one."""
    silent = [one for one in found if one.kind == SILENT and one.device_id is not None]
    if not silent or len(silent) > MOST:
        return [one._replace(cause=_OF_OUTLET) if one.kind == OUTLET_SILENT else one for one in found]
    clues = _clues({one.device_id: one for one in silent if one.device_id is not None})
    return [one._replace(cause=likeliest(clues[one.device_id])) if one.device_id in clues else one for one in found]


_OF_OUTLET: Final = "Its router, its line, or its power: all fell silent within a minute."


def _clues(silent: dict[int, Found]) -> dict[int, Clues]:
    clues = {device: Clues(one.since) for device, one in silent.items()}
    devices = list(silent)
    earliest = min(one.since for one in silent.values()) - JUST_BEFORE

    def about(rows: Iterable[tuple[int, datetime | None]]) -> Iterable[tuple[Clues, datetime]]:
        """Those at or after what is just before."""
        for device, at in rows:
            if at is not None and at >= clues[device].since - JUST_BEFORE:
                yield clues[device], at

    refused = DeviceState.objects.filter(device__in=devices, refused_at__gte=earliest)
    kept = QuarantinedEvent.objects.filter(device__in=devices, last_at__gte=earliest).order_by("last_at")
    for rows in (refused.values_list("device_id", "refused_at"), kept.values_list("device_id", "last_at")):
        for one, at in about(rows):
            if at > one.since:
                one.refused_at = later_of(one.refused_at, at)
    knocks = HandshakeAttempt.objects.filter(device__in=devices, permitted=False, at__gte=earliest)
    for one, at in about(knocks.values_list("device_id", "at")):
        one.knocks += at > one.since
    revoked = Credential.objects.filter(device__in=devices, revoked_at__gte=earliest)
    for one, at in about(revoked.values_list("device_id", "revoked_at")):
        one.revoked_at = at
    moved = Credential.objects.filter(device__in=devices, revoked_at=None, address_since__gte=earliest)
    for one, at in about(moved.values_list("device_id", "address_since")):
        one.moved_at = at
    changed = DeviceStatus.objects.filter(device__in=devices, firmware_since__gte=earliest)
    for device, firmware, since in changed.values_list("device_id", "device__firmware", "firmware_since"):
        if since is not None and since >= clues[device].since - JUST_BEFORE:
            clues[device].firmware, clues[device].firmware_since = firmware, since
    sent = Command.objects.filter(device__in=devices, sent_at__gte=earliest).order_by("-sent_at")
    for device, name, sent_at in sent.values_list("device_id", "command_type", "sent_at"):
        if sent_at is not None and sent_at >= clues[device].since - JUST_BEFORE:
            clues[device].commands.append((name, sent_at))
    bound = MachineDevice.objects.filter(device__in=devices, is_active=True, assigned_date__gte=earliest)
    for one, at in about(bound.values_list("device_id", "assigned_date")):
        one.installed_at = at
    _last_words(clues)
    _neighbours(clues, silent)
    _days_before(clues)
    return clues


def _last_words(clues: dict[int, Clues]) -> None:
    statuses = DeviceStatus.objects.filter(device__in=list(clues), vitals_at__isnull=False)
    for status in statuses:
        one = clues[status.device_id]
        if status.vitals_at is None or not -FRESH <= one.since - status.vitals_at <= FRESH:
            continue
        one.reset_reason, one.uptime_seconds = status.reset_reason, status.uptime_seconds
        one.free_heap, one.rssi, one.queue_length = status.free_heap, status.rssi, status.queue_length


def _neighbours(clues: dict[int, Clues], silent: dict[int, Found]) -> None:
    outlets = {one.outlet_id for one in silent.values() if one.outlet_id is not None}
    there = Watch.objects.filter(device__machine__outlet__in=outlets, device__archived_at=None)
    heard: dict[int, list[tuple[int, datetime]]] = {}
    columns = ("device__machine__outlet_id", "device_id", "device__state__last_poll", "device__state__last_seen")
    for outlet, device, polled, seen in there.values_list(*columns):
        last = later_of(polled, seen)
        if last is not None:
            heard.setdefault(outlet, []).append((device, last))
    for device, one in silent.items():
        others = heard.get(one.outlet_id, []) if one.outlet_id is not None else []
        clues[device].neighbours = sum(
            number != device and abs(last - one.since) <= SAME_MINUTE for number, last in others
        )


def _days_before(clues: dict[int, Clues]) -> None:
    earliest = min(one.since for one in clues.values()) - DAYS
    before = Incident.objects.filter(kind=SILENT, device__in=list(clues), since__gte=earliest)
    zone = people_zone()
    days: dict[int, set[Any]] = {}
    for device, since in before.values_list("device_id", "since"):
        one = clues[device]
        then, now = since.astimezone(zone), one.since.astimezone(zone)
        apart = abs(_of_day(then) - _of_day(now))
        if then.date() < now.date() and min(apart, timedelta(days=1) - apart) <= SAME_HOUR:
            days.setdefault(device, set()).add(then.date())
    for device, found in days.items():
        clues[device].days_before = len(found)


def _of_day(at: datetime) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute)
