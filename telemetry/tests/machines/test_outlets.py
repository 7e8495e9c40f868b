"""/api/outlets/: staff writes, others read what holds their devices."""

from typing import Any

import pytest
from django.db import connection

from device_gateway.models import Device
from device_gateway.tests.conftest import cookie_of, refusal
from telemetry.machines.bindings import archive_machine, register_machine
from telemetry.models import Machine, Outlet
from telemetry.tests.cast import Person, Site, bearer, history
from tests.support.doors import DjangoDoor, Door

OUTLETS = "/api/outlets/"
FIELDS: dict[str, Any] = {
    "name": "Tampines",
    "region": "East",
    "address": "10 Tampines Central 1",
    "contact_person": "Mr Tan",
    "is_active": False,
    "total_sva": 4,
    "average_intage_services": 12.5,
    "number_of_machines": 3,
    "opening_hours": "Mo-Sa 07:00-22:00",
}


def test_it_works(site: Site) -> None:
    answer = site.olga.post(OUTLETS, FIELDS)
    number = Outlet.objects.get(name="Tampines").pk
    expected = {"id": number, **FIELDS, "machine_count": 0, "outlet_id": number, "outlet_name": "Tampines"}
    assert (answer.status, answer.json()) == (201, expected)
    assert site.olga.read(f"{OUTLETS}{number}/") == expected
    assert site.olga.read(OUTLETS)[-1] == expected
    answer = site.olga.ask("PUT", f"{OUTLETS}{number}/", {"name": "Simei", "total_sva": None})
    expected |= {"name": "Simei", "outlet_name": "Simei", "total_sva": None}
    assert (answer.status, answer.json()) == (200, expected)
    answer = site.olga.patch(f"{OUTLETS}{number}/", {"is_active": True})
    assert (answer.status, answer.json()) == (200, {**expected, "is_active": True})
    answer = site.olga.delete(f"{OUTLETS}{number}/")
    assert (answer.status, answer.body) == (204, b"")
    assert refusal(site.olga.get(f"{OUTLETS}{number}/")) == (404, "unknown_outlet")
    assert [outlet["name"] for outlet in site.olga.read(OUTLETS)] == ["Chai Chee", "Bedok"]


def test_only_a_name_is_needed(site: Site) -> None:
    answer = site.olga.post(OUTLETS, {"name": "Simei"})
    number = Outlet.objects.get(name="Simei").pk
    assert (answer.status, answer.json()) == (
        201,
        {
            "id": number,
            "name": "Simei",
            "region": "",
            "address": "",
            "contact_person": "",
            "is_active": True,
            "total_sva": None,
            "average_intage_services": None,
            "number_of_machines": None,
            "opening_hours": "",
            "machine_count": 0,
            "outlet_id": number,
            "outlet_name": "Simei",
        },
    )


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.both_doors
def test_both_doors_and_both_paths(door: Door, staff: str, slash: str) -> None:
    every = f"/api/outlets{slash}"
    assert door.post(every, {"name": "Simei"}, staff).status == 201
    one = f"/api/outlets/{Outlet.objects.get().pk}{slash}"
    answer = door.send("GET", one, headers=bearer(staff))
    assert (answer.status, answer.json()["name"]) == (200, "Simei")
    wrong = door.send("PATCH", every, b"{}", bearer(staff))
    assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, POST, HEAD")
    wrong = door.send("POST", one, b"{}", bearer(staff))
    assert (refusal(wrong), wrong.headers["allow"]) == ((405, "method_not_allowed"), "GET, PUT, PATCH, DELETE, HEAD")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "  "}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "x", "region": 5}, "region"),
        ({"name": "x", "address": "x" * 501}, "address"),
        ({"name": "x", "contact_person": None}, "contact_person"),
        ({"name": "x", "is_active": "no"}, "is_active"),
        ({"name": "x", "is_active": None}, "is_active"),
        ({"name": "x", "total_sva": "5"}, "total_sva"),
        ({"name": "x", "total_sva": -1}, "total_sva"),
        ({"name": "x", "total_sva": 2**31}, "total_sva"),
        ({"name": "x", "number_of_machines": 1.5}, "number_of_machines"),
        ({"name": "x", "opening_hours": "from 7 to 22"}, "opening_hours"),
        ({"name": "x", "average_intage_services": "NaN"}, "average_intage_services"),
        ({"name": "x", "average_intage_services": True}, "average_intage_services"),
        ({"name": "x", "average_intage_services": []}, "average_intage_services"),
    ],
)
@pytest.mark.sqlite_only
def test_invalid_fields_are_named(site: Site, body: Any, field: str) -> None:
    for method, path in (("POST", OUTLETS), ("PUT", f"{OUTLETS}{site.outlet.pk}/")):
        answer = site.olga.ask(method, path, body)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == [field]
    assert [outlet.name for outlet in Outlet.objects.all()] == ["Chai Chee", "Bedok"]


