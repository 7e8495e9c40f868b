"""/api/machines/: staff writes, others read what holds their devices; registering a device as a machine."""

from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import Device, DeviceState, DeviceTelemetry
from device_gateway.registry.services import archive_device, change_device
from device_gateway.tests.conftest import refusal
from ozone.wire.times import iso
from telemetry.machines.bindings import archive_outlet, register_machine, unassign_device
from telemetry.models import DeviceStatus, Machine, Outlet, TelemetryEvent
from telemetry.tests.cast import HOUR, NOON, SECOND, Person, Site, bearer, counters, history, press
from telemetry.tests.conftest import Esp32
from tests.support.doors import Door

MACHINES = "/api/machines/"
REGISTER = "/api/machines/register/"
UNREGISTERED = "/api/machines/unregistered/"


def test_it_works(site: Site) -> None:
    answer = site.olga.post(
        MACHINES, {"outlet": site.outlet.pk, "name": "CH1/028", "is_active": False, "installed_date": "2026-02-03"}
    )
    number = Machine.objects.get(name="CH1/028").pk
    expected = {
        "id": number,
        "outlet": site.outlet.pk,
        "name": "CH1/028",
        "is_active": False,
        "installed_date": "2026-02-03",
        "machine_id": number,
        "machine_code": "CH1/028",
        "outlet_name": "Chai Chee",
        "device_id": None,
        "status": "offline",
        "last_heard": None,
        "counts": counters(0, 0, 0),
    }
    assert (answer.status, answer.json()) == (201, expected)
    assert site.olga.read(f"{MACHINES}{number}/") == expected
    assert site.olga.read(MACHINES)[-1] == expected
    answer = site.olga.ask("PUT", f"{MACHINES}{number}/", {"name": "CH1/029", "installed_date": None})
    expected |= {"name": "CH1/029", "machine_code": "CH1/029", "installed_date": None}
    assert (answer.status, answer.json()) == (200, expected)
    answer = site.olga.patch(f"{MACHINES}{number}/", {"outlet": site.other_outlet.pk})
    expected |= {"outlet": site.other_outlet.pk, "outlet_name": "Bedok"}
    assert (answer.status, answer.json()) == (200, expected)
    answer = site.olga.delete(f"{MACHINES}{number}/")
    assert (answer.status, answer.body) == (204, b"")
    assert refusal(site.olga.get(f"{MACHINES}{number}/")) == (404, "unknown_machine")
    assert [machine["name"] for machine in site.olga.read(MACHINES)] == ["CH1/027/2024", "BD1/001/2025"]


def test_one_with_a_device(site: Site) -> None:
    now = timezone.now()
    DeviceState.objects.filter(device=site.device).update(last_poll=now - HOUR, last_seen=now)
    press(site.device, now, treatment="PREMIUM", counter=4, current_counters=counters(1, 2, 4))
    with time_machine.travel(now, tick=False):
        machine = site.olga.read(f"{MACHINES}{site.machine.pk}/")
    assert machine == {
        "id": site.machine.pk,
        "outlet": site.outlet.pk,
        "name": "CH1/027/2024",
        "is_active": True,
        "installed_date": site.machine.installed_date and site.machine.installed_date.isoformat(),
        "machine_id": site.machine.pk,
        "machine_code": "CH1/027/2024",
        "outlet_name": "Chai Chee",
        "device_id": "esp32-001",
        "status": "idle",
        "last_heard": iso(now),
        "counts": counters(1, 2, 4),
    }
    assert site.machine.installed_date == timezone.now().date()


def test_a_machine_is_installed_on_the_day_that_people_have(site: Site, settings: Settings) -> None:
    settings.STATS_TIME_ZONE = "Pacific/Kiritimati"  # 14 hours ahead
    with time_machine.travel(NOON, tick=False):
        machine = register_machine(device=Device.objects.create(), outlet=site.outlet)
    assert machine.installed_date == date(2026, 3, 2)


