"""GET /api/stats/, /api/stats/options/, /api/stats/export.csv: exact replies, parameters, whose they are."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from pytest_django import Settings

from device_gateway.registry.services import archive_device
from device_gateway.tests.conftest import refusal
from telemetry.machines.bindings import (
    archive_machine,
    archive_outlet,
    assign_device,
    unassign_device,
)
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Person, Site, bearer, press
from tests.support.doors import Door

STATS = "/api/stats/"
PATHS = [STATS, "/api/test/stats/"]
CSV_PATHS = ["/api/stats/export.csv", "/api/test/stats-export.csv"]
OPTIONS = ["/api/stats/options/", "/api/test/stats-options/"]
WEEK = ["2026-02-23", "2026-02-24", "2026-02-25", "2026-02-26", "2026-02-27", "2026-02-28", "2026-03-01"]
ZEROS = [0] * 7


@pytest.fixture
def now(site: Site) -> Any:
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def some(site: Site, now: datetime) -> None:
    """Of esp32-001 three in the seven days and two in those before; of esp32-002 one."""
    for days, treatment in ((10, "BASIC"), (8, "PREMIUM"), (2, "BASIC"), (1, "STANDARD"), (0, "BASIC")):
        press(site.device, NOON - days * DAY, treatment=treatment)
    press(site.other_device, NOON - 2 * DAY, treatment="PREMIUM")


def total(person: Person, query: str = "") -> int:
    number = person.read(STATS + query)["kpi"]["total"]
    assert isinstance(number, int)
    return number


@pytest.mark.parametrize("path", PATHS)
def test_it_works(site: Site, some: None, path: str) -> None:
    expected = {
        "labels": WEEK,
        "series": {
            "basic": [0, 0, 0, 0, 1, 0, 1],
            "standard": [0, 0, 0, 0, 0, 1, 0],
            "premium": [0, 0, 0, 0, 1, 0, 0],
            "total": [0, 0, 0, 0, 2, 1, 1],
        },
        "prev_series": None,
        "kpi": {"total": 4, "avg": 0.57, "min": 0, "max": 2, "prev_total": 2, "delta_pct": 100.0},
    }
    assert site.olga.read(path) == expected
    expected["prev_series"] = {
        "basic": [0, 0, 0, 1, 0, 0, 0],
        "standard": ZEROS,
        "premium": [0, 0, 0, 0, 0, 1, 0],
        "total": [0, 0, 0, 1, 0, 1, 0],
    }
    assert site.olga.read(f"{path}?compare=true") == expected


@pytest.mark.parametrize("path", PATHS)
def test_until_now(site: Site, some: None, path: str) -> None:
    """NOON is now: seven days ago one came an hour before, one a second after."""
    for ago in (7 * DAY + HOUR, 7 * DAY - SECOND):
        press(site.device, NOON - ago)
    press(site.device, NOON + SECOND)  # by a clock that is fast
    plain = site.olga.read(f"{path}?compare=true")
    assert (plain["series"]["basic"][-1], plain["prev_series"]["basic"][-1]) == (2, 2)
    assert site.olga.read(f"{path}?compare=true&until_now=true") == {
        "labels": WEEK,
        "series": {
            "basic": [0, 0, 0, 0, 1, 0, 1],
            "standard": [0, 0, 0, 0, 0, 1, 0],
            "premium": [0, 0, 0, 0, 1, 0, 0],
            "total": [0, 0, 0, 0, 2, 1, 1],
        },
        "prev_series": {
            "basic": [0, 0, 0, 1, 0, 0, 1],
            "standard": ZEROS,
            "premium": [0, 0, 0, 0, 0, 1, 0],
            "total": [0, 0, 0, 1, 0, 1, 1],
        },
        "kpi": {"total": 4, "avg": 0.57, "min": 0, "max": 2, "prev_total": 3, "delta_pct": 33.33},
    }


@pytest.mark.alike
@pytest.mark.parametrize(
    ("query", "before"),
    [
        ("days=1", [3]),
        ("start=2026-03-01&end=2026-03-01", [3]),
        ("days=1&tz=Asia/Kathmandu", [3]),
        ("days=1&granularity=hour", [1, 2, *[0] * 10, 1]),  # as many hours just before: from 11 to 23
        ("days=1&granularity=month", [0]),  # until 1 February 12:00
        ("days=2&end=2026-03-02", [0, 0]),  # until 27 February 12:00, for the last one has not begun
        ("start=2026-02-28T23:00:00Z&end=2026-02-28T23:30:00Z&granularity=hour", [0]),  # all is over
    ],
)
def test_until_now_of_other_buckets(site: Site, now: datetime, query: str, before: list[int]) -> None:
    for at in ("09:00", "11:29", "12:00", "12:00:01", "23:00"):
        press(site.device, datetime.fromisoformat(f"2026-02-28T{at}Z"))
    assert site.olga.read(f"{STATS}?{query}&compare=true&until_now=true")["prev_series"]["total"] == before


def test_nothing(site: Site, now: datetime) -> None:
    assert site.olga.read(f"{STATS}?compare=1") == {
        "labels": WEEK,
        "series": dict.fromkeys(("basic", "standard", "premium", "total"), ZEROS),
        "prev_series": dict.fromkeys(("basic", "standard", "premium", "total"), ZEROS),
        "kpi": {"total": 0, "avg": 0.0, "min": 0, "max": 0, "prev_total": 0, "delta_pct": None},
    }


def test_added_up_and_averaged(site: Site, some: None) -> None:
    plain = site.olga.read(STATS)
    added = site.olga.read(f"{STATS}?cumulative=true&compare=true")
    assert added["series"]["total"] == [0, 0, 0, 0, 2, 3, 4]
    assert added["prev_series"]["total"] == [0, 0, 0, 1, 1, 2, 2]
    averaged = site.olga.read(f"{STATS}?ma=3&compare=true")
    assert averaged["series"]["total"] == [0, 0, 0, 0, 0.67, 1, 1.33]
    assert averaged["prev_series"]["total"] == [0, 0, 0, 0.33, 0.33, 0.67, 0.33]
    assert averaged["series"]["basic"] == [0, 0, 0, 0, 0.33, 0.33, 0.67]
    both = site.olga.read(f"{STATS}?ma=2&cumulative=true")
    assert both["series"]["total"] == [0, 0, 0, 0, 1, 2.5, 3.5]
    assert site.olga.read(f"{STATS}?ma=50000")["series"]["total"] == [0, 0, 0, 0, 0.4, 0.5, 0.57]
    assert site.olga.read(f"{STATS}?ma=1")["series"] == plain["series"]
    assert [found["kpi"] for found in (added, averaged, both)] == [plain["kpi"]] * 3


@pytest.mark.parametrize(
    ("query", "labels"),
    [
        ("granularity=hour&days=1", [f"2026-03-01 {hour:02}:00" for hour in range(13)]),
        ("granularity=minute&start=2026-03-01T11:58:30", ["2026-03-01 11:58", "2026-03-01 11:59", "2026-03-01 12:00"]),
        ("granularity=month&days=60", ["2026-01", "2026-02", "2026-03"]),
        ("granularity=month&start=2025-11-30T23:59:59&end=2026-01-01", ["2025-11", "2025-12", "2026-01"]),
        ("days=1", ["2026-03-01"]),
        ("start=2026-02-27", WEEK[-3:]),
        ("start=2026-02-27&end=2026-02-28T23:59:59&days=5", WEEK[-3:-1]),
        ("end=2026-02-24T05:00:00Z&days=2", WEEK[:2]),
        ("start=2026-02-28T23:30:00-01:00", WEEK[-1:]),
        ("start=2026-02-28 23:30:00 01:00", WEEK[-2:]),  # a + that was not escaped
        ("start=2026-03-04&end=2026-03-05", ["2026-03-04", "2026-03-05"]),
        ("tz=Asia/Singapore&days=1&granularity=day", ["2026-03-01"]),
        ("tz=Pacific/Auckland&days=2", ["2026-03-01", "2026-03-02"]),
        # Without an offset they are times of the zone.
        ("tz=America/New_York&start=2026-02-28&end=2026-03-01", ["2026-02-28", "2026-03-01"]),
        ("tz=America/New_York&start=2026-02-28T00:00Z&end=2026-02-28T23:00Z", ["2026-02-27", "2026-02-28"]),
        (
            "tz=America/New_York&granularity=hour&start=2026-03-08T01:00&end=2026-03-08T03:00",
            ["2026-03-08 01:00", "2026-03-08 03:00"],
        ),
        (
            "tz=America/New_York&granularity=hour&start=2025-11-02T00:59&end=2025-11-02T02:00",
            ["2025-11-02 00:00", "2025-11-02 01:00", "2025-11-02 02:00"],
        ),
        (
            "tz=Africa/Cairo&granularity=hour&start=2025-04-24T23:00&end=2025-04-25T01:00",
            ["2025-04-24 23:00", "2025-04-25 01:00"],
        ),
        ("tz=Africa/Cairo&start=2025-04-24&end=2025-04-25", ["2025-04-24", "2025-04-25"]),
        ("granularity=&days=&start=&end=&tz=&ma=&outlet_id=&machine_id=&device_id=", WEEK),
    ],
)
@pytest.mark.alike
def test_labels(site: Site, now: datetime, query: str, labels: list[str]) -> None:
    found = site.olga.read(f"{STATS}?{quote(query, safe='=&')}")
    assert found["labels"] == labels
    assert found["series"]["total"] == [0] * len(labels)


def test_midnight_of_the_servers_zone(site: Site, now: datetime, settings: Settings) -> None:
    settings.STATS_TIME_ZONE = "Asia/Singapore"
    for moment in (NOON - 20 * HOUR - SECOND, NOON - 20 * HOUR, NOON - SECOND):
        press(site.device, moment)
    assert site.olga.read(f"{STATS}?days=2")["series"]["total"] == [1, 2]
    assert site.olga.read(f"{STATS}?days=2&tz=UTC")["series"]["total"] == [2, 1]
    assert site.olga.read(f"{STATS}?days=2&tz=Asia/Kathmandu")["series"]["total"] == [2, 1]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("granularity=week", {"granularity"}),
        ("days=0", {"days"}),
        ("days=-1", {"days"}),
        ("days=1.5", {"days"}),
        ("days=36501", {"days"}),
        ("days=99999999999999999999999", {"days"}),
        ("days=%D9%A7", {"days"}),
        ("granularity=minute&days=36", {"days"}),
        ("granularity=hour&start=2019-01-01", {"start"}),
        ("ma=-1", {"ma"}),
        ("ma=50001", {"ma"}),
        ("ma=18446744073709551616", {"ma"}),
        ("cumulative=maybe", {"cumulative"}),
        ("compare=%00", {"compare"}),
        ("until_now=12:00", {"until_now"}),
        ("start=soon", {"start"}),
        ("start=2026-02-30", {"start"}),
        ("start=0001-01-01", {"start"}),
        ("start=0001-01-01&tz=Asia/Tokyo", {"start"}),
        ("end=9999-12-31T23:59:59", {"end"}),
        ("end=9999-12-31T23:59:59&tz=America/New_York", {"end"}),
        ("start=1899-12-31", {"start"}),
        ("end=2200-01-01", {"end"}),
        ("start=2026-02-02&end=2026-02-01", {"end"}),
        ("start=2026-03-02", {"start"}),
        ("tz=Nowhere/Atall", {"tz"}),
        ("tz=../../etc/passwd", {"tz"}),
        ("tz=/etc/localtime", {"tz"}),
        ("tz=America", {"tz"}),
        ("tz=UTC%00", {"tz"}),
        ("tz=" + "x" * 5000, {"tz"}),
        ("outlet_id=0", {"outlet_id"}),
        ("outlet_id=9223372036854775808", {"outlet_id"}),
        ("machine_id=CH1", {"machine_id"}),
        ("machine_id=99999999999999999999", {"machine_id"}),
        ("days=x&ma=x&tz=x&start=x&end=x&granularity=x&outlet_id=x", "days ma tz start end granularity outlet_id"),
    ],
)
@pytest.mark.sqlite_only
def test_bad_parameters(site: Site, now: datetime, query: str, names: Any) -> None:
    for path in (STATS, CSV_PATHS[0]):
        answer = site.olga.get(f"{path}?{query}")
        assert refusal(answer) == (400, "invalid")
        assert set(answer.json()["errors"]) == (set(names.split()) if isinstance(names, str) else names)


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("start=1900-01-01&granularity=month", 1515),
        ("start=1900-01-01&end=2036-11-22", 50_000),
        ("days=36500", 36_500),
        ("granularity=minute&days=35", 34 * 1440 + 721),
        ("start=2199-12-30&end=2199-12-31&granularity=hour&tz=America/New_York", 48),
        ("start=2026-03-01&tz=Etc/GMT%2B12", 1),
    ],
)
def test_the_widest_windows(site: Site, some: None, query: str, number: int) -> None:
    found = site.olga.read(f"{STATS}?{query}&compare=true")
    assert len(found["labels"]) == len(set(found["labels"])) == number
    assert found["labels"] == sorted(found["labels"])
    assert len(found["prev_series"]["total"]) == number


class TestFilters:
    def test_each(self, site: Site, some: None) -> None:
        other = site.other_device.pk
        assert total(site.olga) == 4
        for query in ("device_id=esp32-002", f"device_id={other}", f"machine_id={site.other_machine.pk}"):
            assert total(site.olga, f"?{query}") == 1
        assert total(site.olga, f"?outlet_id={site.outlet.pk}") == 3
        assert total(site.olga, f"?outlet_id={site.outlet.pk}&device_id={other}") == 0

    @pytest.mark.alike
    @pytest.mark.parametrize("path", [*PATHS, *CSV_PATHS])
    def test_unknown(self, site: Site, now: datetime, path: str) -> None:
        for name, code in (("outlet_id", "outlet"), ("machine_id", "machine"), ("device_id", "device")):
            for number in ("999999", "999999999999999999"):
                assert refusal(site.olga.get(f"{path}?{name}={number}")) == (404, f"unknown_{code}")
        for name in ("esp32-999", "a%00b", "99999999999999999999"):
            assert refusal(site.olga.get(f"{path}?device_id={name}")) == (404, "unknown_device")

    @pytest.mark.parametrize("granularity", ["minute", "hour", "day"])
    def test_a_press_belongs_to_who_held_the_device_then(self, site: Site, now: datetime, granularity: str) -> None:
        unassign_device(machine=site.machine)
        MachineDevice.objects.filter(machine=site.machine).update(deactivated_date=NOON - 2 * HOUR)
        assign_device(machine=site.other_machine, device=site.device, move=True)
        MachineDevice.objects.filter(machine=site.other_machine, device=site.device).update(
            assigned_date=NOON - 1 * HOUR
        )
        for hours in (3, 2.5, 2, 1.5, 1, 0.5):
            press(site.device, NOON - hours * HOUR)
        tail = f"&days=1&granularity={granularity}"
        assert total(site.olga, f"?machine_id={site.machine.pk}{tail}") == 2
        assert total(site.olga, f"?outlet_id={site.other_outlet.pk}{tail}") == 2
        assert total(site.olga, f"?device_id=esp32-001{tail}") == 6

    def test_what_is_archived_keeps_its_past(self, site: Site, some: None) -> None:
        archive_machine(machine=site.machine)
        archive_outlet(outlet=site.outlet)
        archive_device(device=site.device, now=NOON)
        for person in (site.olga, site.vera):
            for query in (f"outlet_id={site.outlet.pk}", f"machine_id={site.machine.pk}", "device_id=esp32-001"):
                assert total(person, f"?{query}") == 3


@pytest.mark.alike
class TestWho:
    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.both_doors
    def test_both_doors_and_every_path(self, door: Door, staff: str, slash: str) -> None:
        for path in (*PATHS, *CSV_PATHS, *OPTIONS):
            address = path.rstrip("/") + slash
            assert door.send("GET", address, headers=bearer(staff)).status == 200
            assert refusal(door.send("GET", address)) == (401, "signed_out")
            wrong = door.send("POST", address, b"{}", bearer(staff))
            assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD")

    def test_ones_own_devices(self, site: Site, some: None) -> None:
        assert total(site.vera) == 3
        assert site.vera.read(f"{STATS}?granularity=minute&days=1")["kpi"]["total"] == 1
        assert total(site.mallory) == 0
        theirs = [f"outlet_id={site.other_outlet.pk}", f"machine_id={site.other_machine.pk}", "device_id=esp32-002"]
        for query in theirs:
            for path in (STATS, CSV_PATHS[0]):
                assert site.vera.get(f"{path}?{query}").status == 404
        for query in (f"outlet_id={site.outlet.pk}", f"machine_id={site.machine.pk}", "device_id=esp32-001"):
            assert total(site.vera, f"?{query}") == 3
            assert site.mallory.get(f"{STATS}?{query}").status == 404

    def test_of_a_machine_that_others_devices_were_in_only_ones_own(self, site: Site, some: None) -> None:
        unassign_device(machine=site.machine)
        assign_device(machine=site.machine, device=site.other_device, move=True)
        MachineDevice.objects.filter(machine=site.machine, device=site.other_device).update(assigned_date=NOON - HOUR)
        MachineDevice.objects.filter(machine=site.other_machine).update(deactivated_date=NOON - HOUR)
        press(site.other_device, NOON - HOUR / 2)
        assert total(site.vera, f"?machine_id={site.machine.pk}") == 3
        assert total(site.olga, f"?machine_id={site.machine.pk}") == 4


class TestCsv:
    @pytest.mark.parametrize("path", CSV_PATHS)
    def test_it_works(self, site: Site, some: None, path: str) -> None:
        answer = site.olga.get(f"{path}?days=3")
        assert (answer.status, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert answer.headers["content-disposition"] == 'attachment; filename="statistics.csv"'
        assert answer.body == (
            b"label,basic,standard,premium,total\r\n2026-02-27,1,0,1,2\r\n2026-02-28,0,1,0,1\r\n2026-03-01,1,0,0,1\r\n"
        )

    def test_a_byte_order_mark_where_it_is_asked_for(self, site: Site, some: None) -> None:
        plain = site.olga.get(f"{CSV_PATHS[0]}?days=3").body
        assert site.olga.get(f"{CSV_PATHS[0]}?days=3&bom=true").body == b"\xef\xbb\xbf" + plain
        refused = site.olga.get(f"{CSV_PATHS[0]}?days=x&bom=maybe")
        assert (refusal(refused), set(refused.json()["errors"])) == ((400, "invalid"), {"days", "bom"})

    @pytest.mark.alike
    def test_as_the_filters_say(self, site: Site, some: None) -> None:
        query = "days=2&granularity=month&cumulative=true&ma=2&device_id=esp32-001&tz=Asia/Kathmandu"
        assert site.olga.get(f"{CSV_PATHS[0]}?{query}").body == (
            b"label,basic,standard,premium,total\r\n2026-02,2.0,1.0,1.0,4.0\r\n2026-03,2.5,1.0,1.0,4.5\r\n"
        )
