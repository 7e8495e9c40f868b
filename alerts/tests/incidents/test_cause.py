"""Twenty scripted ways of falling silent, each with what the device told before: the cause is named, or nothing is."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from alerts.incidents.models import Incident
from alerts.tests.fleet import DAY, IDLE, MINUTE, SECOND, Fleet
from device_gateway.keys.credentials import set_key
from device_gateway.keys.memory import store_key_uses
from device_gateway.models import Credential, Device, DeviceState, HandshakeAttempt
from telemetry.commands.polling import Poll, store_polls
from telemetry.models import Command, DeviceStatus, MachineDevice, QuarantinedEvent

Make = Callable[..., Fleet]


@dataclass
class Script:
    """`vitals`: the first device's last words; `after` happens when it has been heard last. `dead`: how many of the
    three machines of its outlet fall silent."""

    name: str
    cause: str
    vitals: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Device, datetime], Any] = lambda device, now: None
    told_before: timedelta = timedelta(0)
    dead: int = 1


def sent(name: str) -> Callable[[Device, datetime], Any]:
    return lambda device, now: Command.objects.create(
        device=device, command_type=name, status="sent", sent_at=now, expires_at=now + DAY
    )


def refused_event(device: Device, now: datetime) -> None:
    at = now + 2 * MINUTE
    QuarantinedEvent.objects.create(
        device=device, digest="d", body="{}", reason="no", code="invalid", first_at=at, last_at=at
    )


def refused_reading(device: Device, now: datetime) -> None:
    DeviceState.objects.filter(device=device).update(refused_at=now + 2 * MINUTE)


def knocks(device: Device, now: datetime) -> None:
    HandshakeAttempt.objects.create(device=device, at=now + MINUTE, address="192.0.2.1", permitted=False)


def revoked(device: Device, now: datetime) -> None:
    set_key(device=device, key="a-key-of-a-device-that-is-old", source=Credential.Source.ADMIN, now=now)
    Credential.objects.filter(device=device).update(revoked_at=now)


def installed(device: Device, now: datetime) -> None:
    MachineDevice.objects.filter(device=device).update(assigned_date=now - 5 * MINUTE)


def new_firmware(device: Device, now: datetime) -> None:
    """As it tells it with a poll; first the one before."""
    for firmware, at in (("2.0", now - DAY), ("2.1", now)):
        store_polls(connection, [Poll(device.pk, at, 1, True, firmware)])


def moved(device: Device, now: datetime) -> None:
    set_key(device=device, key="a-key-of-a-device-that-moves", source=Credential.Source.ADMIN, now=now)
    key = Credential.objects.get(device=device).pk
    store_key_uses(connection, [(key, now - DAY, "192.0.2.1")])
    store_key_uses(connection, [(key, now - MINUTE, "198.51.100.7")])


def settled(device: Device, now: datetime) -> None:
    """Where it always was."""
    set_key(device=device, key="a-key-of-a-device-that-stays", source=Credential.Source.ADMIN, now=now)
    key = Credential.objects.get(device=device).pk
    for at in (now - DAY, now):
        store_key_uses(connection, [(key, at, "192.0.2.1")])
    store_polls(connection, [Poll(device.pk, now, 1, True, "2.0")])


def every_evening(device: Device, now: datetime) -> None:
    for days in (1, 3):
        at = now - days * DAY + 10 * MINUTE
        Incident.objects.create(
            kind="silent", subject_key=f"device:{device.pk}", subject="m", device=device,
            since=at, opened_at=at, ended_at=at + 60 * MINUTE, told_at=at,
        )  # fmt: skip


SCRIPTS = (
    Script("a router", "Its router, its line, or its power", dead=3),
    Script("a fuse of two machines", "1 more at the outlet fell silent in the same minute", dead=2),
    Script("a reboot", "It was told to reboot at 2026-03-02 12:0", after=sent("REBOOT_DEVICE")),
    Script("an update", "It was told to update its firmware", after=sent("UPDATE_FIRMWARE")),
    Script("cleared memory", "Its memory was cleared", after=sent("CLEAR_MEMORY")),
    Script("new settings", "Its settings were changed", after=sent("UPDATE_SETTINGS")),
    Script("a harmless command", "", after=sent("GET_STATUS")),
    Script("refused events", "It speaks, but what it sends is refused", after=refused_event),
    Script("refused readings", "It speaks, but what it sends is refused", after=refused_reading),
    Script("a lost token", "It is there, but has lost its token: 1 handshakes", after=knocks),
    Script("a revoked token", "Its token was revoked", after=revoked),
    Script("a new board", "This board was installed", after=installed),
    Script("a new firmware", "Its firmware had changed to 2.1 at 2026-03-02 12:0", after=new_firmware),
    Script("another network", "Its address had changed at 2026-03-02 12:0", after=moved),
    Script("brownout", "Its voltage fell too low", {"reset_reason": "BROWNOUT", "uptime_seconds": 90}),
    Script("watchdog", "Its firmware had crashed before (TASK_WDT)", {"reset_reason": "TASK_WDT"}),
    Script("panic", "Its firmware had crashed before (PANIC)", {"reset_reason": "PANIC"}),
    Script(
        "loose plug", "Its power had been away 1 min 30 s before", {"reset_reason": "POWERON", "uptime_seconds": 90}
    ),
    Script("no memory", "It had run out of memory: 9,000 bytes", {"free_heap": 9_000, "rssi": -60}),
    Script("weak signal", "Its WiFi signal was weak: -91 dBm.", {"rssi": -91, "free_heap": 120_000}),
    Script("a poor network", "Its network was failing before: 40 events", {"queue_length": 40, "rssi": -60}),
    Script("a timer", "It fell silent at this time on 2 of the last seven days", after=every_evening),
    # Where nothing tells, nothing is named.
    Script("old firmware", ""),
    Script("nothing changed", "", after=settled),
    Script(
        "all was well", "", {"rssi": -60, "free_heap": 150_000, "reset_reason": "POWERON", "uptime_seconds": 90_000}
    ),
    Script("words of yesterday", "", {"rssi": -95, "free_heap": 5_000}, told_before=DAY),
)


def test_why(fleet: Make) -> None:
    """All at once, each at an outlet of its own."""
    some = fleet(*[3] * len(SCRIPTS), 1)
    some.go_on(2 * MINUTE)
    dead = []
    for place, script in enumerate(SCRIPTS):
        here = [device for device in some.devices if some.places[device.pk] == place]
        if script.vitals:
            at = some.now - script.told_before - 5 * SECOND
            DeviceStatus.objects.create(device=here[0], vitals_at=at, **script.vitals)
        script.after(here[0], some.now)
        dead += here[: script.dead]
    some.go_on(IDLE + 2 * MINUTE, without=dead)
    silent = Incident.objects.filter(kind__in=("silent", "outlet_silent"), told_at__isnull=False, ended_at=None)
    causes = dict(silent.order_by("-id").values_list("outlet__name", "cause"))
    named = {script.name: causes[f"Outlet {place}"] for place, script in enumerate(SCRIPTS)}
    wrong = {
        script.name: named[script.name]
        for script in SCRIPTS
        if not (named[script.name].startswith(script.cause) if script.cause else named[script.name] == "")
    }
    assert wrong == {}
