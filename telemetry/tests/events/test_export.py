"""/api/export/: the CSV to the byte, which events are in it, who gets them, and what it holds open meanwhile."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection, connections
from django.test import Client
from pytest_django import Settings

from device_gateway.models import Device
from device_gateway.registry.services import archive_device
from device_gateway.tests.conftest import refusal, token_of
from telemetry.events import export
from telemetry.events.storing import store_once
from telemetry.machines.bindings import assign_device, register_machine, unassign_device
from telemetry.models import MachineDevice, TelemetryEvent
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Person, Site, bearer, counters, event, press, tell_five
from tests.support.doors import Answer, Door

AT_ONCE = 2  # HEAVY_READS_PERSON

PATH = "/api/export/"
HEADER = (
    b"Timestamp,Device Timestamp,Device ID,Event ID,Event Type,Counter,Basic Count,Standard Count,Premium Count,"
    b"WiFi Status,Outlet,Machine,Type1,Type2,Type3\r\n"
)


@pytest.fixture
def now() -> Iterator[datetime]:
    with time_machine.travel(NOON, tick=False):
        yield NOON


@pytest.fixture
def held(site: Site) -> None:
    """The machines have had their devices for a year."""
    MachineDevice.objects.update(assigned_date=NOON - 360 * DAY)


def rows(who: Person, query: str = "") -> list[list[str]]:
    """Without the header."""
    answer = who.get(f"{PATH}?{query}")
    assert answer.status == 200, answer.body
    assert answer.body.startswith(HEADER)
    return list(csv.reader(io.StringIO(answer.body.decode(), newline="")))[1:]


def ids(who: Person, query: str = "") -> list[str]:
    return [row[3] for row in rows(who, query)]


def test_it_works(site: Site, now: datetime, held: None) -> None:
    told = counters(4, 1, 0)
    press(site.device, NOON - HOUR, event_id="A-4", counter=4, current_counters=told, wifi_status="home", rssi=-60)
    press(site.other_device, NOON - HOUR / 2, event_id="B-1", treatment="PREMIUM", counter=1, received_at=NOON)
    unassign_device(machine=site.machine)
    TelemetryEvent.objects.create(
        device=site.device,
        event_id="status",
        event="status",
        event_type="status",
        occurred_at=NOON + timedelta(microseconds=5),
        received_at=NOON,
        source="legacy",
        payload={"type1": 10, "type2": "20.5", "type3": "=3"},
    )
    answer = site.olga.get(PATH)
    assert (answer.status, answer.headers["content-type"], answer.headers["content-disposition"]) == (
        200,
        "text/csv; charset=utf-8",
        'attachment; filename="events.csv"',
    )
    assert answer.body == HEADER + (
        b"2026-03-01T11:00:00Z,2026-03-01T11:00:00+00:00,esp32-001,A-4,BASIC,4,4,1,0,home,Chai Chee,CH1/027/2024,,,\r\n"
        b"2026-03-01T11:30:00Z,2026-03-01T11:30:00+00:00,esp32-002,B-1,PREMIUM,1,,,,,Bedok,BD1/001/2025,,,\r\n"
        b"2026-03-01T12:00:00.000005Z,,esp32-001,status,status,,,,,,,,10,20.5,'=3\r\n"
    )


@pytest.mark.parametrize("place", ["", "device_id=esp32-001&"])
def test_a_byte_order_mark_where_it_is_asked_for(site: Site, now: datetime, held: None, place: str) -> None:
    press(site.device, NOON, event_id="Ω")
    plain = site.olga.get(f"{PATH}?{place}").body
    assert plain.startswith(HEADER) and plain.count(b"\r\n") == 2
    assert site.olga.get(f"{PATH}?{place}bom=true").body == b"\xef\xbb\xbf" + plain
    assert site.olga.get(f"{PATH}?{place}bom=false").body == plain
    refused = site.olga.get(f"{PATH}?{place}bom=maybe")
    assert (refusal(refused), list(refused.json()["errors"])) == ((400, "invalid"), ["bom"])


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.both_doors
def test_both_doors_and_both_paths(door: Door, staff: str, slash: str) -> None:
    answer = door.send("GET", f"/api/export{slash}", headers=bearer(staff))
    assert (answer.status, answer.body) == (200, HEADER)
    wrong = door.send("POST", f"/api/export{slash}", b"{}", bearer(staff))
    assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, HEAD")


@pytest.mark.sqlite_only
class TestCells:
    @pytest.mark.parametrize(
        ("text", "cell"),
        [
            ("=1+1", b"'=1+1"),
            ("+1", b"'+1"),
            ("-1", b"'-1"),
            ("@SUM(A1)", b"'@SUM(A1)"),
            ("\t=1", b"'\t=1"),
            ("\r=1", b'"\'\r=1"'),
            ('=LINK("a","b")', b'"\'=LINK(""a"",""b"")"'),
            ("a=1", b"a=1"),
            ("'=1", b"'=1"),
            ("1", b"1"),
            ("a,b", b'"a,b"'),
            ('say "a"', b'"say ""a"""'),
            ("two\nlines", b'"two\nlines"'),
            ("Ωzon", "Ωzon".encode()),
        ],
    )
    def test_text_is_text_to_a_spreadsheet(self, site: Site, now: datetime, text: str, cell: bytes) -> None:
        for place in (site.outlet, site.machine):
            place.name = text
            place.save()
        stored = press(site.device, NOON, event_id=text, counter=7, wifi_status=text)
        TelemetryEvent.objects.filter(pk=stored.pk).update(
            device_timestamp=text, event_type=text, outlet=site.outlet, machine=site.machine
        )
        expected = [
            b"2026-03-01T12:00:00Z",
            cell,
            b"esp32-001",
            cell,
            cell,
            b"7",
            b"",
            b"",
            b"",
            cell,
            cell,
            cell,
            b"",
            b"",
            b"",
        ]
        assert site.olga.get(PATH).body == HEADER + b",".join(expected) + b"\r\n"

    def test_names_are_those_of_today(self, site: Site, now: datetime, held: None) -> None:
        press(site.device, NOON - HOUR)
        assert site.olga.patch("/api/devices/esp32-001/", {"device_id": "-front"}).status == 200
        assert site.olga.patch(f"/api/outlets/{site.outlet.pk}/", {"name": "New Chai Chee"}).status == 200
        (row,) = rows(site.olga, "device_id=esp32-001")
        assert (row[2], row[10], row[11]) == ("'-front", "New Chai Chee", "CH1/027/2024")


