"""GET /api/stats/options/: what statistics may be asked of, and by whom."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device
from device_gateway.registry.services import archive_device
from device_gateway.tests.conftest import refusal
from telemetry.figures.statistics import statistics_options
from telemetry.machines.bindings import archive_machine, archive_outlet, register_machine
from telemetry.models import Outlet
from telemetry.tests.cast import NOON, Site

OPTIONS = ["/api/stats/options/", "/api/test/stats-options/"]


@pytest.mark.parametrize("path", OPTIONS)
def test_it_works(site: Site, path: str) -> None:
    Device.objects.create(device_id="spare")
    of_vera: dict[str, Any] = {
        "outlets": [{"id": site.outlet.pk, "name": "Chai Chee"}],
        "machines": [{"id": site.machine.pk, "name": "CH1/027/2024", "outlet_id": site.outlet.pk}],
        "devices": [{"id": site.device.pk, "device_id": "esp32-001", "name": "Left", "machine_id": site.machine.pk}],
        "more": [],
    }
    assert site.vera.read(path) == of_vera
    assert site.mallory.read(path) == {"outlets": [], "machines": [], "devices": [], "more": []}
    found = site.olga.read(path)
    assert [row["name"] for row in found["outlets"]] == ["Bedok", "Chai Chee"]
    assert [row["name"] for row in found["machines"]] == ["BD1/001/2025", "CH1/027/2024"]
    assert [(row["device_id"], row["machine_id"]) for row in found["devices"]] == [
        ("esp32-001", site.machine.pk),
        ("esp32-002", site.other_machine.pk),
        ("spare", None),
    ]
    assert site.olga.read(f"{path}?outlet_id={site.outlet.pk}") == {**of_vera, "outlets": found["outlets"]}
    chosen = site.olga.read(f"{path}?machine_id={site.machine.pk}")
    assert chosen == {**found, "devices": of_vera["devices"]}
    assert refusal(site.olga.get(f"{path}?outlet_id=x")) == (400, "invalid")
    for limit in ("0", "10001", "all"):
        assert refusal(site.olga.get(f"{path}?limit={limit}")) == (400, "invalid")


@pytest.mark.alike
def test_so_many_of_each_and_what_was_cut(site: Site) -> None:
    Device.objects.create(device_id="spare")
    first = site.olga.read(f"{OPTIONS[0]}?limit=1")
    assert [row["name"] for row in first["outlets"] + first["machines"]] == ["Bedok", "BD1/001/2025"]
    assert [row["device_id"] for row in first["devices"]] == ["esp32-001"]
    assert first["more"] == ["outlets", "machines", "devices"]
    assert site.olga.read(f"{OPTIONS[0]}?limit=2")["more"] == ["devices"]
    assert site.olga.read(f"{OPTIONS[0]}?limit=3") == site.olga.read(OPTIONS[0])


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("words", "outlets", "machines", "devices"),
    [
        ("CHAI", ["Chai Chee"], ["CH1/027/2024"], ["esp32-001"]),
        ("002", [], ["BD1/001/2025"], ["esp32-002"]),
        ("bedok esp32", [], ["BD1/001/2025"], ["esp32-002"]),
        ("spare", [], [], ["spare"]),
        ("nobody", [], [], []),
    ],
)
def test_words(site: Site, words: str, outlets: list[str], machines: list[str], devices: list[str]) -> None:
    Device.objects.create(device_id="spare")
    found = site.olga.read(f"{OPTIONS[0]}?q={words}")
    names = [[row["name"] for row in found[kind]] for kind in ("outlets", "machines")]
    assert names == [outlets, machines]
    assert [row["device_id"] for row in found["devices"]] == devices
    assert site.mallory.read(f"{OPTIONS[0]}?q={words}") == {"outlets": [], "machines": [], "devices": [], "more": []}


def test_the_first_of_many_and_the_one_that_was_chosen(site: Site) -> None:
    """As a page offers them; of no more is anything read."""

    def offered(most: int, machine: int | None = None) -> tuple[list[str], list[str]]:
        with CaptureQueriesContext(connection) as queries:
            found = statistics_options(site.olga.user, machine_id=machine, most=most)
        first = [one["sql"] for one in queries.captured_queries if "telemetry_outlet" not in one["sql"]]
        assert all(" LIMIT " in sql or f'"telemetry_machine"."id" = {machine}' in sql for sql in first)
        machines = [row["name"] + " (deleted)" * row.get("archived", False) for row in found["machines"]]
        return machines, [row["device_id"] for row in found["devices"]]

    assert offered(1) == (["BD1/001/2025"], ["esp32-001"])
    assert offered(1, site.machine.pk) == (["BD1/001/2025", "CH1/027/2024"], ["esp32-001"])
    assert offered(2, site.machine.pk) == (["BD1/001/2025", "CH1/027/2024"], ["esp32-001"])
    archive_machine(machine=site.machine)
    assert offered(1) == (["BD1/001/2025"], ["esp32-001"])
    assert offered(1, site.machine.pk) == (["BD1/001/2025", "CH1/027/2024 (deleted)"], [])
    assert offered(5) == (["BD1/001/2025", "CH1/027/2024 (deleted)"], ["esp32-001", "esp32-002"])


@pytest.mark.parametrize("who", ["olga", "vera"])
def test_what_is_archived_comes_last_and_says_so(site: Site, who: str) -> None:
    archive_machine(machine=site.machine)
    archive_outlet(outlet=site.outlet)
    archive_device(device=site.device, now=NOON)
    found = getattr(site, who).read(OPTIONS[0])
    device = {"id": site.device.pk, "device_id": "esp32-001", "name": "Left", "machine_id": None, "archived": True}
    assert found.pop("more") == []
    assert {name: rows[-1] for name, rows in found.items()} == {
        "outlets": {"id": site.outlet.pk, "name": "Chai Chee", "archived": True},
        "machines": {"id": site.machine.pk, "name": "CH1/027/2024", "outlet_id": None, "archived": True},
        "devices": device,
    }
    live = [[row for row in rows if "archived" not in row] for rows in found.values()]
    assert [len(rows) for rows in live] == ([1, 1, 1] if who == "olga" else [0, 0, 0])
    there = getattr(site, who).read(f"{OPTIONS[0]}?outlet_id={site.outlet.pk}")
    assert [row["id"] for row in there["machines"]] == [site.machine.pk]


def test_as_many_queries_for_any_number(site: Site) -> None:
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            site.olga.read(OPTIONS[0])
        return len(captured)

    few = queries()
    for number in range(5):
        outlet = Outlet.objects.create(name=f"Outlet {number}")
        register_machine(device=Device.objects.create(device_id=f"more-{number}"), outlet=outlet)
    assert queries() == few