@pytest.mark.parametrize(
    ("silence", "status"),
    [
        (16 * 60 * SECOND, "online"),
        (16 * 60 * SECOND + SECOND, "idle"),
        (HOUR, "idle"),
        (HOUR + SECOND, "offline"),
    ],
)
def test_the_status_is_that_of_the_moment(site: Site, silence: timedelta, status: str) -> None:
    DeviceState.objects.filter(device=site.device).update(last_seen=NOON)
    with time_machine.travel(NOON + silence, tick=False):
        assert site.olga.read(f"{MACHINES}{site.machine.pk}/")["status"] == status


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.both_doors
def test_both_doors_and_both_paths(door: Door, staff: str, slash: str) -> None:
    every = f"/api/machines{slash}"
    assert door.post(every, {"name": "m"}, staff).status == 201
    one = f"/api/machines/{Machine.objects.get().pk}{slash}"
    answer = door.send("GET", one, headers=bearer(staff))
    assert (answer.status, answer.json()["outlet"]) == (200, None)
    for path, methods in (
        (every, "GET, POST, HEAD"),
        (one, "GET, PUT, PATCH, DELETE, HEAD"),
        (f"/api/machines/register{slash}", "POST"),
        (f"/api/machines/unregistered{slash}", "GET, HEAD"),
        (f"{one.rstrip('/')}/logs{slash}", "GET, HEAD"),
    ):
        wrong = door.send("OPTIONS", path, b"", bearer(staff))
        assert (path, *refusal(wrong), wrong.headers["allow"]) == (path, 405, "method_not_allowed", methods)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 7}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "outlet": 99999}, "outlet"),
        ({"name": "x", "outlet": "Bedok"}, "outlet"),
        ({"name": "x", "outlet": True}, "outlet"),
        ({"name": "x", "outlet": 2**63 - 1}, "outlet"),
        ({"name": "x", "outlet": {"id": 1}}, "outlet"),
        ({"name": "x", "outlet": "1"}, "outlet"),
        ({"name": "x", "is_active": 1}, "is_active"),
        ({"name": "x", "installed_date": "03/02/2026"}, "installed_date"),
        ({"name": "x", "installed_date": 5}, "installed_date"),
        ({"name": "x", "installed_date": "2026-02-30"}, "installed_date"),
    ],
)
@pytest.mark.sqlite_only
def test_invalid_fields_are_named(site: Site, body: Any, field: str) -> None:
    for method, path in (("POST", MACHINES), ("PUT", f"{MACHINES}{site.machine.pk}/")):
        answer = site.olga.ask(method, path, body)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == [field]
    assert Machine.objects.count() == 2


def test_a_fraction_is_no_outlet(site: Site) -> None:
    answer = site.olga.ask("PATCH", f"{MACHINES}{site.machine.pk}/", {"outlet": site.other_outlet.pk + 0.5})
    assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["outlet"])
    site.machine.refresh_from_db()
    assert site.machine.outlet == site.outlet


def test_an_archived_outlet_takes_no_machine(site: Site) -> None:
    archive_outlet(outlet=site.other_outlet)
    for method, path in (("POST", MACHINES), ("PATCH", f"{MACHINES}{site.machine.pk}/")):
        answer = site.olga.ask(method, path, {"name": "x", "outlet": site.other_outlet.pk})
        assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["outlet"])


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["CH1/027/2024", "BD1/001/2025"]),
        ("outlet_id={outlet}", ["CH1/027/2024"]),
        ("outlet_id=999999", []),
        ("is_active=true", ["CH1/027/2024"]),
        ("is_active=false", ["BD1/001/2025"]),
        ("device_id=esp32-001", ["CH1/027/2024"]),
        ("device_id=formerly", ["BD1/001/2025"]),
        ("device_id=esp32-001&is_active=false", []),
        ("outlet_id=&is_active=&device_id=", ["BD1/001/2025"]),
    ],
)
def test_filters(site: Site, query: str, names: list[str]) -> None:
    change_device(device=site.other_device, fields={"device_id": "formerly"})
    change_device(device=site.other_device, fields={"device_id": "esp32-002"})
    site.olga.patch(f"{MACHINES}{site.other_machine.pk}/", {"is_active": False})
    found = site.olga.read(f"{MACHINES}?{query.format(outlet=site.outlet.pk)}")
    assert [machine["name"] for machine in found] == names


@pytest.mark.parametrize("query", ["outlet_id=x", "outlet_id=0", "outlet_id=-1", "outlet_id=1.5", "is_active=maybe"])
@pytest.mark.alike
def test_a_bad_filter_is_named(site: Site, query: str) -> None:
    answer = site.olga.get(f"{MACHINES}?{query}")
    assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), [query.partition("=")[0]])


def test_the_filter_of_an_unknown_device(site: Site) -> None:
    for name in ("esp32-009", "999999", "9" * 30, "%00"):
        assert refusal(site.olga.get(f"{MACHINES}?device_id={name}")) == (404, "unknown_device")