class TestWhich:
    @pytest.fixture
    def some(self, site: Site, now: datetime, held: None) -> None:
        tell_five(site, oldest=NOON - 31 * DAY)

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            # All of staff's come in the order of their arrival.
            ("", ["recent", "late", "other", "status"]),
            ("days=", ["recent", "late", "other", "status"]),
            ("days=30", ["recent", "late", "other", "status"]),
            ("days=1", ["recent", "late", "other", "status"]),
            ("days=31", ["old", "recent", "late", "other", "status"]),
            ("exclude_status=true", ["recent", "late", "other"]),
            ("treatment=STANDARD", ["late"]),
            ("start=2026-01-29T12:00:00Z", ["old", "recent", "late", "other", "status"]),
            ("start=2026-01-29T12:00:01Z", ["recent", "late", "other", "status"]),
            ("end=2026-01-29T13:00:00Z", ["old", "late"]),
            ("end=2026-01-29T12:59:59Z", ["old"]),
            ("start=2026-01-29&end=2026-01-30", ["old", "late"]),
            ("start=2026-01-29&end=2026-01-30&days=7", ["late"]),
            ("start=0001-01-01&end=9999-12-31T23:59:59Z", ["old", "recent", "late", "other", "status"]),
            # Of a device, a machine or an outlet in the order in which they occurred.
            ("device_id=esp32-001", ["late", "recent"]),
            ("device_id={device}&days=31", ["old", "late", "recent"]),
            ("device_id=esp32-001&start=2026-01-29T12:00:01Z", ["late", "recent"]),
            ("device_id=esp32-001&end=2026-01-29T13:00:00Z", ["old", "late"]),
            ("device_id=esp32-001&end=2026-01-29T12:59:59Z", ["old"]),
            ("device_id=esp32-001&exclude_status=1&treatment=BASIC", ["recent"]),
            ("machine_id={machine}", ["late", "recent"]),
            ("outlet_id={outlet}", ["late", "recent"]),
            ("outlet_id={outlet}&device_id=esp32-001", ["late", "recent"]),
            ("outlet_id={outlet}&device_id=esp32-002", []),
            ("outlet_id={outlet}&machine_id={machine}", ["late", "recent"]),
            ("machine_id=999999", []),
            ("outlet_id=999999", []),
        ],
    )
    def test_which(self, site: Site, some: None, query: str, expected: list[str]) -> None:
        places = {"device": site.device.pk, "machine": site.machine.pk, "outlet": site.outlet.pk}
        assert ids(site.olga, query.format(**places)) == expected

    def test_days_end_to_the_second(self, site: Site, now: datetime) -> None:
        press(site.device, NOON - 30 * DAY, event_id="in")
        press(site.device, NOON - 30 * DAY - SECOND, event_id="out")
        assert ids(site.olga) == ids(site.olga, "device_id=esp32-001") == ids(site.vera) == ["in"]

    @pytest.mark.alike
    def test_a_machine_that_changed_its_device(self, site: Site, now: datetime, held: None) -> None:
        press(site.device, NOON - HOUR, event_id="before")
        unassign_device(machine=site.machine)
        unassign_device(machine=site.other_machine)
        assign_device(machine=site.machine, device=site.other_device)
        press(site.device, NOON + SECOND, event_id="loose")
        press(site.other_device, NOON + SECOND, event_id="after")
        assert ids(site.olga, f"machine_id={site.machine.pk}") == ["before", "after"]
        assert ids(site.olga, f"outlet_id={site.outlet.pk}") == ["before", "after"]

    @pytest.mark.parametrize(
        "query",
        ["days=0", "days=x", "start=yesterday", "end=2026-02-01&start=2026-02-02", "treatment=x", "machine_id=x"],
    )
    @pytest.mark.sqlite_only
    def test_a_bad_parameter_is_named(self, site: Site, query: str) -> None:
        for who in (site.olga, site.mallory):
            answer = who.get(f"{PATH}?{query}")
            assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), [query.partition("=")[0]])

    def test_an_unknown_device(self, site: Site) -> None:
        assert refusal(site.olga.get(f"{PATH}?device_id=esp32-009")) == (404, "unknown_device")


