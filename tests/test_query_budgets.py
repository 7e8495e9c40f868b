"""As many queries for 9 rows as for 3 (30 at night), at every address that shows rows: those of `scoping.py`."""

import re
from collections import Counter
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from device_gateway.claims.services import issue_token
from device_gateway.models import Device, DeviceTelemetry, HandshakeAttempt
from ledger.epochs.services import look_into, touched_devices
from pages.kit import live
from stations.models import PowerBank, PowerBankReturn, Station, StationSlot, SyncLog
from telemetry.commands import services as commands
from telemetry.events.payloads import read_event
from telemetry.events.storing import store_once
from telemetry.machines.bindings import register_machine
from telemetry.models import Command, Machine, Outlet, QuarantinedEvent
from tests.support import scoping
from tests.support.length import length

pytestmark = [pytest.mark.django_db, pytest.mark.thorough]

Queries = Counter[str]

NAMED = {"device", "machine", "outlet", "event", "station"}
"""Whose addresses show rows; those that name a command, a token or a refused event show that alone."""
READERS = [
    (row.path, caller)
    for row in scoping.rows()
    if row.method == "GET" and NAMED.issuperset(re.findall(r"<(\w+)>", row.path))
    if row not in scoping.rows_of(scoping.PROJECT)
    for caller in ("owner", "staff")
    if row.expected[caller] == "200"
    if (row.path, caller) != ("/api/export/", "owner")  # walks a person's devices one by one, each by its index
]
_numbers: "count[int]" = count(1)


def press(device: Device) -> None:
    now = timezone.now()
    number = next(_numbers)
    body = {"event_id": f"e-{number}", "event": "treatment", "treatment": "BASIC", "counter": number}
    store_once(connection, [read_event({**body, "ts": now.isoformat()}, device.pk, now)])


def neighbours(owner: User) -> None:
    """One more of everything: a machine at an outlet with its device, a device in none, a station with a power bank."""
    number = next(_numbers)
    device = Device.objects.create(device_id=f"n-{number}", name=f"Device {number}", owner=owner)
    register_machine(device=device, outlet=Outlet.objects.create(name=f"Outlet {number}"), name=f"Machine {number}")
    press(device)
    press(Device.objects.create(device_id=f"u-{number}", owner=owner, assigned=True))
    station = Station.objects.create(serial_number=f"S-{number}", total_slots=1)
    slot = StationSlot.objects.create(station=station, slot_number=1, status="OCCUPIED")
    PowerBank.objects.create(serial_number=f"B-{number}", station=station, current_slot=slot)


def history(owner: User, device: Device, station: Station) -> None:
    """One more of everything that hangs on this device and this station, and one machine more at its outlet."""
    now, number = timezone.now(), next(_numbers)
    press(device)
    DeviceTelemetry.objects.create(device=device, occurred_at=now, received_at=now, payload={"kwh": number})
    fields = {"command_type": "RESET_COUNTERS", "expires_in_hours": 24}
    commands.create_for_each(devices=[device, device], fields=fields, author=owner, now=now)
    done = Command.objects.filter(device=device, status="pending").latest("id")
    Command.objects.filter(pk=done.pk).update(status="executed", sent_at=now, executed_at=now)
    QuarantinedEvent.objects.create(
        device=device, digest=f"{number}", body="{}", reason="?", code="invalid", first_at=now, last_at=now
    )
    HandshakeAttempt.objects.create(device=device, at=now, address="203.0.113.9", permitted=False)
    issue_token(device=device, issuer=owner, now=now)
    claimed = issue_token(device=device, issuer=owner, now=now).row
    type(claimed).objects.filter(pk=claimed.pk).update(claimed_at=now, claimed_from="203.0.113.9")
    Machine.objects.create(name=f"Beside {number}", outlet=Outlet.objects.get(name="Outlet"))
    slot = StationSlot.objects.create(station=station, slot_number=number, status="OCCUPIED")
    bank = PowerBank.objects.create(serial_number=f"H-{number}", station=station, current_slot=slot)
    PowerBankReturn.objects.create(
        power_bank=bank, station=station, slot_number=number, battery_level=50, returned_at=now, received_at=now
    )
    SyncLog.objects.create(received_at=now, outcome="applied", milliseconds=1, serial_number=station.serial_number)