class TestWho:
    def test_others_read_what_holds_their_devices(self, site: Site) -> None:
        (seen,) = site.vera.read(MACHINES)
        assert seen["name"] == "CH1/027/2024"
        assert site.vera.read(f"{MACHINES}{site.machine.pk}/") == seen
        assert refusal(site.vera.get(f"{MACHINES}{site.other_machine.pk}/")) == (404, "unknown_machine")
        assert site.vera.read(f"{MACHINES}?outlet_id={site.other_outlet.pk}") == []
        assert refusal(site.vera.get(f"{MACHINES}?device_id=esp32-002")) == (404, "unknown_device")
        assert site.mallory.read(MACHINES) == []
        assert refusal(site.mallory.get(f"{MACHINES}{site.machine.pk}/")) == (404, "unknown_machine")
        unassign_device(machine=site.machine)
        assert site.vera.read(MACHINES) == []

    @pytest.mark.parametrize(("who", "expected"), [("vera", 403), ("mallory", 403), ("nobody", 401)])
    def test_only_staff_writes(self, site: Site, who: str, expected: int) -> None:
        person: Person = getattr(site, who)
        one = f"{MACHINES}{site.machine.pk}/"
        for method, path in (("POST", MACHINES), ("PUT", one), ("PATCH", one), ("DELETE", one), ("POST", REGISTER)):
            assert person.ask(method, path, {"name": "Mine", "outlet": None}).status == expected
        assert list(Machine.objects.values_list("name", "outlet", "archived_at").order_by("pk")) == [
            ("CH1/027/2024", site.outlet.pk, None),
            ("BD1/001/2025", site.other_outlet.pk, None),
        ]

    def test_signed_out(self, site: Site) -> None:
        for path in (MACHINES, f"{MACHINES}{site.machine.pk}/", UNREGISTERED):
            assert refusal(site.nobody.get(path)) == (401, "signed_out")


class TestRegister:
    def test_it_works(self, site: Site) -> None:
        device = Device.objects.create(mac="EC:E3:34:46:2B:C0")
        body = {"device_id": "ec-e3-34-46-2b-c0", "outlet_id": site.other_outlet.pk, "name": "Machine A"}
        with time_machine.travel(NOON, tick=False):
            answer = site.olga.post(REGISTER, body)
        machine = Machine.objects.get(name="Machine A")
        assert (answer.status, answer.json()) == (
            201,
            {
                "id": machine.pk,
                "outlet": site.other_outlet.pk,
                "name": "Machine A",
                "is_active": True,
                "installed_date": "2026-03-01",
                "machine_id": machine.pk,
                "machine_code": "Machine A",
                "outlet_name": "Bedok",
                "device_id": "EC:E3:34:46:2B:C0",
                "status": "offline",
                "last_heard": None,
                "counts": counters(0, 0, 0),
            },
        )
        device.refresh_from_db()
        assert (device.assigned, machine.device, machine.installed_date) == (True, device, date(2026, 3, 1))
        assert history(device=device) == [("Machine A", device.device_id, "Bedok", NOON, None, True)]

    def test_its_outlet_as_text(self, site: Site) -> None:
        """As the first front ends send it."""
        Device.objects.create(device_id="esp32-010")
        answer = site.olga.post(REGISTER, {"device_id": "esp32-010", "outlet_id": str(site.other_outlet.pk)})
        assert (answer.status, answer.json()["outlet"]) == (201, site.other_outlet.pk)

    def test_the_device_may_send_at_once(self, door: Door, staff: str, stranger: Esp32, outlet: Outlet) -> None:
        stranger.enrol()
        assert stranger.press().status == 401
        answer = door.post(REGISTER, {"device_id": stranger.mac, "outlet_id": outlet.pk}, staff)
        assert (answer.status, answer.json()["name"]) == (201, f"Machine {stranger.mac}")
        assert stranger.press().status == 200
        (stored,) = stranger.events()
        assert (stored.machine_id, stored.outlet_id) == (answer.json()["id"], outlet.pk)

    @pytest.mark.parametrize(
        ("change", "expected"),
        [
            ({"device_id": "esp32-009"}, (404, "unknown_device")),
            ({"device_id": "esp32-003"}, (404, "unknown_device")),  # archived
            ({"outlet_id": 99999}, (404, "unknown_outlet")),
            ({"device_id": "esp32-001"}, (409, "device_bound")),
            ({"device_id": 5}, (400, "invalid")),
            ({"device_id": None}, (400, "invalid")),
            ({"outlet_id": "99999"}, (404, "unknown_outlet")),
            ({"outlet_id": ""}, (400, "invalid")),
            ({"outlet_id": "x"}, (400, "invalid")),
            ({"outlet_id": "-1"}, (400, "invalid")),
            ({"outlet_id": "1.0"}, (400, "invalid")),
            ({"outlet_id": " 1"}, (400, "invalid")),
            ({"outlet_id": "0"}, (400, "invalid")),
            ({"outlet_id": "٣"}, (400, "invalid")),
            ({"outlet_id": "9" * 30}, (400, "invalid")),
            ({"outlet_id": True}, (400, "invalid")),
            ({"outlet_id": 1.0}, (400, "invalid")),
            ({"outlet_id": None}, (400, "invalid")),
            ({"outlet_id": 2**63}, (400, "integer_too_large")),
            ({"name": "x" * 201}, (400, "invalid")),
        ],
    )
    def test_what_is_refused(self, site: Site, change: dict[str, Any], expected: tuple[int, str]) -> None:
        archive_device(device=Device.objects.create(device_id="esp32-003"), now=timezone.now())
        Device.objects.create(device_id="esp32-004")
        body = {"device_id": "esp32-004", "outlet_id": site.outlet.pk, **change}
        assert refusal(site.olga.post(REGISTER, body)) == expected
        assert Machine.objects.count() == 2  # no machine without its device is left behind

    def test_an_archived_outlet(self, site: Site) -> None:
        archive_outlet(outlet=site.outlet)
        Device.objects.create(device_id="esp32-004")
        answer = site.olga.post(REGISTER, {"device_id": "esp32-004", "outlet_id": site.outlet.pk})
        assert refusal(answer) == (404, "unknown_outlet")


