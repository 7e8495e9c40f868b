"""Tables that people search, sort and page through: whatever the address says, there is a page."""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from device_gateway.models import Device, DeviceState
from pages.devices.list_views import SORTS, listing_of, shown
from pages.kit import listing
from pages.machines import screen, views
from pages.machines.forms import MachineFilters
from pages.tests.conftest import SignIn
from telemetry.machines.bindings import assign_device
from telemetry.models import DeviceStatus, Machine, Outlet
from tests.support.kept import Kept


def names(client: Client, query: str = "") -> list[str]:
    page = client.get(f"/devices/{query}")
    assert page.status_code == 200
    return re.findall(r'<th scope="row"><a href="[^"]*">([^<]+)</a>', page.content.decode())


@pytest.fixture
def staff(signed_in: SignIn, olga: User) -> Client:
    return signed_in(olga)


@pytest.fixture
def three(db: None) -> list[Device]:
    """B was heard first, C last, A never; C stands in a machine of Altona."""
    b, c, a = (Device.objects.create(name=name) for name in ("B", "c", "A"))
    for device, minutes in ((b, 30), (c, 1)):
        heard = timezone.now() - timedelta(minutes=minutes)
        DeviceState.objects.filter(device=device).update(last_seen=heard)
    outlet = Outlet.objects.create(name="Altona")
    assign_device(machine=Machine.objects.create(name="M1", outlet=outlet), device=c)
    return [a, b, c]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["A", "B", "c"]),
        ("?sort=-name", ["c", "B", "A"]),
        ("?sort=heard", ["c", "B", "A"]),
        ("?sort=-heard", ["A", "B", "c"]),
        ("?status=online", ["c"]),
        ("?status=idle", ["B"]),
        ("?status=offline", ["A"]),
        ("?assigned=yes", ["c"]),
        ("?assigned=no", ["A", "B"]),
        ("?q=b", ["B"]),
        ("?q=nothing+like+it", []),
        ("?status=asleep&assigned=perhaps&sort=colour", ["A", "B", "c"]),
        ("?outlet=999999999999999999999", ["A", "B", "c"]),
        ("?outlet=0", []),
        ("?q=%00&page=%00", ["A", "B", "c"]),
        ("?page=99999999", ["A", "B", "c"]),
        ("?page=-1", ["A", "B", "c"]),
        ("?page=٣", ["A", "B", "c"]),
        ("?q=" + "x" * 5000, []),
    ],
)
@pytest.mark.sqlite_only
def test_what_the_address_says(staff: Client, three: list[Device], query: str, expected: list[str]) -> None:
    assert names(staff, query) == expected


def test_the_outlet(staff: Client, three: list[Device]) -> None:
    outlet = Outlet.objects.get()
    assert names(staff, f"?outlet={outlet.pk}") == ["c"]
    page = staff.get(f"/devices/?outlet={outlet.pk}").content.decode()
    assert f'<option value="{outlet.pk}" selected>Altona</option>' in page


def test_pages_of_fifty(staff: Client, db: None) -> None:
    for number in range(120):
        Device.objects.create(name=f"Unit {number:03d}")
    found = [names(staff, f"?page={number}") for number in (1, 2, 3)]
    assert [len(page) for page in found] == [50, 50, 20]
    assert [name for page in found for name in page] == [f"Unit {number:03d}" for number in range(120)]
    page = staff.get("/devices/?page=2&sort=-name&q=unit").content.decode()
    assert "51–100 of 120 that match" in page
    assert 'href="?q=unit&amp;sort=-name" rel="prev"' in page
    assert 'href="?q=unit&amp;sort=-name&amp;page=3" rel="next"' in page


