"""The first generation of the Ozone system: complete, exact, and the same when it is done twice."""

import hashlib
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User

from device_gateway.models import Credential, Device
from moving.tests.conftest import move
from moving.tests.old import MACS, TOKENS, Old, at, person, press
from telemetry.models import Command, DailyCount, DeviceStatus, HourlyCount, Machine, MachineDevice, Outlet
from telemetry.models import TelemetryEvent as Event
from tests.support.doors import Door

pytestmark = pytest.mark.django_db


@pytest.fixture
def furnished(first: Old) -> Old:
    """Two people, two outlets, three machines, three devices, a swap of a board, and a week of presses."""
    hashed = make_password("good-old-password")
    first.add("auth_user", person(1, "olga", hashed, is_staff=1), person(2, "vera", hashed, email="v@example.com"))
    outlet = {"is_active": 1, "average_intage_services": 12.5, "number_of_machines": 2, "total_sva": 3}
    first.add(
        "telemetry_outlet",
        {"id": 4, "name": "North", "location": "Perak", "address": "1 High Street", "contact_person": "Ann", **outlet},
        {"id": 5, "name": "South", "contact_phone": "+60 1", **outlet, "is_active": 0},
    )
    first.add(
        "telemetry_machine",
        {"id": 10, "name": "M10", "is_active": 1, "installed_date": "2025-01-02", "outlet_id": 4, "notes": "squeaks"},
        {"id": 11, "name": "M11", "is_active": 1, "outlet_id": 5},
        {"id": 12, "name": "M12", "is_active": 0, "outlet_id": 99},
    )
    for number, (mac, name, token) in enumerate(zip(MACS, ("A", "B", "C"), TOKENS, strict=True), 1):
        row = {"id": number, "mac": mac.lower(), "device_id": name, "token": token, "assigned": 1, "firmware": "1.0"}
        first.add("telemetry_device", {**row, "last_seen": "2025-06-08 00:00:00", "notes": f"board {name}"})
    first.add(
        "telemetry_machinedevice",
        {"id": 1, "machine_id": 10, "device_id": "A", "is_active": 0, "assigned_date": "2025-06-01 00:00:00",
         "deactivated_date": "2025-06-04 00:00:00"},
        {"id": 2, "machine_id": 10, "device_id": "B", "is_active": 1, "assigned_date": "2025-06-04 00:00:00"},
        {"id": 3, "machine_id": 11, "device_id": "C", "is_active": 1, "assigned_date": "2025-06-01 00:00:00"},
        {"id": 4, "machine_id": 77, "device_id": "C", "is_active": 1, "assigned_date": "2025-06-01 00:00:00"},
    )  # fmt: skip
    first.add(
        "telemetry_devicestatus",
        {"id": 1, "device_id": "A", "last_seen": "2025-06-08 00:00:00", "wifi_connected": 1, "rtc_available": 0,
         "current_count_basic": 7, "current_count_standard": 5, "current_count_premium": 3, "uptime_seconds": 60},
    )  # fmt: skip
    first.add(
        "telemetry_telemetryevent",
        press(1, "A", "BASIC", "2025-06-02 01:00:00", count_basic=1, count_standard=0, count_premium=0),
        press(2, "A", "STANDARD", "2025-06-02 02:00:00", counter=9, treatment="STANDARD", event_id="own-id"),
        press(3, "A", "status", "2025-06-02 03:00:00", payload='{"mode": "status"}'),
        press(4, "B", "PREMIUM", "2025-06-05 01:00:00", payload="{broken", wifi_status="home"),
        press(5, "C", "BASIC", "2025-06-30 20:00:00"),
        press(6, "Z", "BASIC", "2025-06-05 01:00:00"),
        press(7, "C", "UNHEARD", "2025-06-05 01:00:00"),
    )
    first.add(
        "telemetry_usagestatistics",
        {"id": 1, "device_id": "A", "date": "2025-06-02", "basic_count": 1, "standard_count": 2, "premium_count": 0},
    )
    return first