class TestWho:
    def test_an_owner_gets_her_own(self, site: Site, now: datetime, held: None) -> None:
        for number in range(2):
            press(site.other_device, NOON - number * SECOND)
            press(site.device, NOON - number * SECOND, event_id=f"mine-{number}")
        second = Device.objects.create(device_id="esp32-003", owner=site.vera.user, created_at=NOON - DAY)
        register_machine(device=second, outlet=site.other_outlet, name="BD1/002/2025")
        press(second, NOON - HOUR, event_id="mine-too")
        assert ids(site.vera) == ["mine-1", "mine-0", "mine-too"]
        assert ids(site.vera, "device_id=esp32-003") == ["mine-too"]
        assert refusal(site.vera.get(f"{PATH}?device_id=esp32-002")) == (404, "unknown_device")
        assert ids(site.vera, f"machine_id={site.other_machine.pk}") == []
        assert ids(site.vera, f"outlet_id={site.outlet.pk}") == ["mine-1", "mine-0"]
        assert ids(site.mallory) == []

    def test_signed_out(self, site: Site) -> None:
        assert refusal(site.nobody.get(PATH)) == (401, "signed_out")

    def test_what_an_archived_device_sent_stays(self, site: Site, now: datetime) -> None:
        press(site.device, NOON, event_id="mine")
        archive_device(device=site.device, now=NOON)
        assert ids(site.olga) == ids(site.vera) == ids(site.vera, "device_id=esp32-001") == ["mine"]


class TestInPieces:
    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "STRETCH", 3)

    @pytest.mark.parametrize("number", [0, 1, 2, 3, 4, 5, 6, 7, 20])
    def test_each_is_there_once_and_in_order(self, site: Site, now: datetime, number: int) -> None:
        # Many arrive and occur at one moment.
        for device in (site.device, site.other_device):
            store_once(
                connection,
                [
                    event(
                        device, NOON - DAY + n // 4 * SECOND, received_at=NOON - HOUR + n // 5 * SECOND, event_id=f"{n}"
                    )
                    for n in reversed(range(number))
                ],
            )
        stored = TelemetryEvent.objects.values_list("device__device_id", "event_id")
        of_all = [(row[2], row[3]) for row in rows(site.olga)]
        assert of_all == list(stored.order_by("received_at", "pk"))
        of_one = [(row[2], row[3]) for row in rows(site.olga, "device_id=esp32-001")]
        assert of_one == list(stored.filter(device=site.device).order_by("occurred_at", "pk"))

    def test_few_among_many(self, site: Site, now: datetime) -> None:
        for n in range(20):
            press(site.device, NOON - DAY + n * SECOND, event_id=f"{n}", treatment="PREMIUM" if n % 8 == 7 else "BASIC")
        assert ids(site.olga, "treatment=PREMIUM") == ids(site.vera, "treatment=PREMIUM") == ["7", "15"]
        assert ids(site.olga, "treatment=STANDARD") == []

    def test_a_piece_is_two_queries_whatever_is_in_it(
        self, site: Site, now: datetime, held: None, django_assert_num_queries: Any
    ) -> None:
        store_once(connection, [event(site.device, NOON - n * SECOND) for n in range(7)])
        store_once(connection, [event(site.other_device, NOON - n * SECOND) for n in range(2)])
        with django_assert_num_queries(3 + 4 * 2):  # the account, its groups, the newest; nine rows and the end
            assert len(rows(site.olga)) == 9


