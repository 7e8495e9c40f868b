"""The pages of charging stations: what the partner told, for staff, and nothing where stations are off."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from pages.kit.live import TAGS, VERSION
from pages.tests.conftest import SignIn
from stations.models import PowerBank, Station, SyncLog
from stations.tests.cast import SECRET, SERIAL, SETTINGS, Connector, full, make_connector, returned, status

PATHS = ("/stations/", f"/stations/{SERIAL}/")


@pytest.fixture
def connector(db: None, settings: Settings) -> Connector:
    """The partner's, with stations switched on."""
    for name, value in SETTINGS.items():
        setattr(settings, name, value)
    return Connector(make_connector())


@pytest.fixture
def staff(connector: Connector, signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


def tell(connector: Connector, message: dict[str, Any], status_code: int = 200) -> None:
    assert connector.send(message).status_code == status_code


def html_of(client: Client, path: str, **query: str) -> str:
    reply = client.get(path, query)
    assert reply.status_code == 200
    return str(reply.content.decode())


def serials(html: str) -> list[str]:
    return [piece.split('"')[0].strip("/") for piece in html.split('<th scope="row"><a href="/stations/')[1:]]


class Looker:
    """A page that is open: asks as live.js does, with what it shows."""

    def __init__(self, client: Client, path: str) -> None:
        self.client, self.path = client, path
        html = html_of(client, path)
        self.version = html.split('data-version="')[1].split('"')[0]
        self.tags = ";".join(
            [f"{name}:{self._pairs(body, 'key')}" for name, body in self._lists(html)]
            + [f"parts:{self._pairs(html, 'part')}"]
        )

    @staticmethod
    def _lists(html: str) -> list[tuple[str, str]]:
        pieces = html.split('data-list="')[1:]
        return [(piece.split('"')[0], piece.split("</tbody>")[0]) for piece in pieces]

    @staticmethod
    def _pairs(html: str, name: str) -> str:
        pieces = [piece.split('"') for piece in html.split(f'data-{name}="')[1:]]
        return ",".join(f"{piece[0]}={piece[2]}" for piece in pieces)

    def look(self) -> Any:
        return self.client.get(self.path, headers={VERSION: self.version, TAGS: self.tags, "HX-Request": "true"})


class TestWhoSees:
    @pytest.mark.parametrize("path", PATHS)
    def test_signed_out(self, connector: Connector, client: Client, path: str) -> None:
        reply = client.get(path)
        assert (reply.status_code, reply["Location"]) == (302, f"/login/?next={path}")

    @pytest.mark.parametrize("path", PATHS)
    def test_who_is_not_staff(self, connector: Connector, signed_in: SignIn, vera: User, path: str) -> None:
        tell(connector, full({1: "B1"}))
        reply = signed_in(vera).get(path)
        assert reply.status_code == 403
        assert SERIAL not in reply.content.decode().replace(path, "")

    def test_the_way_there_is_staffs(self, staff: Client, signed_in: SignIn, vera: User) -> None:
        assert 'href="/stations"' in html_of(staff, "/gateway/device-tokens")
        assert 'href="/stations"' not in html_of(signed_in(vera), "/gateway/device-tokens")

    @pytest.mark.parametrize("path", PATHS)
    def test_switched_off(self, staff: Client, connector: Connector, settings: Settings, path: str) -> None:
        tell(connector, full())
        settings.STATIONS_ENABLED = "0"
        for client in (staff, Client()):
            assert client.get(path).status_code == 404
        assert 'href="/stations"' not in html_of(staff, "/gateway/device-tokens")

    def test_off_without_a_secret(self, staff: Client, settings: Settings) -> None:
        settings.IOT_SYSTEM_SIGNATURE_SECRET = ""
        assert staff.get("/stations/").status_code == 404

    @pytest.mark.parametrize("path", PATHS)
    def test_only_to_be_read(self, staff: Client, path: str) -> None:
        reply = staff.post(path)
        assert (reply.status_code, reply["Allow"]) == (405, "GET, HEAD")


class TestList:
    def test_it_works(self, staff: Client, connector: Connector) -> None:
        tell(connector, full({1: "B1", 3: "B3"}))
        PowerBank.objects.filter(serial_number="B3").update(status="DAMAGED")
        html = html_of(staff, "/stations")
        for piece in (
            f'<a href="/stations/{SERIAL}">{SERIAL}</a>',
            '<span class="badge online">Online</span>',
            'class="under count">2 of 4</td>',
            'data-label="Power banks" class="count">2</td>',
            'data-label="Available" class="count">1</td>',
            '<time datetime="2025-10-27T14:30:00.123456Z" title="2025-10-27 14:30:00 UTC" tabindex="-1" data-ago>'
            "2025-10-27 14:30:00</time>",
            "CSQ:28",
            "1–1 of 1",
        ):
            assert piece in html

    def test_nothing_yet(self, staff: Client) -> None:
        assert "The partner’s first full sync of one makes it appear here." in html_of(staff, "/stations/")

    def test_never_heard_of_is_said_so(self, staff: Client) -> None:
        Station.objects.create(serial_number="quiet")
        html = html_of(staff, "/stations/")
        assert 'data-label="Heartbeat" class="end when">never</td>' in html
        assert 'data-label="Signal">—</td>' in html

    def test_search_and_filter(self, staff: Client, connector: Connector) -> None:
        for serial in ("north-1", "north-2", "south-1"):
            tell(connector, full(serial=serial))
        tell(connector, status("MAINTENANCE", serial="north-2"))
        assert serials(html_of(staff, "/stations/", q="NORTH")) == ["north-1", "north-2"]
        assert serials(html_of(staff, "/stations/", q="north", status="MAINTENANCE")) == ["north-2"]
        assert serials(html_of(staff, "/stations/", q="caf\u00e9 south")) == ["south-1"]
        assert "No station matches." in html_of(staff, "/stations/", q="west")

    def test_sorted(self, staff: Client, connector: Connector) -> None:
        for serial, banks in (("a", {1: "B1"}), ("b", {1: "B2", 2: "B3"}), ("c", {})):
            tell(connector, full(banks, serial=serial))
        assert serials(html_of(staff, "/stations/", sort="-serial")) == ["c", "b", "a"]
        assert serials(html_of(staff, "/stations/", sort="slots")) == ["b", "a", "c"]
        assert serials(html_of(staff, "/stations/", sort="-banks")) == ["c", "a", "b"]
        assert serials(html_of(staff, "/stations/", sort="sync")) == ["c", "b", "a"]

    def test_a_page_at_a_time(self, staff: Client) -> None:
        Station.objects.bulk_create([Station(serial_number=f"s-{number:03}") for number in range(51)])
        assert len(serials(html_of(staff, "/stations/"))) == 50
        assert serials(html_of(staff, "/stations/", page="2")) == ["s-050"]

    @pytest.mark.parametrize(
        "query", [{"q": "\0"}, {"q": "%"}, {"sort": "x"}, {"status": "x"}, {"page": "9" * 99}, {"page": "-1"}]
    )
    @pytest.mark.sqlite_only
    def test_garbage_in_the_address(self, staff: Client, connector: Connector, query: dict[str, str]) -> None:
        tell(connector, full())
        assert html_of(staff, "/stations/", **query)


class TestOne:
    def test_it_works(self, staff: Client, connector: Connector) -> None:
        tell(connector, full({1: "B1", 3: "B3"}))
        tell(connector, returned("B3", 2, condition="GOOD"))
        html = html_of(staff, PATHS[1])
        slots = html.split('<ol class="slots">')[1].split("</ol>")[0].split("<li>")[1:]
        assert [slot.split("</strong>")[0] for slot in slots] == [f"<strong>{number}" for number in (1, 2, 3, 4)]
        assert "<span>B1</span> <span>80 %</span>" in slots[0]
        assert "<span>B3</span> <span>45 %</span>" in slots[1]
        assert '<span class="badge available">Available</span>' in slots[2]
        assert "%" not in slots[3]
        assert "Café 漢字 🔋" in html
        returns = html.split('id="returns"')[1].split("</tbody>")[0]
        assert ">B3</th>" in returns
        assert ">GOOD" in returns
        log = html.split('id="log"')[1].split("</tbody>")[0]
        assert log.index(">returned</td>") < log.index(">full</td>")
        assert log.count('<span class="badge applied">Applied</span>') == 2
        assert f"{SyncLog.objects.first().milliseconds} ms" in log  # type: ignore[union-attr]

    def test_refusals_stand_in_its_log(self, staff: Client, connector: Connector) -> None:
        tell(connector, full())
        tell(connector, returned("no-such-bank", 1), 404)
        log = html_of(staff, PATHS[1]).split('id="log"')[1]
        assert "<code>POWER_BANK_NOT_FOUND</code>" in log
        assert '<span class="badge refused">Refused</span>' in log

    def test_banks_that_have_left(self, staff: Client, connector: Connector) -> None:
        tell(connector, full({1: "B1"}))
        tell(connector, full({}))
        html = html_of(staff, PATHS[1])
        assert ">B1<" not in html
        assert "0, 0 available" in html

    @pytest.mark.parametrize(
        "serial", ["no-such", "..", "%2e%2e", "%00", "a%00b", "x" * 5000, "'%22<b>", "%F0%9F%94%8B"]
    )
    def test_no_such_station(self, staff: Client, serial: str) -> None:
        assert staff.get(f"/stations/{serial}/").status_code == 404

    def test_nothing_but_the_station_costs_more(self, staff: Client, connector: Connector) -> None:
        counts = []
        for banks in ({1: "B1"}, {number: f"C{number}" for number in range(1, 40)}):
            tell(connector, full(banks, total=40))
            with CaptureQueriesContext(connection) as queries:
                html_of(staff, PATHS[1])
            counts.append(len(queries))
        assert counts[0] == counts[1] <= 10


class TestLive:
    @pytest.mark.parametrize("path", PATHS)
    def test_unchanged(self, staff: Client, connector: Connector, path: str) -> None:
        tell(connector, full({1: "B1"}))
        looker = Looker(staff, path)
        looker.look()  # from now on they are known
        with CaptureQueriesContext(connection) as queries:
            reply = looker.look()
        assert (reply.status_code, reply.content) == (204, b"")
        assert len(queries) == 2  # who looks, and the version

    def test_a_change_sends_just_that_row(self, staff: Client, connector: Connector) -> None:
        for serial in ("a", "b", "c"):
            tell(connector, full(serial=serial))
        looker = Looker(staff, "/stations/")
        tell(connector, status("OFFLINE", serial="b"))
        said = looker.look().content.decode()
        assert said.count("<tr ") == 1
        assert serials(said) == ["b"]
        assert ">Offline</span>" in said
        assert 'data-part="pager"' not in said

    def test_a_return_changes_the_slots_and_adds_lines(self, staff: Client, connector: Connector) -> None:
        tell(connector, full({1: "B1", 3: "B3"}))
        looker = Looker(staff, PATHS[1])
        tell(connector, returned("B3", 2))
        said = looker.look().content.decode()
        assert 'data-part="slots"' in said
        assert ">B1</th>" not in said
        assert said.count("<tr ") == 3  # the bank, its return, a line of the log

    def test_what_another_station_does_is_nothing_new(self, staff: Client, connector: Connector) -> None:
        tell(connector, full({1: "B1"}))
        looker = Looker(staff, PATHS[1])
        tell(connector, full({1: "C1"}, serial="another"))
        assert looker.look().status_code == 204

    def test_signed_out_meanwhile(self, staff: Client, connector: Connector) -> None:
        looker = Looker(staff, "/stations/")
        staff.logout()
        assert looker.look().status_code == 401


def test_the_secret_stands_nowhere(staff: Client, connector: Connector) -> None:
    tell(connector, full({1: "B1"}))
    for path in PATHS:
        assert SECRET not in html_of(staff, path)