class TestUnregistered:
    def test_it_works(self, site: Site) -> None:
        spare = Device.objects.create(device_id="esp32-003", name="Spare", owner=site.vera.user)
        silent = Device.objects.create(device_id="esp32-004")
        archived = Device.objects.create(device_id="esp32-005")
        for device in (site.device, spare, archived):
            press(device, timezone.now(), counter=3)
        press(spare, timezone.now(), counter=4)
        archive_device(device=archived, now=timezone.now())
        assert not TelemetryEvent.objects.filter(device=silent).exists()
        expected = {
            "id": spare.pk,
            "device_id": "esp32-003",
            "mac": None,
            "name": "Spare",
            "location": "",
            "assigned": True,
            "firmware": "",
            "last_seen": None,
            "last_poll": None,
            "last_heard": None,
            "status": "offline",
            "online": False,
            "counts": counters(4, 0, 0),
            "bound_machine": None,
        }
        Device.objects.filter(pk=spare.pk).update(assigned=True)
        assert site.olga.read(UNREGISTERED) == [expected]
        assert site.vera.read(UNREGISTERED) == [expected]
        assert site.mallory.read(UNREGISTERED) == []

    def test_a_meter_that_has_sent_readings(self, site: Site) -> None:
        meter = Device.objects.create(name="meter", owner=site.vera.user)
        Device.objects.create(name="silent")
        now = timezone.now()
        DeviceTelemetry.objects.create(device=meter, occurred_at=now, received_at=now, payload={"kwh": 1})
        for who in (site.olga, site.vera):
            assert [device["id"] for device in who.read(UNREGISTERED)] == [meter.pk]

    def test_a_device_that_was_taken_from_its_machine(self, site: Site) -> None:
        press(site.device, timezone.now())
        assert site.olga.read(UNREGISTERED) == []
        unassign_device(machine=site.machine)
        assert [device["device_id"] for device in site.olga.read(UNREGISTERED)] == ["esp32-001"]


def test_an_archived_machine_keeps_its_events(site: Site) -> None:
    stored = press(site.device, timezone.now())
    assert site.olga.delete(f"{MACHINES}{site.machine.pk}/").status == 204
    stored.refresh_from_db()
    assert stored.machine_id == site.machine.pk
    assert [event["id"] for event in site.olga.read(f"/api/events/?machine_id={site.machine.pk}")] == [stored.pk]
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = site.olga.ask(method, f"{MACHINES}{site.machine.pk}/", {"name": "x"})
        assert refusal(answer) == (404, "unknown_machine")
    assert refusal(site.olga.get(f"{MACHINES}{site.machine.pk}/logs/")) == (404, "unknown_machine")


def test_any_number_of_machines_is_as_many_queries(site: Site, django_assert_num_queries: Any) -> None:
    for who in (site.olga, site.vera):
        with django_assert_num_queries(3):  # the account, its groups, the list
            who.read(MACHINES)
    for number in range(30):
        device = Device.objects.create(owner=site.vera.user)
        DeviceStatus.objects.create(device=device)
        Machine.objects.create(name=f"m {number}", outlet=site.outlet, device=device)
        if number % 2:
            press(device, timezone.now())
    for who, seen in ((site.olga, 32), (site.vera, 31)):
        with django_assert_num_queries(3):
            assert len(who.read(MACHINES)) == seen
    Machine.objects.filter(name__startswith="m ").update(device=None)
    with django_assert_num_queries(3):
        assert len(site.olga.read(UNREGISTERED)) == 15