class TestUnderWay:
    """What a client reads piece by piece."""

    @pytest.fixture(autouse=True)
    def _short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(export, "STRETCH", 3)

    @pytest.fixture
    def root(self, write_path: None) -> User:
        return User.objects.create_superuser("root")

    @pytest.fixture
    def device(self, root: User) -> Device:
        device = Device.objects.create(device_id="esp32-001", created_at=NOON - DAY)
        with time_machine.travel(NOON, tick=False):
            store_once(connection, [event(device, NOON - n * SECOND, event_id=f"{n}") for n in range(9)])
        return device

    def begin(self, root: User) -> Any:
        return Client(headers={"Authorization": f"Bearer {token_of(root)}"}).get(f"{PATH}?days=36500")

    @pytest.mark.alike
    def test_what_arrives_meanwhile_is_left_out(self, root: User, device: Device) -> None:
        under_way = self.begin(root)
        pieces = iter(under_way.streaming_content)
        assert next(pieces).count(b"\r\n") == 4
        store_once(connection, [event(device, NOON + n * SECOND, event_id=f"new-{n}") for n in range(9)])
        rest = b"".join(pieces)
        assert (rest.count(b"\r\n"), b"new" in rest) == (6, False)

    def test_nothing_is_open_between_two_pieces(self, root: User, device: Device) -> None:
        under_way = self.begin(root)
        pieces = iter(under_way.streaming_content)
        for _ in range(2):
            next(pieces)
            if connection.vendor == "sqlite":
                store_once(connection, [event(device, NOON + HOUR)])
                with connections["default"].copy().cursor() as other:
                    other.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # (whether somebody hinders it, pages, pages)
                    assert other.fetchone() == (0, 0, 0)
            else:
                assert connection.connection.info.transaction_status.name == "IDLE"
        under_way.close()

    def test_as_many_as_there_may_be(self, root: User, device: Device, settings: Settings) -> None:
        settings.HEAVY_WAIT_SECONDS = 0.1
        under_way = [self.begin(root) for _ in range(AT_ONCE)]
        assert [reply.status_code for reply in under_way] == [200] * AT_ONCE
        refused = self.begin(root)
        answer = Answer(refused.status_code, {k.lower(): v for k, v in refused.headers.items()}, refused.content)
        assert refusal(answer) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        next(iter(under_way[0].streaming_content))
        under_way[0].close()  # its client has left
        for _ in range(2):  # one after the other
            assert b"".join(self.begin(root).streaming_content).count(b"\r\n") == 10
        for reply in under_way[1:]:
            assert b"".join(reply.streaming_content).count(b"\r\n") == 10

    def test_a_head_has_no_body_and_takes_no_place(self, root: User, device: Device) -> None:
        client = Client(headers={"Authorization": f"Bearer {token_of(root)}"})
        for _ in range(AT_ONCE + 1):
            reply = client.head(PATH)
            assert (reply.status_code, reply["content-type"]) == (200, "text/csv; charset=utf-8")
            assert b"".join(reply) == b""

    @pytest.mark.sqlite_only
    def test_what_fails_before_the_first_byte_is_an_error(self, root: User, device: Device) -> None:
        rename = "ALTER TABLE telemetry_telemetryevent RENAME TO {}".format
        with connection.cursor() as cursor:
            cursor.execute(rename("gone"))
            cursor.execute("CREATE VIEW telemetry_telemetryevent AS SELECT id, no_such_column FROM gone")
        try:
            for _ in range(AT_ONCE + 1):
                reply = self.begin(root)
                assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
        finally:
            with connection.cursor() as cursor:
                cursor.execute("DROP VIEW telemetry_telemetryevent")
                cursor.execute("ALTER TABLE gone RENAME TO telemetry_telemetryevent")
        assert b"".join(self.begin(root).streaming_content).count(b"\r\n") == 10
