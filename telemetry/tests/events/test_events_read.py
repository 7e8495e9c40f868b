"""GET /api/events/, /api/events/<id>/: what arrived, filtered, page by page; and whose it is."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.utils import timezone

from device_gateway.models import Device
from device_gateway.registry.services import archive_device
from device_gateway.tests.conftest import refusal
from ozone.wire.times import iso
from telemetry.events.storing import store_once
from telemetry.models import MachineDevice
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, bearer, counters, event, press, tell_five
from tests.support.doors import DjangoDoor, Door

EVENTS = "/api/events/"


@pytest.fixture
def now(site: Site) -> Any:
    MachineDevice.objects.update(assigned_date=NOON - 100 * DAY)
    with time_machine.travel(NOON, tick=False):
        yield NOON


def ids(rows: Any) -> list[str]:
    return [row["event_id"] for row in rows]


def test_it_works(site: Site, now: datetime) -> None:
    stored = press(
        site.device,
        NOON - HOUR,
        received_at=NOON,
        event_id="a",
        treatment="STANDARD",
        counter=4,
        current_counters=counters(1, 4, 2),
        wifi_status="home",
        ts="2026-03-01 11:00:00",
        extra=[1, {"a": None}],
    )
    expected = {
        "id": stored.pk,
        "device_id": "esp32-001",
        "event_id": "a",
        "event": "treatment",
        "event_type": "STANDARD",
        "treatment": "STANDARD",
        "counter": 4,
        "count_basic": 1,
        "count_standard": 4,
        "count_premium": 2,
        "occurred_at": "2026-03-01T11:00:00Z",
        "received_at": "2026-03-01T12:00:00Z",
        "device_timestamp": "2026-03-01 11:00:00",
        "clock_suspect": False,
        "wifi_status": "home",
        "source": "device",
    }
    (row,) = site.olga.read(EVENTS)
    payload = row.pop("payload")
    assert row == expected
    assert payload["extra"] == [1, {"a": None}]
    assert site.olga.read(f"{EVENTS}{stored.pk}/") == {**expected, "payload": payload}


def test_the_last_to_arrive_is_the_first(site: Site, now: datetime) -> None:
    press(site.device, NOON - HOUR, event_id="first")
    press(site.device, NOON - 2 * HOUR, received_at=NOON - SECOND, event_id="late")
    press(site.other_device, NOON - HOUR + SECOND, event_id="second")
    assert ids(site.olga.read(EVENTS)) == ["late", "second", "first"]


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.both_doors
def test_both_doors_and_both_paths(door: Door, staff: str, slash: str) -> None:
    answer = door.send("GET", f"/api/events{slash}", headers=bearer(staff))
    assert (answer.status, answer.json(), "link" in answer.headers) == (200, [], False)
    for path in ("/api/events/analytics", "/api/events/5"):
        wrong = door.send("POST", f"{path}{slash}", b"{}", bearer(staff))
        assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD")


class TestFilters:
    @pytest.fixture
    def some(self, site: Site, now: datetime) -> None:
        tell_five(site, oldest=NOON - 8 * DAY)

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("", ["status", "other", "late", "recent"]),
            ("days=", ["status", "other", "late", "recent"]),
            ("days=7", ["status", "other", "late", "recent"]),
            ("days=1", ["status", "other", "late", "recent"]),
            ("days=9", ["status", "other", "late", "recent", "old"]),
            ("days=36500", ["status", "other", "late", "recent", "old"]),
            ("exclude_status=false", ["status", "other", "late", "recent"]),
            ("exclude_status=0", ["status", "other", "late", "recent"]),
            ("exclude_status=", ["status", "other", "late", "recent"]),
            ("exclude_status=true", ["other", "late", "recent"]),
            ("exclude_status=1", ["other", "late", "recent"]),
            ("treatment=STANDARD", ["late"]),
            ("treatment=PREMIUM", []),
            ("treatment=PREMIUM&days=30", ["old"]),
            ("device_id=esp32-001", ["late", "recent"]),
            ("device_id={device}", ["late", "recent"]),
            ("machine_id={machine}", ["late", "recent"]),
            ("outlet_id={outlet}", ["late", "recent"]),
            ("machine_id=999999", []),
            ("outlet_id=999999", []),
            # By occurrence, and the seven days do not count.
            ("start=2026-02-21T12:00:00Z", ["status", "other", "late", "recent", "old"]),
            ("start=2026-02-21T12:00:01Z", ["status", "other", "late", "recent"]),
            ("start=2026-02-21T13:00:00%2B01:00", ["status", "other", "late", "recent", "old"]),
            ("start=2026-02-21T13:00:00+01:00", ["status", "other", "late", "recent", "old"]),
            ("end=2026-02-21T13:00:00Z", ["late", "old"]),
            ("end=2026-02-21T12:59:59Z", ["old"]),
            ("start=2026-02-21&end=2026-02-22", ["late", "old"]),
            ("start=2026-02-21&end=2026-02-22&days=7", ["late"]),
            ("start=2026-02-28T12:00:00Z&end=2026-02-28T12:00:00Z", ["other", "recent"]),
        ],
    )
    def test_which(self, site: Site, some: None, query: str, expected: list[str]) -> None:
        places = {"device": site.device.pk, "machine": site.machine.pk, "outlet": site.outlet.pk}
        assert ids(site.olga.read(f"{EVENTS}?{query.format(**places)}")) == expected

    def test_days_end_to_the_second(self, site: Site, now: datetime) -> None:
        press(site.device, NOON - 7 * DAY, event_id="in")
        press(site.device, NOON - 7 * DAY - SECOND, event_id="out")
        assert ids(site.olga.read(EVENTS)) == ["in"]

    def test_one_whose_clock_is_ahead(self, site: Site, now: datetime) -> None:
        press(site.device, NOON + timedelta(minutes=10), received_at=NOON, event_id="ahead")
        assert ids(site.olga.read(f"{EVENTS}?start={iso(NOON + timedelta(minutes=10))}")) == ["ahead"]

    @pytest.mark.parametrize(
        "query",
        [
            "days=0",
            "days=-1",
            "days=x",
            "days=1.5",
            "days=36501",
            "days=99999999999999999999",
            "days=%C2%B2",
            "exclude_status=perhaps",
            "treatment=basic",
            "treatment=BASIC,PREMIUM",
            "machine_id=x",
            "machine_id=0",
            "outlet_id=99999999999999999999",
            "limit=0",
            "limit=10001",
            "limit=ten",
            "before=x",
            "before=5",
            "start=yesterday",
            "start=2026-02-30",
            "end=2026-13-01T00:00:00Z",
            "end=2026-02-01&start=2026-02-02",
        ],
    )
    @pytest.mark.sqlite_only
    def test_a_bad_one_is_named(self, site: Site, query: str) -> None:
        answer = site.olga.get(f"{EVENTS}?{query}")
        assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), [query.partition("=")[0]])

    @pytest.mark.each_case
    @pytest.mark.parametrize("name", ["esp32-009", "999999", "9" * 30, "%00", "-1"])
    def test_an_unknown_device(self, site: Site, name: str) -> None:
        assert refusal(site.olga.get(f"{EVENTS}?device_id={name}")) == (404, "unknown_device")


class TestPages:
    @pytest.mark.alike
    def test_each_leads_to_the_next(self, site: Site, now: datetime) -> None:
        for device in (site.device, site.other_device):  # many arrive at one moment
            store_once(connection, [event(device, NOON - n * HOUR, received_at=NOON - n // 3 * HOUR) for n in range(8)])
        everything = site.olga.read(EVENTS)
        assert len(everything) == 16
        path, pages = f"{EVENTS}?limit=5&days=7", []
        while path:
            answer = site.olga.get(path)
            pages.append(answer.json())
            link = answer.headers.get("link", "")
            assert not link or (link.startswith("<http://testserver/api/events/?") and link.endswith('>; rel="next"'))
            path = link.removeprefix("<http://testserver").partition(">")[0]
            assert not path or ("limit=5" in path and "days=7" in path)
        assert [len(page) for page in pages] == [5, 5, 5, 1]
        assert [row for page in pages for row in page] == everything

    def test_what_arrives_meanwhile_moves_nothing(self, site: Site, now: datetime) -> None:
        for n in range(4):
            press(site.device, NOON - DAY + n * SECOND, event_id=f"e{n}")
        first = site.olga.get(f"{EVENTS}?limit=2")
        press(site.device, NOON, event_id="new")
        link = first.headers["link"].removeprefix("<http://testserver").partition(">")[0]
        assert (ids(first.json()), ids(site.olga.read(link))) == (["e3", "e2"], ["e1", "e0"])

    def test_a_full_last_page_has_no_next(self, site: Site, now: datetime) -> None:
        for n in range(2):
            press(site.device, NOON - n * SECOND)
        assert "link" not in site.olga.get(f"{EVENTS}?limit=2").headers

    @pytest.mark.alike
    def test_a_thousand_unless_told(self, site: Site, now: datetime) -> None:
        store_once(connection, [event(site.device, NOON - n * SECOND) for n in range(1001)])
        answer = site.olga.get(EVENTS)
        assert (len(answer.json()), "link" in answer.headers) == (1000, True)
        assert len(site.olga.read(f"{EVENTS}?limit=10000")) == 1001


@pytest.mark.alike
class TestWho:
    def test_an_owner_sees_her_own(self, site: Site, now: datetime) -> None:
        mine = press(site.device, NOON, event_id="mine")
        others = press(site.other_device, NOON, event_id="other")
        assert ids(site.vera.read(EVENTS)) == ["mine"]
        assert site.vera.read(f"{EVENTS}{mine.pk}/")["event_id"] == "mine"
        assert refusal(site.vera.get(f"{EVENTS}{others.pk}/")) == (404, "unknown_event")
        assert refusal(site.vera.get(f"{EVENTS}?device_id=esp32-002")) == (404, "unknown_device")
        assert site.vera.read(f"{EVENTS}?machine_id={site.other_machine.pk}") == []
        assert site.mallory.read(EVENTS) == []
        assert refusal(site.mallory.get(f"{EVENTS}{mine.pk}/")) == (404, "unknown_event")

    def test_signed_out(self, site: Site) -> None:
        for path in (EVENTS, f"{EVENTS}1/", f"{EVENTS}analytics/"):
            assert refusal(site.nobody.get(path)) == (401, "signed_out")

    @pytest.mark.both_doors
    def test_a_device_key_reads_nothing_here(self, door: Door, esp32: Any) -> None:
        assert door.send("GET", EVENTS, headers=bearer(esp32.token)).status == 401

    def test_what_an_archived_device_sent_stays(self, site: Site, now: datetime) -> None:
        press(site.device, NOON, event_id="mine")
        archive_device(device=site.device, now=NOON)
        for who in (site.olga, site.vera):
            assert ids(who.read(EVENTS)) == ids(who.read(f"{EVENTS}?device_id=esp32-001")) == ["mine"]


@pytest.mark.each_case
@pytest.mark.parametrize("number", ["0", "99999", "999999999999999999", "9" * 30, "x"])
def test_no_such_event(site: Site, number: str) -> None:
    assert site.olga.get(f"{EVENTS}{number}/").status == 404


def test_a_wrong_method_names_both_sides(site: Site) -> None:
    answer = DjangoDoor().send("DELETE", EVENTS)
    assert (refusal(answer), answer.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD, POST")


def test_any_number_of_events_is_as_many_queries(site: Site, django_assert_num_queries: Any) -> None:
    def budget(number: int) -> None:
        for who in (site.olga, site.vera):
            with django_assert_num_queries(number):  # the account, its groups, the list's size, the list
                who.read(EVENTS)
            with django_assert_num_queries(number + 1):  # and the device
                who.read(f"{EVENTS}?device_id=esp32-001")

    press(site.device, timezone.now())
    budget(4)
    for _ in range(20):
        device = Device.objects.create(owner=site.vera.user)
        press(device, timezone.now())
        press(site.device, timezone.now())
    budget(4)
