"""What staff read: GET /api/stations/, /api/stations/<serial>/, /api/power-banks/."""

import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from ozone.accounts.tokens import issue
from stations.errors import has_own_shape
from stations.models import PowerBank, Station, SyncLog
from stations.tests.cast import SERIAL, SETTINGS, Connector, full, make_connector, returned

pytestmark = pytest.mark.django_db

T0 = int(time.time()) - 3600


@pytest.fixture(autouse=True)
def _stations_are_on(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)


@pytest.fixture
def connector() -> Connector:
    return Connector(make_connector())


@pytest.fixture
def olga() -> User:
    return User.objects.create_user("olga", "olga@example.com", "a long walk to the well", is_staff=True)


def get(user: User | None, path: str) -> Any:
    headers = {"Authorization": f"Bearer {issue(user, as_staff=False)[0]}"} if user else {}
    return Client(raise_request_exception=False).get(path, headers=headers)


def test_a_station(connector: Connector, olga: User) -> None:
    message = full({1: "BANK-A", 2: "BANK-B"}, at=T0)
    message["power_banks"][1]["status"] = "DAMAGED"
    connector.send(message)
    connector.send(returned("BANK-A", 3, at=T0 + 1, returned_at="2025-10-27T14:30:00Z"))
    reply = get(olga, f"/api/stations/{SERIAL}")
    assert reply.status_code == 200
    answer = reply.json()
    for name in ("id", "updated_at"):
        assert answer.pop(name)
    for row in (*answer["slots"], *answer["returns"]):
        assert row.pop("updated_at", None) or row.pop("received_at")
    assert answer.pop("returns") == [
        {
            "id": answer["slots"] and PowerBank.objects.get(serial_number="BANK-A").returns.get().pk,
            "power_bank": "BANK-A",
            "slot_number": 3,
            "battery_level": 45,
            "condition": "",
            "returned_at": "2025-10-27T14:30:00Z",
            "stale": False,
        }
    ]
    empty = {"status": "AVAILABLE", "battery_level": 0, "slot_metadata": {}, "power_bank": None}
    full_slot = {"status": "OCCUPIED", "slot_metadata": {}}
    assert answer == {
        "serial_number": SERIAL,
        "imei": SERIAL,
        "status": "ONLINE",
        "last_heartbeat": "2025-10-27T14:30:00.123456Z",
        "signal_strength": "CSQ:28",
        "wifi_ssid": "Café 漢字 🔋",
        "total_slots": 4,
        "slots_occupied": 2,
        "power_banks": 2,
        "power_banks_available": 1,
        "last_message_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 + 1)),
        "hardware_info": {},
        "pinboards": None,
        "slots": [
            {"slot_number": 1, **empty},
            {
                "slot_number": 2,
                **full_slot,
                "battery_level": 80,
                "power_bank": {"serial_number": "BANK-B", "status": "DAMAGED", "battery_level": 80},
            },
            {
                "slot_number": 3,
                **full_slot,
                "battery_level": 45,
                "power_bank": {"serial_number": "BANK-A", "status": "AVAILABLE", "battery_level": 45},
            },
            {"slot_number": 4, **empty},
        ],
    }


def test_power_banks(connector: Connector, olga: User) -> None:
    connector.send(full({1: "BANK-A", 2: "BANK-B"}, at=T0))
    connector.send(full({2: "BANK-B"}, at=T0 + 1))
    rows = {row["serial_number"]: row for row in get(olga, "/api/power-banks/").json()["results"]}
    assert (rows["BANK-A"]["status"], rows["BANK-A"]["station"], rows["BANK-A"]["current_slot"]) == (
        "RENTED",
        None,
        None,
    )
    assert (rows["BANK-B"]["status"], rows["BANK-B"]["station"], rows["BANK-B"]["current_slot"]) == (
        "AVAILABLE",
        SERIAL,
        2,
    )
    assert len(get(olga, "/api/power-banks/?status=RENTED").json()["results"]) == 1
    assert len(get(olga, f"/api/power-banks/?station={SERIAL}").json()["results"]) == 1