def begin() -> tuple[User, Device, Station, dict[str, str]]:
    """The owner, the device and the station that get a history, and what the paths name."""
    owner = User.objects.create_user("owner")
    User.objects.create_user("staff", is_staff=True)
    device = Device.objects.create(device_id="d-0", name="Device", owner=owner)
    machine = register_machine(device=device, outlet=Outlet.objects.create(name="Outlet"), name="Machine")
    station = Station.objects.create(serial_number="S-0", total_slots=100)
    press(device)
    state = {"latest_occurred_at": timezone.now(), "latest_received_at": timezone.now() - timedelta(days=1)}
    type(device.state).objects.filter(device=device).update(**state, latest_payload={"kwh": 0})
    named = {
        "device": "d-0",
        "machine": str(machine.pk),
        "outlet": str(machine.outlet_id),
        "event": str(device.events.get().pk),
        "station": "S-0",
    }
    return owner, device, station, named


def asked(path: str, client: Client, expected: Queries | None = None) -> tuple[int, Queries]:
    """The status and the statements, numbers left out, of a request; where it is known how many are `expected`, of the
    first of three that has so many, else the fewer of a second and a third: what a process looks up once is in the
    first, and what it looks up again every few seconds in any.

    Each builds its page anew: one kept from the request before it hides its queries, and whether it is used depends on
    how fast this machine is and, on PostgreSQL, on what others in the cluster are writing meanwhile.
    """
    found: list[Queries] = []
    for _ in range(3):
        live.built.clear()
        with CaptureQueriesContext(connection) as captured:
            reply = client.get(path)
            list(reply)  # a stream, too
        found.append(Counter(re.sub(r"\d+", "0", query["sql"]) for query in captured.captured_queries))
        if expected is None or found[-1].total() == expected.total():
            return reply.status_code, found[-1]
    return reply.status_code, min(found[1:], key=lambda queries: queries.total())


@pytest.fixture(scope="module")
def measured(django_db_setup: None, django_db_blocker: Any) -> dict[tuple[str, str], Any]:
    """Of each path and reader, status and statements with 3 rows more of everything, and with 9 or 30."""
    secret = override_settings(IOT_SYSTEM_SIGNATURE_SECRET="a secret of the partner's system, long enough")
    with django_db_blocker.unblock(), secret, transaction.atomic():
        owner, device, station, named = begin()
        clients = {user.username: Client(raise_request_exception=False) for user in User.objects.all()}
        for user in User.objects.all():
            clients[user.username].force_login(user)

        def ask(reader: tuple[str, str], expected: Queries | None = None) -> tuple[int, Queries]:
            path, caller = reader
            return asked(re.sub(r"<(\w+)>", lambda name: named[name[1]], path), clients[caller], expected)

        add(3, owner, device, station)
        few = {reader: ask(reader) for reader in READERS}
        with transaction.atomic():
            add(length(6, 27), owner, device, station)
            many = {reader: ask(reader, few[reader][1]) for reader in READERS}
            transaction.set_rollback(True)
        for reader in READERS:  # what a process looks up once may be among the few
            if many[reader][1].total() != few[reader][1].total():
                few[reader] = ask(reader, many[reader][1])
        transaction.set_rollback(True)
    return {reader: (few[reader], many[reader]) for reader in READERS}


def add(number: int, owner: User, device: Device, station: Station) -> None:
    """So many more of everything."""
    for _ in range(number):
        neighbours(owner)
        history(owner, device, station)
    for touched in touched_devices().values_list("device_id", flat=True):  # as the follower does in a second
        while not look_into(touched):
            pass


@pytest.mark.each_case
@pytest.mark.parametrize("reader", READERS, ids=" ".join)
def test_as_many_queries_for_more_rows(measured: Any, reader: tuple[str, str]) -> None:
    (status, few), (_, many) = measured[reader]
    assert status == 200
    assert many.total() == few.total(), (many - few).most_common(3)
    assert few.total() > 0
