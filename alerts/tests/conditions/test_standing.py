"""Conditions that are looked up: each begins, is told once, and ends."""

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from alerts.conditions import selling, server
from alerts.conditions.models import Beat, Rule
from alerts.incidents import services
from alerts.incidents.models import Incident
from alerts.tests.fleet import DAY, HOUR, MINUTE, SECOND, Fleet
from device_gateway.models import HandshakeAttempt
from device_gateway.states import Latest, Told, store_states
from ledger.models import Epoch, Line
from ozone.webapi import paging
from ozone.wire import metrics
from ozone.wire.clock import Jump, clock_watch
from stations.models import PowerBank, Station, StationSlot, SyncLog
from telemetry.commands.services import create, create_bulk
from telemetry.models import Command, DeviceStatus, HourlyCount, MachineDevice, QuarantinedEvent, TelemetryEvent

Make = Callable[..., Fleet]
LEFT = "m0-0 at Outlet 0"


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    server.forget()


def told(some: Fleet) -> list[tuple[str, str]]:
    """What was announced since the last time."""
    found = some.announced()
    some.told.clear()
    return found


def sentence(kind: str) -> str:
    return Incident.objects.get(kind=kind).sentence


def quarantine(some: Fleet, **fields: Any) -> QuarantinedEvent:
    return QuarantinedEvent.objects.create(
        **{
            "device": some.devices[0],
            "digest": "d",
            "body": "{}",
            "reason": "counter is negative",
            "code": "invalid",
            "first_at": some.now,
            "last_at": some.now,
            **fields,
        }
    )


def listen_since(some: Fleet, since: datetime) -> None:
    """The server has been up since then."""
    Beat.objects.create(at=some.now, counting_from=since)


def press(some: Fleet, name: str, **fields: Any) -> TelemetryEvent:
    """Of the first machine, now."""
    return TelemetryEvent.objects.create(
        device=some.devices[0], event_id=name, event="treatment", event_type="BASIC", treatment="BASIC", counter=1,
        received_at=some.now, source="device", payload={}, machine=some.devices[0].machine, outlet=some.outlets[0],
        **{"occurred_at": some.now, **fields},
    )  # fmt: skip


def test_a_refused_event_holds_sales_up(fleet: Make) -> None:
    some = fleet(2)
    row = quarantine(some, first_at=some.now - 8 * MINUTE)
    some.go_on(MINUTE)
    assert told(some) == []
    some.go_on(2 * MINUTE)
    assert told(some) == [("opened", f"Sales are held up: {LEFT}")]
    assert sentence("held_up") == (
        "Since 2026-03-02 11:52: 1 of its events is refused, and nothing behind gets through."
    )
    row.state = QuarantinedEvent.State.DISCARDED
    row.save()
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", f"Sales are held up: {LEFT}")]


def test_a_queue_that_does_not_empty(fleet: Make) -> None:
    some = fleet(2)
    DeviceStatus.objects.create(device=some.devices[1], queue_length=19, vitals_at=some.now)
    status = DeviceStatus.objects.create(device=some.devices[0], queue_length=20, vitals_at=some.now)
    some.go_on(2 * MINUTE)
    assert told(some) == [("opened", f"Sales are held up: {LEFT}")]
    status.queue_length = 3
    status.save()
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", f"Sales are held up: {LEFT}")]


def test_online_and_sells_nothing(fleet: Make) -> None:
    """Six presses an hour for three weeks; then none."""
    some = fleet(2)
    machine = some.devices[0].machine
    start = some.now - 21 * DAY
    held = {"device_id": some.devices[0].pk, "machine_id": machine.pk, "outlet_id": some.outlets[0].pk}
    HourlyCount.objects.bulk_create([HourlyCount(**held, starts_at=start + n * HOUR, basic=6) for n in range(21 * 24)])
    press(some, "last", occurred_at=some.now - 3 * HOUR + 3 * MINUTE)
    listen_since(some, some.now - 4 * HOUR)
    some.go_on(2 * MINUTE)
    assert told(some) == []
    some.go_on(3 * MINUTE)
    assert told(some) == [("opened", f"Sells nothing: {LEFT}")]
    assert "It polls, and has told no press since 2026-03-02 09:03." in sentence("sells_nothing")
    some.go_on(30 * MINUTE, without=some.devices[:1])
    some.go_on(2 * MINUTE)
    told_of_silence = [(kind, f"Silent: {LEFT}") for kind in ("opened", "ended")]
    assert told(some) == told_of_silence  # it has sold nothing meanwhile
    some.truth += 2 * HOUR  # nobody listens
    some.go_on(5 * MINUTE)
    assert told(some) == []
    press(some, "next")
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", f"Sells nothing: {LEFT}")]


