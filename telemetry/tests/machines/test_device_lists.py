"""The four device lists: what they show, to whom, and that a 304 never outlives what it stands for."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import Device, DeviceState
from device_gateway.registry.services import archive_device
from device_gateway.tests.conftest import refusal
from telemetry.machines.bindings import change_machine, unassign_device
from telemetry.models import DeviceStatus, Machine, Outlet
from telemetry.tests.cast import HOUR, NOON, SECOND, Person, Site, bearer, counters, press
from tests.support.doors import Door

ONLINE, ALL, DEVICES, DATA = PATHS = (
    "/api/devices/online/",
    "/api/devices/all/",
    "/api/devices/",
    "/api/devices-data/",
)
MINUTE = timedelta(minutes=1)


def rows(reply: Any) -> list[dict[str, Any]]:
    """The devices of any of the lists."""
    found: list[dict[str, Any]] = reply["devices"] if isinstance(reply, dict) else reply
    return found


def names(reply: Any) -> list[str]:
    return [row["device_id"] for row in rows(reply)]


def heard(device: Device, *, poll: datetime | None = None, seen: datetime | None = None) -> None:
    DeviceState.objects.filter(device=device).update(last_poll=poll, last_seen=seen)


@pytest.fixture
def noon(site: Site) -> Any:
    heard(site.device, poll=NOON - MINUTE, seen=NOON - HOUR)
    with time_machine.travel(NOON, tick=False) as clock:
        yield clock


def test_it_works(site: Site, noon: Any) -> None:
    Device.objects.filter(pk=site.device.pk).update(mac="EC:E3:34:46:2B:C0", firmware="1.0.0")
    DeviceStatus.objects.filter(device=site.device).update(
        current_count_basic=3, current_count_standard=2, current_count_premium=1
    )
    left = {
        "id": site.device.pk,
        "device_id": "esp32-001",
        "mac": "EC:E3:34:46:2B:C0",
        "name": "Left",
        "location": "Bay 1",
        "assigned": True,
        "firmware": "1.0.0",
        "last_seen": "2026-03-01T11:00:00Z",
        "last_poll": "2026-03-01T11:59:00Z",
        "last_heard": "2026-03-01T11:59:00Z",
        "status": "online",
        "online": True,
        "counts": counters(3, 2, 1),
        "bound_machine": {
            "id": site.machine.pk,
            "name": "CH1/027/2024",
            "outlet_id": site.outlet.pk,
            "outlet_name": "Chai Chee",
        },
    }
    right = {
        "id": site.other_device.pk,
        "device_id": "esp32-002",
        "mac": None,
        "name": "Right",
        "location": "",
        "assigned": True,
        "firmware": "",
        "last_seen": None,
        "last_poll": None,
        "last_heard": None,
        "status": "offline",
        "online": False,
        "counts": counters(0, 0, 0),
        "bound_machine": {
            "id": site.other_machine.pk,
            "name": "BD1/001/2025",
            "outlet_id": site.other_outlet.pk,
            "outlet_name": "Bedok",
        },
    }
    assert site.olga.read(ONLINE) == [left]
    assert site.olga.read(ALL) == [left, right]
    assert site.olga.read(DEVICES) == site.olga.read(DATA) == {"devices": [left, right]}


def test_a_device_without_machine_or_outlet(site: Site) -> None:
    unassign_device(machine=site.machine)
    change_machine(machine=site.other_machine, fields={"outlet": None})
    Device.objects.create(device_id="meter")
    assert {row["device_id"]: row["bound_machine"] for row in site.olga.read(ALL)} == {
        "esp32-001": None,
        "esp32-002": {
            "id": site.other_machine.pk,
            "name": "BD1/001/2025",
            "outlet_id": None,
            "outlet_name": None,
        },
        "meter": None,
    }


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.both_doors
def test_both_doors_and_both_paths(door: Door, staff: str, path: str, slash: str) -> None:
    path = path.rstrip("/") + slash
    answer = door.send("GET", path, headers=bearer(staff))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert rows(answer.json()) == []
    assert door.send("HEAD", path, headers=bearer(staff)).status == 200
    wrong = door.send("PUT", path, b"{}", bearer(staff))
    allowed = "GET, POST, HEAD" if path.rstrip("/") == "/api/devices" else "GET, HEAD"
    assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), allowed)


def test_the_registry_takes_devices_at_the_same_path(site: Site) -> None:
    answer = site.olga.post(DEVICES, {"device_id": "press-7"})
    assert (answer.status, answer.json()["device_id"]) == (201, "press-7")
    assert "press-7" in names(site.olga.read(DEVICES))
    assert site.vera.post(DEVICES, {}).status == 403
    assert site.nobody.post(DEVICES, {}).status == 401


@pytest.mark.alike
@pytest.mark.parametrize(
    ("silence", "status"),
    [
        (16 * MINUTE - SECOND, "online"),
        (16 * MINUTE, "online"),
        (16 * MINUTE + SECOND, "idle"),
        (HOUR - SECOND, "idle"),
        (HOUR, "idle"),
        (HOUR + SECOND, "offline"),
    ],
)
class TestStatus:
    def test_from_the_last_poll(self, site: Site, silence: timedelta, status: str) -> None:
        heard(site.device, poll=NOON, seen=NOON + 2 * HOUR)
        self.check(site, silence, status)

    def test_else_from_when_it_was_seen(self, site: Site, silence: timedelta, status: str) -> None:
        heard(site.device, seen=NOON)
        self.check(site, silence, status)

    def check(self, site: Site, silence: timedelta, status: str) -> None:
        with time_machine.travel(NOON + silence, tick=False):
            for path in (ALL, DEVICES, DATA):
                row = rows(site.olga.read(path))[0]
                assert (row["status"], row["online"]) == (status, status == "online")
            assert names(site.olga.read(ONLINE)) == (["esp32-001"] if status == "online" else [])


def test_the_thresholds_are_settings(site: Site, noon: Any, settings: Settings) -> None:
    settings.STATUS_ONLINE_SECONDS = 59
    assert site.olga.read(ALL)[0]["status"] == "idle"
    settings.STATUS_IDLE_SECONDS = 59
    assert site.olga.read(ALL)[0]["status"] == "offline"


class TestNotModified:
    @pytest.mark.parametrize("path", PATHS)
    def test_it_works(self, site: Site, noon: Any, path: str) -> None:
        first = site.olga.get(path)
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "private, no-cache"
        for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = site.olga.get(path, If_None_Match=header)
            assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
        assert site.olga.get(path, If_None_Match='"other"').status == 200

    @pytest.mark.alike
    @pytest.mark.parametrize("path", PATHS)
    def test_never_past_a_threshold(self, site: Site, noon: Any, path: str) -> None:
        tag = site.olga.get(path).headers["etag"]
        noon.move_to(NOON + 15 * MINUTE)
        assert site.olga.get(path, If_None_Match=tag).status == 304
        noon.move_to(NOON + 15 * MINUTE + SECOND)
        idle = site.olga.get(path, If_None_Match=tag)
        assert idle.status == 200
        assert names(idle.json()) == ([] if path == ONLINE else ["esp32-001", "esp32-002"])
        noon.move_to(NOON + 59 * MINUTE + SECOND)
        offline = site.olga.get(path, If_None_Match=idle.headers["etag"])
        assert offline.status == (304 if path == ONLINE else 200)

    @pytest.mark.alike
    def test_any_change_is_one(self, site: Site, noon: Any) -> None:
        def tag() -> str:
            return site.olga.get(DATA).headers["etag"]

        tags = [tag()]
        for act in (
            lambda: press(site.device, NOON),
            lambda: heard(site.device, poll=NOON),
            lambda: change_machine(machine=site.machine, fields={"name": "New"}),
            lambda: Outlet.objects.filter(pk=site.outlet.pk).update(name="Simei"),
            lambda: unassign_device(machine=site.machine),
            lambda: archive_device(device=site.other_device, now=NOON),
        ):
            act()
            tags.append(tag())
        assert len(set(tags)) == len(tags)

    def test_of_each_page_its_own(self, site: Site, noon: Any) -> None:
        tags = {site.olga.get(f"{ALL}?limit=1&offset={offset}").headers["etag"] for offset in range(3)}
        assert len(tags) == 3


class TestPages:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("limit=2", ["esp32-001", "esp32-002"]),
            ("limit=2&offset=1", ["esp32-002", "esp32-003"]),
            ("offset=2", ["esp32-003"]),
            ("offset=3", []),
            ("limit=999999999", ["esp32-001", "esp32-002", "esp32-003"]),
            ("limit=&offset=", ["esp32-001", "esp32-002", "esp32-003"]),
        ],
    )
    def test_it_works(self, site: Site, query: str, expected: list[str]) -> None:
        now = timezone.now()
        for device in (site.device, site.other_device, Device.objects.create(device_id="esp32-003")):
            heard(device, poll=now)
        for path in PATHS:
            assert names(site.olga.read(f"{path}?{query}")) == expected

    @pytest.mark.parametrize(
        "query", ["limit=0", "limit=-1", "limit=x", "offset=-1", "offset=1.5", "offset=9999999999"]
    )
    @pytest.mark.sqlite_only
    def test_a_bad_one_is_named(self, site: Site, query: str) -> None:
        for path in PATHS:
            answer = site.olga.get(f"{path}?{query}")
            assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), [query.partition("=")[0]])


@pytest.mark.alike
@pytest.mark.parametrize("path", PATHS)
def test_who(site: Site, noon: Any, path: str) -> None:
    heard(site.other_device, poll=NOON)
    assert names(site.olga.read(path)) == ["esp32-001", "esp32-002"]
    assert names(site.vera.read(path)) == ["esp32-001"]
    assert names(site.mallory.read(path)) == []
    assert refusal(site.nobody.get(path)) == (401, "signed_out")
    archive_device(device=site.device, now=NOON)
    assert names(site.olga.read(path)) == ["esp32-002"]
    assert names(site.vera.read(path)) == []


def test_any_number_of_devices_is_as_many_queries(site: Site, django_assert_num_queries: Any) -> None:
    def budget(who: Person, seen: int) -> None:
        for path in (ALL, DEVICES, DATA, ONLINE):
            with django_assert_num_queries(3):  # the account, its groups, the list
                found = names(who.read(path))
            assert path == ONLINE or len(found) == seen

    budget(site.olga, 2)
    budget(site.vera, 1)
    for number in range(30):
        device = Device.objects.create(owner=site.vera.user)
        Machine.objects.create(name=f"m {number}", outlet=site.outlet, device=device)
        heard(device, poll=timezone.now())
    budget(site.olga, 32)
    budget(site.vera, 31)