@pytest.mark.parametrize("body", [b"", b"[]", b"7", b"{", b'{"name": "a", "name": "b"}', b'{"name": "\\u0000"}'])
@pytest.mark.alike
def test_what_is_no_outlet(site: Site, body: bytes) -> None:
    assert site.olga.post(OUTLETS, body).status == 400
    assert Outlet.objects.count() == 2


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("is_active=true", ["Bedok"]),
        ("is_active=1", ["Bedok"]),
        ("is_active=false", ["Chai Chee"]),
        ("is_active=False", ["Chai Chee"]),
        ("", ["Chai Chee", "Bedok"]),
    ],
)
def test_the_filter(site: Site, query: str, names: list[str]) -> None:
    Outlet.objects.filter(name="Chai Chee").update(is_active=False)
    assert [outlet["name"] for outlet in site.olga.read(f"{OUTLETS}?{query}")] == names


def test_a_bad_filter_is_named(site: Site) -> None:
    answer = site.olga.get(f"{OUTLETS}?is_active=perhaps")
    assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["is_active"])


class TestWho:
    @pytest.mark.alike
    def test_others_read_what_holds_their_devices(self, site: Site) -> None:
        # Another machine at the same outlet, with a device of nobody: she is not told how many there are.
        register_machine(device=Device.objects.create(), outlet=site.outlet)
        (seen,) = site.vera.read(OUTLETS)
        assert (seen["name"], seen["machine_count"]) == ("Chai Chee", 1)
        assert site.vera.read(f"{OUTLETS}{site.outlet.pk}/") == seen
        assert site.olga.read(f"{OUTLETS}{site.outlet.pk}/")["machine_count"] == 2
        assert refusal(site.vera.get(f"{OUTLETS}{site.other_outlet.pk}/")) == (404, "unknown_outlet")
        assert site.mallory.read(OUTLETS) == []
        assert refusal(site.mallory.get(f"{OUTLETS}{site.outlet.pk}/")) == (404, "unknown_outlet")

    @pytest.mark.parametrize(("who", "expected"), [("vera", 403), ("mallory", 403), ("nobody", 401)])
    def test_only_staff_writes(self, site: Site, who: str, expected: int) -> None:
        person: Person = getattr(site, who)
        one = f"{OUTLETS}{site.outlet.pk}/"
        for method, path in (("POST", OUTLETS), ("PUT", one), ("PATCH", one), ("DELETE", one)):
            assert person.ask(method, path, {"name": "Mine"}).status == expected
        assert list(Outlet.objects.values_list("name", "archived_at")) == [("Chai Chee", None), ("Bedok", None)]

    def test_signed_out(self, site: Site) -> None:
        assert refusal(site.nobody.get(OUTLETS)) == (401, "signed_out")
        assert refusal(site.nobody.get(f"{OUTLETS}{site.outlet.pk}/")) == (401, "signed_out")

    def test_a_session_does(self, site: Site) -> None:
        assert site.olga.user
        answer = DjangoDoor().send("GET", OUTLETS, headers=cookie_of(site.olga.user))
        assert (answer.status, len(answer.json())) == (200, 2)


@pytest.mark.alike
def test_an_archived_outlet_leaves_its_machines(site: Site) -> None:
    begin = history(machine=site.machine)[0][3]
    assert site.olga.delete(f"{OUTLETS}{site.outlet.pk}/").status == 204
    end = Outlet.objects.get(pk=site.outlet.pk).archived_at
    assert history(machine=site.machine) == [
        ("CH1/027/2024", "esp32-001", "Chai Chee", begin, end, False),
        ("CH1/027/2024", "esp32-001", None, end, None, True),
    ]
    machine = site.olga.read(f"/api/machines/{site.machine.pk}/")
    assert (machine["outlet"], machine["outlet_name"], machine["device_id"]) == (None, None, "esp32-001")
    assert [(row[2], row[5]) for row in history(machine=site.other_machine)] == [("Bedok", True)]
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = site.olga.ask(method, f"{OUTLETS}{site.outlet.pk}/", {"name": "x"})
        assert refusal(answer) == (404, "unknown_outlet")


def test_an_archived_machine_is_not_counted(site: Site) -> None:
    archive_machine(machine=site.machine)
    assert site.olga.read(f"{OUTLETS}{site.outlet.pk}/")["machine_count"] == 0


@pytest.mark.each_case
@pytest.mark.parametrize("number", ["0", "99999", "999999999999999999", "9" * 30, "x", "1.0", "-1"])
def test_no_such_outlet(site: Site, number: str) -> None:
    assert site.olga.get(f"{OUTLETS}{number}/").status == 404


def test_they_are_in_the_order_of_their_ids(site: Site) -> None:
    Outlet.objects.bulk_create(Outlet(name=f"Outlet {number}") for number in range(40))
    if connection.vendor == "postgresql":  # grouped by hash, as it groups many: rows then come in no order
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_indexscan = off")
    numbers = [outlet["id"] for outlet in site.olga.read(OUTLETS)]
    assert numbers == sorted(numbers)
    assert len(numbers) == 42


def test_any_number_of_outlets_is_as_many_queries(site: Site, django_assert_num_queries: Any) -> None:
    for who, budget in ((site.olga, 3), (site.vera, 3)):  # the account, its groups, the list
        with django_assert_num_queries(budget):
            who.read(OUTLETS)
    outlets = Outlet.objects.bulk_create(Outlet(name=f"Outlet {number}") for number in range(40))
    Machine.objects.bulk_create(Machine(name="m", outlet=outlet) for outlet in outlets)
    with django_assert_num_queries(3):
        assert len(site.olga.read(OUTLETS)) == 42