def test_it_works(furnished: Old) -> None:
    report = move(furnished)
    assert report.differences() == []
    assert {name: tuple(vars(table).values()) for name, table in report.tables.items()} == {
        "auth_user": (2, 2, 0, 0),
        "telemetry_outlet": (2, 2, 0, 0),
        "telemetry_device": (3, 3, 0, 0),
        "telemetry_machine": (3, 3, 0, 0),
        "telemetry_machinedevice": (4, 3, 0, 1),
        "telemetry_devicestatus": (1, 1, 0, 0),
        "telemetry_telemetryevent": (7, 5, 0, 2),
    }
    north, south = Outlet.objects.order_by("pk")
    assert (north.name, north.region, north.address, north.contact_person) == ("North", "Perak", "1 High Street", "Ann")
    assert (north.average_intage_services, north.number_of_machines, north.total_sva) == (12.5, 2, 3)
    assert (south.contact_person, south.is_active) == ("+60 1", False)
    machines = {machine.name: machine for machine in Machine.objects.all()}
    assert {name: m.outlet and m.outlet.name for name, m in machines.items()} == {
        "M10": "North",
        "M11": "South",
        "M12": None,
    }
    assert {name: m.device and m.device.device_id for name, m in machines.items()} == {
        "M10": "B",
        "M11": "C",
        "M12": None,
    }
    spans = MachineDevice.objects.order_by("assigned_date", "pk").values_list(
        "machine__name", "device__device_id", "assigned_date", "deactivated_date", "is_active"
    )
    june = at("2025-06-01")
    assert sorted(spans) == [
        ("M10", "A", june, at("2025-06-04"), False),
        ("M10", "B", at("2025-06-04"), None, True),
        ("M11", "C", june, None, True),
    ]
    device = Device.objects.get(device_id="A")
    assert (device.mac, device.firmware, device.notes, device.assigned) == (MACS[0], "1.0", "board A", True)
    assert device.created_at == at("2025-06-02 01:00:00")  # its oldest row
    status = DeviceStatus.objects.get(device=device)
    assert (status.counts, status.wifi_connected, status.uptime_seconds) == (
        {"basic": 7, "standard": 5, "premium": 3},
        True,
        60,
    )
    assert device.state.last_seen == at("2025-06-08")
    rows = Event.objects.order_by("pk").values_list(
        "event_id", "event_type", "treatment", "counter", "occurred_at", "source", "machine__name", "outlet__name"
    )
    assert list(rows) == [
        ("moved-ozone1-1", "BASIC", "BASIC", 1, at("2025-06-02 01:00:00"), "legacy", "M10", "North"),
        ("own-id", "STANDARD", "STANDARD", 9, at("2025-06-02 02:00:00"), "device", "M10", "North"),
        ("moved-ozone1-3", "status", None, None, at("2025-06-02 03:00:00"), "legacy", "M10", "North"),
        ("moved-ozone1-4", "PREMIUM", "PREMIUM", None, at("2025-06-05 01:00:00"), "legacy", "M10", "North"),
        ("moved-ozone1-5", "BASIC", "BASIC", None, at("2025-06-30 20:00:00"), "legacy", "M11", "South"),
    ]
    assert not Event.objects.filter(clock_suspect=True).exists()
    assert sum(row.basic + row.standard + row.premium for row in DailyCount.objects.all()) == 4
    assert sum(row.basic + row.standard + row.premium for row in HourlyCount.objects.all()) == 4
    assert report.told == report.stored
    assert report.told["C", "2025-07", "BASIC"] == 1  # in Malaysia it was July
    said = {(row["table"], row["row"]): row["why"] for row in report.by_row}
    assert said["telemetry_telemetryevent", "6"] == "Its device Z is not in the source."
    assert said["telemetry_telemetryevent", "7"] == "'UNHEARD' is neither a treatment nor a status."
    assert "payload" in said["telemetry_telemetryevent", "4"]
    assert said["telemetry_machinedevice", "4"] == "Its machine 77 is not in the source."
    assert said["telemetry_machine", "12"].startswith("Its outlet 99 is not in the source")
    assert said["telemetry_usagestatistics", "1"] == "A on 2025-06-02: 2 STANDARD counted there, 1 by its events"
    assert any("plain text" in sentence for sentence in report.remarks)