@pytest.mark.parametrize("path", ["/api/stations/", "/api/power-banks"])
def test_pages(connector: Connector, olga: User, path: str) -> None:
    for number in range(5):
        connector.send(full({1: f"BANK-{number}"}, at=T0, serial=f"station-{number}"))
    found, following, pages = [], f"{path}?limit=2", 0
    while following:
        answer = get(olga, following).json()
        found += [row["serial_number"] for row in answer["results"]]
        following, pages = answer["next"], pages + 1
        assert following is None or following.startswith(f"http://testserver{path}?limit=2&cursor=")
    assert pages == 3
    assert len(found) == len(set(found)) == 5
    assert found == sorted(found)


def test_the_number_of_queries_is_constant(connector: Connector, olga: User) -> None:
    paths = ("/api/stations/", "/api/stations/station-0/", "/api/power-banks/")
    counts: list[list[int]] = []
    for numbers in (range(1), range(1, 12)):
        for number in numbers:
            banks = {slot: f"{number}-{slot}" for slot in range(1, 2 + number)}
            connector.send(full(banks, at=T0 + number, serial=f"station-{number}", total=12))
        counts.append([])
        for path in paths:
            with CaptureQueriesContext(connection) as caught:
                assert get(olga, path).status_code == 200
            counts[-1].append(len(caught))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 6


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/api/stations/?limit=0", "limit"),
        ("/api/stations/?limit=1001", "limit"),
        ("/api/power-banks/?limit=x", "limit"),
        ("/api/stations/?cursor=%00", "cursor"),
        ("/api/power-banks/?cursor=a%00b", "cursor"),
        ("/api/power-banks/?station=%00", "station"),
        ("/api/stations/?status=GONE", "status"),
        ("/api/power-banks/?status=ONLINE", "status"),
    ],
)
@pytest.mark.sqlite_only
def test_parameters(olga: User, path: str, place: str) -> None:
    reply = get(olga, path)
    assert (reply.status_code, reply.json()["error"], list(reply.json()["errors"])) == (
        400,
        "VALIDATION_ERROR",
        [place],
    )


@pytest.mark.alike
def test_who_may_read(connector: Connector, olga: User) -> None:
    connector.send(full(at=T0))
    vera = User.objects.create_user("vera", "vera@example.com", "a long walk to the well")
    for path in ("/api/stations/", f"/api/stations/{SERIAL}/", "/api/power-banks/"):
        assert get(None, path).json()["error"] == "AUTHENTICATION_FAILED"
        assert get(vera, path).json()["error"] == "PERMISSION_DENIED"
        assert get(olga, path).status_code == 200
        assert connector.send(b"", path=path, method="GET").status_code == 200
    for serial in ("nowhere", "%FF", "a%0Ab", "x" * 3000):
        reply = get(olga, f"/api/stations/{serial}")
        assert (reply.status_code, reply.json()["error"]) == (404, "STATION_NOT_FOUND")
    # PostgreSQL cannot even be asked for it.
    assert get(olga, "/api/stations/%00").json()["error"] == "NOT_FOUND"


@pytest.mark.parametrize(
    "path",
    [
        "/api/internal/stations",
        "/api/internal/stations/",
        "/api/internal/stations/nope",
        "/api/internal/stations/data/x",
        f"/api/stations/{SERIAL}/slots",
        "/api/power-banks/BANK-A",
    ],
)
@pytest.mark.sqlite_only
def test_unknown_paths_have_the_shape_of_this_api(olga: User, path: str) -> None:
    for reply in (get(olga, path), Client().post(path, b"{", content_type="application/json")):
        assert reply.status_code == 404
        assert reply.json() == {
            "success": False,
            "message": "There is nothing at this address.",
            "error": "NOT_FOUND",
        }