@pytest.mark.alike
def test_who_sells_nothing_and_goes_for_good_is_silent(fleet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selling, "LISTENED", HOUR)
    some = fleet(1)
    listen_since(some, some.now - 4 * DAY)
    MachineDevice.objects.update(assigned_date=some.now - 3 * DAY)
    some.go_on(2 * MINUTE)
    some.go_on(58 * MINUTE, without=some.devices)
    assert told(some) == [("opened", f"Sells nothing: {LEFT}"), ("opened", f"Silent: {LEFT}")]
    some.go_on(5 * MINUTE, without=some.devices)
    assert told(some) == [("ended", f"Sells nothing: {LEFT}")]


@pytest.mark.alike
def test_what_the_ledger_says(fleet: Make) -> None:
    some = fleet(2)
    device = some.devices[0]
    epoch = Epoch.objects.create(
        device=device, treatment="BASIC", number=1, cause="first", started_at=some.now, base=0, last=40, presses=30
    )
    place = {"epoch": epoch, "device": device, "treatment": "BASIC", "at": some.now}
    small = Line.objects.create(kind="missing", first=1, last=9, count=9, **place)
    some.go_on(MINUTE)
    assert told(some) == []
    Line.objects.create(kind="missing", first=12, last=12, count=1, **place)
    Line.objects.create(kind="back", first=20, last=20, count=1, **place)
    some.go_on(2 * MINUTE)
    assert told(some) == [("opened", f"Counter stepped back: {LEFT}"), ("opened", f"Presses are missing: {LEFT}")]
    assert sentence("counter_gap") == "Its counter says 10 presses more than were told, since 2026-03-02 12:00."
    small.delete()
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", f"Presses are missing: {LEFT}")]


def test_a_clock_that_is_wrong(fleet: Make) -> None:
    some = fleet(2)
    event = press(some, "e", clock_suspect=True)
    some.go_on(MINUTE)
    assert told(some) == [("opened", f"Clock is wrong: {LEFT}")]
    event.clock_suspect = False
    event.save()
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", f"Clock is wrong: {LEFT}")]


def test_a_command_that_failed_is_told_once(fleet: Make) -> None:
    some = fleet(3)
    fields = {"command_type": "GET_STATUS", "expires_in_hours": 24}
    command = create(device=some.devices[0], fields=fields, author=None, now=some.now)
    Command.objects.filter(pk=command.pk).update(status="failed", error_message="no memory", changed_at=some.now)
    create_bulk(devices=some.devices, fields=fields, author=None, now=some.now)
    Command.objects.exclude(pk=command.pk).update(status="failed", changed_at=some.now)
    some.go_on(2 * MINUTE)
    assert sorted(told(some)) == [
        ("opened", "Command failed: GET_STATUS for 3 devices"),
        ("opened", "Command failed: GET_STATUS for m0-0"),
    ]
    one = Incident.objects.get(device=some.devices[0])
    assert one.sentence == "It was refused or failed at 2026-03-02 12:00: no memory."
    services.acknowledge(incident=one, note="", actor=None, now=some.now)
    told(some)
    some.go_on(3 * MINUTE)
    assert told(some) == []
    assert Incident.objects.filter(ended_at=None).count() == 1


def test_handshakes_that_are_refused(fleet: Make) -> None:
    some = fleet(2)
    for number in range(5):
        HandshakeAttempt.objects.create(
            device=some.devices[0], at=some.now - number * SECOND, address="203.0.113.9", permitted=False
        )
    some.go_on(MINUTE)
    assert told(some) == [("opened", "Handshakes are refused: m0-0")]
    assert sentence("handshake_refused").endswith("from 203.0.113.9.")
    HandshakeAttempt.objects.all().delete()
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", "Handshakes are refused: m0-0")]