@pytest.mark.thorough
def test_of_many_it_is_said_that_there_are_more(staff: Client, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is counted ends where the page does, if that is later; whoever asks for the last page gets to it."""
    monkeypatch.setattr(listing, "COUNTED", 60)
    for number in range(120):
        Device.objects.create(name=f"Unit {number:03d}")

    def pager(number: int) -> str:
        html = staff.get(f"/devices/?page={number}").content.decode()
        return " ".join(re.sub(r"<[^>]+>", " ", html.split('class="pager">')[1].split("</nav>")[0]).split())

    assert pager(1) == "1–50 of more than 60 Page 1 Older"
    assert pager(2) == "51–100 of more than 100 Newer Page 2 Older"
    assert pager(3) == pager(99) == "101–120 of 120 Newer Page 3 of 3"


@dataclass
class Many:
    number: int


def _many() -> Many:
    """Devices of every kind by which a list is put in order, several of each, in no order."""
    now = timezone.now()
    moments = [None, *(now - timedelta(minutes=minutes) for minutes in (0, 1, 1, 20, 20, 90, 3000, -600))]
    outlets = [None, *(Outlet.objects.create(name=name) for name in ("Bedok", "Altona"))]
    for number in range(36):
        device = Device.objects.create(name=f"Unit {number * 7 % 36}", location=("", "Hall", "Attic")[number % 3])
        told = {"last_poll": moments[number % 9], "last_seen": moments[number * 5 % 8]}
        DeviceState.objects.filter(device=device).update(**told)
        if number % 4:
            assign_device(machine=Machine.objects.create(name="M", outlet=outlets[number % 3]), device=device)
        if number % 5:
            DeviceStatus.objects.update_or_create(device=device, defaults={"current_count_basic": number % 3})
    return Many(36)


_MANY: Final = Kept(_many)


@pytest.mark.each_case
@pytest.mark.thorough
@pytest.mark.parametrize("sort", SORTS)
def test_many_are_in_the_order_of_few(db: None, olga: User, monkeypatch: pytest.MonkeyPatch, sort: str) -> None:
    """Found in parts, page by page, also past what is counted."""
    many, now = _MANY.lay().number, timezone.now()

    def page(query: str) -> list[str]:
        asked = listing_of(QueryDict(query))
        asked.rows = 5
        return list(shown(olga, asked, now).values_list("name", flat=True))

    queries = [f"sort={sign}{sort}&page={number}" for sign in ("", "-") for number in range(1, 9)]
    queries += [f"{query}&assigned=yes" for query in queries]
    few = [page(query) for query in queries]
    assert [len({name for names in few[at : at + 8] for name in names}) for at in (0, 8, 16, 24)] == [
        many,
        many,
        27,
        27,
    ]
    monkeypatch.setattr(listing, "COUNTED", 17)
    assert [page(query) for query in queries] == few


@pytest.mark.each_case
@pytest.mark.thorough
@pytest.mark.parametrize("sort", screen.SORTS)
def test_many_machines_are_in_the_order_of_few(
    db: None, olga: User, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    _MANY.lay()
    now = timezone.now()
    for number in range(9):
        Machine.objects.create(name=f"Without a device {number * 5 % 9}")

    def page(query: str) -> list[int]:
        asked: listing.Listing[Machine] = listing.Listing(QueryDict(query), screen.SORTS, MachineFilters)
        asked.rows = 5
        return [machine.pk for machine in views.shown(olga, asked, now)]

    queries = [f"sort={sign}{sort}&page={number}" for sign in ("", "-") for number in range(1, 9)]
    few = [page(query) for query in queries]
    assert [len({pk for keys in few[at : at + 8] for pk in keys}) for at in (0, 8)] == [36, 36]
    monkeypatch.setattr(listing, "COUNTED", 17)
    assert [page(query) for query in queries] == few


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "devices_by_name"),
        ("sort=-name", "devices_by_name"),
        ("assigned=no", "devices_unassigned"),
        # SQLite goes by an index whose second column may be null, and puts that one in order.
        ("sort=location", "devices_by_location"),
        ("sort=-location", "devices_by_location"),
    ],
)
def test_a_page_of_a_million_is_read_by_an_index(
    db: None, olga: User, monkeypatch: pytest.MonkeyPatch, query: str, index: str
) -> None:
    monkeypatch.setattr(listing, "FEW", -1)
    with CaptureQueriesContext(connection) as queries:
        asked = listing_of(QueryDict(query))
        list(shown(olga, asked, timezone.now()).values_list("pk", "name", "state__last_seen"))
    plan = way_of(queries.captured_queries[-1]["sql"])
    assert index in plan
    if connection.vendor == "postgresql" or "location" not in query:
        assert "TEMP B-TREE" not in plan and "Sort" not in plan


@pytest.mark.each_case
@pytest.mark.parametrize("sort", ["name", "-name", "status", "-status"])
def test_many_machines_are_read_by_name(db: None, olga: User, monkeypatch: pytest.MonkeyPatch, sort: str) -> None:
    """Each part of them, until there are enough: those that are online, idle, offline, and without a device."""
    for number in range(2):
        Machine.objects.create(name=f"Without a device {number}")
    monkeypatch.setattr(listing, "COUNTED", 1)
    asked: listing.Listing[Machine] = listing.Listing(QueryDict(f"sort={sort}"), screen.SORTS, MachineFilters)
    asked.rows = 1
    with CaptureQueriesContext(connection) as queries:
        views.shown(olga, asked, timezone.now())
    parts = [query["sql"] for query in queries.captured_queries if "ORDER BY" in query["sql"]]
    assert len(parts) == (4 if sort == "status" else 1)
    if connection.vendor == "sqlite" and "status" in sort:
        return  # of an empty table it takes the index of the status, and sorts
    for sql in parts:
        plan = way_of(sql)
        assert "machines_by_name" in plan
        assert "TEMP B-TREE" not in plan and "Sort" not in plan


def way_of(sql: str) -> str:
    """How the database would go about it."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # of an empty table each way costs the same
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
            cursor.execute("SET LOCAL enable_sort = off")
        way = "EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN "
        cursor.execute(way + sql.replace("%", "%%"))
        return "\n".join(str(row) for row in cursor.fetchall())


@pytest.mark.thorough
@pytest.mark.parametrize("count", [1, 40])
def test_queries_do_not_grow_with_devices(staff: Client, db: None, count: int) -> None:
    for number in range(count):
        device = Device.objects.create(name=f"Unit {number:03d}")
        assign_device(machine=Machine.objects.create(name="M", outlet=Outlet.objects.create(name="O")), device=device)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert staff.get("/devices/").status_code == 200
    assert len(queries) == 6, [query["sql"][:80] for query in queries]


class TestFilters:
    def test_the_address_stands_in_the_form(self, staff: Client, three: list[Device]) -> None:
        outlet = Outlet.objects.get()
        html = staff.get(f"/devices/?q=c&status=online&assigned=yes&outlet={outlet.pk}").content.decode()
        form = html[html.index('<form class="filters"') :].split("</form>")[0]
        assert re.findall(r'<label for="(\w+)">(\w+)</label>', form) == [
            ("q", "Search"), ("status", "Status"), ("assigned", "Assigned"), ("outlet", "Outlet"),
        ]  # fmt: skip
        assert 'name="q" value="c"' in form
        assert re.findall(r'value="(\w+)" selected', form) == ["online", "yes", str(outlet.pk), "name"]

    @pytest.mark.parametrize("query", ["status=asleep", "assigned=maybe", "outlet=x", "outlet=-1", "outlet=1e3"])
    def test_what_cannot_be_chosen_is_as_if_not_said(self, staff: Client, three: list[Device], query: str) -> None:
        assert names(staff, f"?{query}") == ["A", "B", "c"]
        html = staff.get(f"/devices/?{query}").content.decode()
        assert re.findall(r'value="(\w*)" selected', html) == ["", "", "", "name"]


@pytest.mark.each_case
@pytest.mark.parametrize("path", ["/devices/?sort=location", "/devices/?sort=outlet", "/machines/?sort=outlet"])
def test_capital_letters_do_not_come_first(staff: Client, path: str) -> None:
    for name in ("bravo", "Alpha", "charlie", "Delta"):
        device = Device.objects.create(name=name, location=f"{name} street")
        machine = Machine.objects.create(name="M", outlet=Outlet.objects.create(name=f"{name} place"))
        assign_device(machine=machine, device=device)
    page = staff.get(path).content.decode().split("<tbody")[1]
    found = re.findall("(bravo|Alpha|charlie|Delta) (?:street|place)", page)
    assert list(dict.fromkeys(found)) == ["Alpha", "bravo", "charlie", "Delta"]