@pytest.mark.parametrize("path", ["/api/stationsfoo", "/api/internal/stationsfoo", "/api/power-banks-of-others"])
def test_other_paths_that_begin_alike_have_not(olga: User, path: str) -> None:
    assert get(olga, path).json() == {"detail": "There is nothing at this address.", "code": "not_found"}
    assert not has_own_shape(path)


@pytest.mark.alike
def test_admin_pages(connector: Connector) -> None:
    connector.send(full({1: "BANK-A"}, at=T0))
    connector.send(returned("BANK-A", 2, at=T0 + 1))
    connector.send(b"{}")
    root = User.objects.create_superuser("root", "root@example.com", "a long walk to the well")
    client = Client()
    client.force_login(root)
    for model in ("station", "powerbank", "powerbankreturn", "synclog"):
        page = client.get(f"/admin/stations/{model}/")
        assert page.status_code == 200
        assert b"/change/" in page.content
    line = SyncLog.objects.latest("pk")
    assert client.get(f"/admin/stations/synclog/{line.pk}/change/").status_code == 200
    station = PowerBank.objects.get().station
    assert station is not None
    page = client.get(f"/admin/stations/station/{station.pk}/change/")
    assert page.status_code == 200 and b"BANK-A" in page.content
    assert client.get("/admin/stations/station/add/").status_code == 403


def test_admin_pages_are_for_all_staff_to_read(connector: Connector, olga: User) -> None:
    """Without a permission of their own: the sync log is what an operator looks at when a partner calls."""
    connector.send(full({1: "BANK-A"}, at=T0))
    client = Client()
    client.force_login(olga)
    line = SyncLog.objects.get()
    assert b"applied" in client.get("/admin/stations/synclog/").content.lower()
    for path in (
        f"synclog/{line.pk}",
        f"station/{Station.objects.get().pk}",
        f"powerbank/{PowerBank.objects.get().pk}",
    ):
        page = client.get(f"/admin/stations/{path}/change/")
        assert page.status_code == 200
        assert b'<input type="submit"' not in page.content
        assert client.post(f"/admin/stations/{path}/delete/", {"post": "yes"}).status_code == 403
        assert client.post(f"/admin/stations/{path}/change/", {"status": "OFFLINE"}).status_code == 403
    assert b"BANK-A" in client.get(f"/admin/stations/station/{Station.objects.get().pk}/change/").content
    vera = User.objects.create_user("vera", "vera@example.com", "a long walk to the well")
    client.force_login(vera)
    assert client.get("/admin/stations/synclog/").status_code == 302


@pytest.mark.each_case
@pytest.mark.parametrize("page", ["station/", "powerbank/", "powerbankreturn/", "synclog/", "station/{}/change/"])
def test_admin_pages_cost_the_same_however_much_there_is(connector: Connector, page: str) -> None:
    client = Client()
    client.force_login(User.objects.create_superuser("root", "root@example.com", "a long walk to the well"))
    counts = []
    for size in (1, 6):
        for number in range(size):
            banks = {slot: f"BANK-{number}-{slot}" for slot in range(1, size + 1)}
            connector.send(full(banks, serial=f"station-{number}", total=8, at=T0 + size))
            connector.send(returned(f"BANK-{number}-1", 8, serial=f"station-{number}", at=T0 + size + 1))
        path = f"/admin/stations/{page.format(Station.objects.get(serial_number='station-0').pk)}"
        client.get(path)
        with CaptureQueriesContext(connection) as caught:
            assert client.get(path).status_code == 200
        counts.append(len(caught))
    assert counts[0] == counts[1]


def test_doubled_slashes_are_one(olga: User) -> None:
    """Contract, section 0: the data route is found, and takes POST only."""
    for path in ("/api/internal/stations/data", "/api/internal/stations//data", "/api//internal//stations/data"):
        reply = get(olga, path)
        assert (reply.status_code, reply.json()["error"]) == (405, "METHOD_NOT_ALLOWED")