def test_passwords_stay_good(furnished: Old, client: Any) -> None:
    move(furnished)
    assert client.login(username="olga", password="good-old-password")
    olga = User.objects.get(username="olga")
    assert (olga.is_staff, olga.is_superuser, olga.date_joined) == (True, False, at("2025-01-01"))


def everything() -> list[Any]:
    tables = (User, Outlet, Machine, Device, MachineDevice, Credential, Event, DailyCount, HourlyCount, Command)
    return [sorted(map(str, model.objects.values_list())) for model in tables]


def test_twice_gives_the_same(furnished: Old) -> None:
    first = move(furnished)
    before = everything()
    again = move(furnished)
    assert everything() == before
    assert again.differences() == []
    assert again.told == again.stored == first.told
    assert {name: (table.added, table.there) for name, table in again.tables.items()} == {
        name: (0, table.rows - table.refused) for name, table in first.tables.items()
    }


def test_cut_off_and_gone_on(furnished: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step it dies in, the next run comes to the same end."""
    steps = ["move_outlets", "move_devices", "move_machines", "move_bindings", "move_statuses", "move_events"]
    for step in steps:

        def die(*_: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(f"moving.services.{step}", die)
            with pytest.raises(KeyboardInterrupt):
                move(furnished)
    report = move(furnished)
    assert report.differences() == []
    assert Event.objects.count() == 5
    assert MachineDevice.objects.count() == 3


def test_a_dry_run_says_the_same_and_writes_nothing(furnished: Old) -> None:
    before = everything()
    dry = move(furnished, is_dry=True)
    assert everything() == before
    wet = move(furnished)
    assert (dry.tables, dry.by_row, dry.remarks, dry.told) == (wet.tables, wet.by_row, wet.remarks, wet.told)


def test_since(furnished: Old) -> None:
    report = move(furnished, since=at("2025-06-04"))
    assert report.tables["telemetry_telemetryevent"].rows == 4
    assert sorted(Event.objects.values_list("event_id", flat=True)) == ["moved-ozone1-4", "moved-ozone1-5"]


def test_nothing_is_written_to_the_source(furnished: Old) -> None:
    before = hashlib.sha256(furnished.path.read_bytes()).digest()
    move(furnished)
    assert hashlib.sha256(furnished.path.read_bytes()).digest() == before


@pytest.mark.django_db(transaction=True)
def test_a_machine_goes_on_with_its_old_token(furnished: Old, door: Door) -> None:
    move(furnished)
    bearer = {"Authorization": f"Bearer {TOKENS[1]}"}
    event = {"event_id": "after", "event": "treatment", "treatment": "BASIC", "counter": 8, "device_id": "B"}
    assert door.post("/api/device/events/", event, TOKENS[1]).json() == {"ack": True, "event_id": "after"}
    assert door.send("GET", "/api/device/B/commands/", headers=bearer).status == 200
    assert Event.objects.get(event_id="after").machine.name == "M10"  # type: ignore[union-attr]
    # Whoever knows only its MAC gets no token.
    assert door.post("/api/handshake/", {"mac": MACS[1]}).status == 403
    assert door.post("/api/handshake/", {"mac": MACS[1]}, TOKENS[1]).json()["token"] == TOKENS[1]


def test_names_that_cannot_come(first: Old) -> None:
    rows: list[dict[str, Any]] = [
        {"id": 1, "mac": MACS[0], "device_id": "12345", "token": TOKENS[0], "assigned": 1},
        {"id": 2, "mac": MACS[0], "device_id": "twice", "token": TOKENS[1], "assigned": 1},
        {"id": 3, "mac": "00:00:00:00:00:00", "device_id": "zero", "token": TOKENS[1], "assigned": 1},
        {"id": 4, "mac": None, "device_id": "pending-1", "token": "", "assigned": 0},
    ]
    first.add("telemetry_device", *rows)
    first.add(
        "telemetry_telemetryevent",
        *(press(n, str(row["device_id"]), "BASIC", f"2025-06-0{n} 00:00:00") for n, row in enumerate(rows, 1)),
    )
    report = move(first)
    assert report.differences() == []
    said = [f"{row['row']}: {row['why']}" for row in report.by_row]
    assert [line for line in said if "12345 is no device_id here" in line and f"called {MACS[0]}" in line]
    assert f"2: {MACS[0]} is an earlier row's MAC: the device comes without one." in said
    assert "3: 00:00:00:00:00:00 is no board's MAC: the device comes without one." in said
    assert "3: Its token is another device's, too: it needs a new one." in said
    names = dict(Device.objects.values_list("device_id", "mac"))
    assert names.pop(MACS[0]) == MACS[0]
    assert names.pop("twice") is None and names.pop("zero") is None
    assert len(names) == 1 and str(next(iter(names))).startswith("dev-")
    assert Event.objects.count() == 4, "nothing else is lost for it"
    assert Credential.objects.count() == 2


def test_intervals_that_overlap_are_cut(first: Old) -> None:
    first.add("telemetry_machine", {"id": 1, "name": "one"}, {"id": 2, "name": "two"})
    first.add("telemetry_device", *({"id": n, "mac": mac, "device_id": f"d{n}"} for n, mac in enumerate(MACS)))
    bound = {"is_active": 1, "deactivated_date": None}
    first.add(
        "telemetry_machinedevice",
        {"id": 1, "machine_id": 1, "device_id": "d0", "assigned_date": "2025-01-01 00:00:00", **bound},
        {"id": 2, "machine_id": 2, "device_id": "d0", "assigned_date": "2025-02-01 00:00:00", **bound},
        {"id": 3, "machine_id": 2, "device_id": "d1", "assigned_date": "2025-03-01 00:00:00", **bound},
        {"id": 4, "machine_id": 1, "device_id": "d2", "is_active": 0, "assigned_date": "2025-04-01 00:00:00"},
        {"id": 5, "machine_id": 1, "device_id": "d2", "is_active": 0, "assigned_date": "2025-06-01 00:00:00",
         "deactivated_date": "2025-05-01 00:00:00"},
    )  # fmt: skip
    assert move(first).differences() == []
    spans = MachineDevice.objects.order_by("assigned_date").values_list(
        "machine__name", "device__device_id", "deactivated_date"
    )
    assert list(spans) == [
        ("one", "d0", at("2025-02-01")),
        ("two", "d0", at("2025-03-01")),
        ("two", "d1", None),
        ("one", "d2", at("2025-06-01")),
        ("one", "d2", at("2025-06-01")),
    ]
    assert Machine.objects.get(name="one").device is None


def test_a_name_that_is_taken_stays_this_systems(portal: Old) -> None:
    here = User.objects.create_user("Vera", password="ours", email="ours@example.com")
    portal.add("auth_user", person(9, "vera", make_password("theirs"), is_superuser=1))
    portal.add(
        "device_gateway_device", {"id": 900, "name": "Meter", "owner_id": 9, "created_at": "2025-01-01 00:00:00"}
    )
    report = move(portal)
    here.refresh_from_db()
    assert (here.is_superuser, here.email) == (False, "ours@example.com")
    assert here.check_password("ours")
    assert Device.objects.get().owner == here
    assert "vera is taken here" in report.by_row[0]["why"]


def test_many_events(first: Old) -> None:
    """More than one step, with ids that are not in order, and every count equal."""
    first.add("telemetry_device", {"id": 1, "mac": MACS[0], "device_id": "A", "token": TOKENS[0], "assigned": 1})
    start, kinds = at("2025-01-01"), ("BASIC", "STANDARD", "PREMIUM")
    first.fill(
        "telemetry_telemetryevent",
        (
            press(n * 3, "A", kinds[n % 3], str(start + timedelta(minutes=37 * n)).removesuffix("+00:00"))
            for n in range(2_345)
        ),
    )
    report = move(first)
    assert report.differences() == []
    assert Event.objects.count() == sum(report.told.values()) == 2_345
    assert [row.event_id for row in Event.objects.order_by("pk")[:2]] == ["moved-ozone1-0", "moved-ozone1-3"]
    assert sum(row.basic for row in DailyCount.objects.all()) == 782