def test_stations(fleet: Make) -> None:
    some = fleet(1)
    station = Station.objects.create(serial_number="S1", status="OFFLINE", last_heartbeat=some.now)
    slot = StationSlot.objects.create(station=station, slot_number=3, status="ERROR")
    bank = PowerBank.objects.create(serial_number="B1", status="DAMAGED", station=station)
    listen_since(some, some.now - HOUR)
    SyncLog.objects.create(received_at=some.now - 52 * MINUTE, outcome="applied", milliseconds=1, body_hash="x")
    some.go_on(MINUTE)
    assert told(some) == [("opened", "Slot in error: S1"), ("opened", "Power bank damaged: B1 in S1")]
    some.go_on(6 * MINUTE)
    assert told(some) == [("opened", "Station offline: S1")]
    some.go_on(3 * MINUTE)
    assert told(some) == [("opened", "Partner stopped telling: the partner's server")]
    Station.objects.update(status="ONLINE")
    StationSlot.objects.filter(pk=slot.pk).update(status="AVAILABLE")
    PowerBank.objects.filter(pk=bank.pk).update(status="AVAILABLE")
    SyncLog.objects.update(received_at=some.now)
    some.go_on(2 * MINUTE)
    assert len(told(some)) == 4
    assert not Incident.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize("most", [paging.MOST, 1], ids=["together", "one by one"])
def test_a_field_of_readings(fleet: Make, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where readings are so large that they are read a piece at a time."""
    monkeypatch.setattr(paging, "MOST", most)
    some = fleet(2)
    device = some.devices[0]
    Rule.objects.create(kind="reading", field="voltage", low=200, high=250, seconds=120)
    Rule.objects.create(kind="reading", field="current", device=some.devices[1])

    def send(voltage: float) -> None:
        payload = {"voltage": voltage}
        device.telemetry.create(occurred_at=some.now, received_at=some.now, payload=payload)
        latest = Latest(some.now, some.now, f'{{"voltage": {voltage}}}')
        store_states(connection, [Told(device.pk, seen_at=some.now, latest=latest)])

    send(230)
    some.go_on(MINUTE)
    send(260.5)
    some.go_on(MINUTE)
    assert told(some) == []
    send(261)
    some.go_on(2 * MINUTE)
    assert told(some) == [("opened", f"Reading: {LEFT}")]
    assert sentence("reading") == "voltage is 261, above 250, since 2026-03-02 12:01."
    send(231)
    some.go_on(2 * MINUTE)
    assert told(some) == [("ended", f"Reading: {LEFT}")]


def test_the_server_itself(fleet: Make, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    some = fleet(1)
    settings.ALERT_BACKUP_FOLDER = str(tmp_path)
    killed = tmp_path / ".ozone-1234.part"
    killed.touch()
    os.utime(killed, (some.now.timestamp(), some.now.timestamp()))
    some.go_on(MINUTE)
    assert told(some) == [("opened", "Backup is old: this server")]
    backup = tmp_path / "backup.sqlite3"
    backup.touch()
    os.utime(backup, (some.now.timestamp(), some.now.timestamp()))
    metrics.REJECTED.labels("queue_full").inc(12)
    monkeypatch.setattr(clock_watch, "last", lambda: Jump(some.now, -7200.0))
    some.go_on(MINUTE)
    assert sorted(told(some)) == [
        ("ended", "Backup is old: this server"),
        ("opened", "Clock was set: this server"),
        ("opened", "Writes are refused: this server"),
    ]
    assert sentence("writer_refusing").startswith("12 writes were refused")


def test_how_soon_a_disk_is_full() -> None:
    hour = 3600.0
    falling = [(n * hour, 1_000 - n * 10) for n in range(server.TREND)]
    assert server.days_left(falling, 940, 6 * hour) == pytest.approx(94 / 24)
    assert server.days_left(falling[:-1], 940, 6 * hour) is None
    assert server.days_left([(n * hour, 1_000) for n in range(9)], 1_000, 9 * hour) is None
