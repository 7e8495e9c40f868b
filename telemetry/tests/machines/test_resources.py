"""Outlets, machines and devices as people write them: no member is passed over, no change overwritten unseen."""

from typing import Any

import pytest

from device_gateway.models import Device
from device_gateway.tests.conftest import at_once
from telemetry.models import Machine, Outlet
from telemetry.tests.cast import Site
from tests.support.postgres import just_before

KINDS = ("outlet", "machine", "device")


def path(site: Site, kind: str) -> str:
    return f"/api/{kind}s/{getattr(site, kind).pk}/"


def write(site: Site, kind: str, value: Any, method: str = "PATCH", **headers: str) -> Any:
    return site.olga.ask(method, path(site, kind), value, **headers)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unknown", ["nmae", "archived", "", "x" * 300, "Ωutlet", "__class__"])
@pytest.mark.sqlite_only
def test_an_unknown_field_is_named(site: Site, kind: str, unknown: str) -> None:
    before = site.olga.read(path(site, kind))
    answer = write(site, kind, {unknown: 1, "name": "new"})
    assert (answer.status, answer.json()["code"], list(answer.json()["errors"])) == (400, "invalid", [unknown])
    assert site.olga.read(path(site, kind)) == before
    made = site.olga.post(f"/api/{kind}s/", {"name": "new", unknown: 1})
    assert (made.status, list(made.json()["errors"])) == (400, [unknown])
    assert [model.objects.filter(name="new").count() for model in (Outlet, Machine, Device)] == [0, 0, 0]


@pytest.mark.alike
def test_of_many_unknown_fields_some_are_named(site: Site) -> None:
    """A reply that named all would be seventeen times as long as what was sent."""
    answer = write(site, "outlet", {f"{n}": 0 for n in range(20_000)})
    assert (answer.status, list(answer.json()["errors"])) == (400, [f"{n}" for n in range(20)])
    keep = {"device_id": None, "keep": {f"{n:05}": 0 for n in range(20_000)}}
    answer = site.olga.post(f"/api/machines/{site.machine.pk}/device/", keep)
    assert (answer.status, len(answer.json()["errors"])) == (400, 20)


@pytest.mark.alike
@pytest.mark.parametrize(
    ("kind", "member"),
    [
        ("outlet", {"id": 99}),
        ("machine", {"id": 99}),
        ("machine", {"device_id": "esp32-002"}),
        ("device", {"id": 99}),
        ("outlet", {"outlet_id": 99}),
        ("outlet", {"outlet_name": "x"}),
        ("machine", {"machine_code": "x"}),
        ("machine", {"outlet_name": None}),
        ("machine", {"device_id": None}),
        ("device", {"id": True}),
        ("device", {"encryption": "AESGCM"}),
        ("device", {"created_at": "2026-01-01T00:00:00Z"}),
    ],
)
def test_what_can_only_be_read_must_be_what_is_stored(site: Site, kind: str, member: dict[str, Any]) -> None:
    answer = write(site, kind, {"name": "new", **member})
    assert (answer.status, list(answer.json()["errors"])) == (400, list(member))
    assert site.olga.read(path(site, kind))["name"] != "new"


def test_a_machines_device_is_written_elsewhere_and_says_where(site: Site) -> None:
    told = write(site, "machine", {"device_id": "esp32-002"}).json()["errors"]["device_id"]
    assert "POST /api/machines/<id>/device/" in told[0]


@pytest.mark.each_case
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_read_can_be_written_back(site: Site, kind: str) -> None:
    """With figures that have changed meanwhile: they are computed."""
    read = site.olga.read(path(site, kind))
    stale = {"counts": {"basic": 7}, "status": "offline", "machine_count": 9, "last_seen": None, "credential": None}
    body = {**read, **{name: value for name, value in stale.items() if name in read}}
    answer = write(site, kind, body, "PATCH" if kind == "device" else "PUT")
    assert (answer.status, answer.json()) == (200, read)


@pytest.mark.alike
@pytest.mark.parametrize("kind", KINDS)
class TestEtag:
    def test_a_write_that_saw_the_latest(self, site: Site, kind: str) -> None:
        etag = site.olga.get(path(site, kind)).headers["etag"]
        answer = write(site, kind, {"name": "new"}, If_Match=etag)
        assert answer.status == 200
        assert answer.headers["etag"] == site.olga.get(path(site, kind)).headers["etag"] != etag

    def test_one_that_did_not(self, site: Site, kind: str) -> None:
        etag = site.olga.get(path(site, kind)).headers["etag"]
        assert write(site, kind, {"name": "first"}).status == 200
        for method in ("PATCH", "DELETE") if kind == "device" else ("PATCH", "PUT", "DELETE"):
            late = write(site, kind, {"name": "second"}, method, If_Match=etag)
            assert (late.status, late.json()["code"]) == (412, "changed_meanwhile")
        assert site.olga.read(path(site, kind))["name"] == "first"

    @pytest.mark.parametrize("spelling", ["*", "W/{}", '"other", {}', '"other",W/{}'])
    @pytest.mark.sqlite_only
    def test_spellings_that_match(self, site: Site, kind: str, spelling: str) -> None:
        etag = site.olga.get(path(site, kind)).headers["etag"]
        assert write(site, kind, {"name": "new"}, If_Match=spelling.format(etag)).status == 200

    @pytest.mark.parametrize("told", ['"other"', "other", "", ",", 'W/"x", "y"'])
    @pytest.mark.sqlite_only
    def test_what_matches_nothing(self, site: Site, kind: str, told: str) -> None:
        assert write(site, kind, {"name": "new"}, If_Match=told).status == 412

    def test_it_is_of_what_is_stored_not_of_figures(self, site: Site, kind: str) -> None:
        etag = site.olga.get(path(site, kind)).headers["etag"]
        site.device.state.last_seen = None
        Machine.objects.create(name="one more", outlet=site.outlet)
        assert site.olga.get(path(site, kind)).headers["etag"] == etag


@pytest.mark.each_case
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_of_two_at_once_one_is_told(site: Site, kind: str) -> None:
    etag = site.olga.get(path(site, kind)).headers["etag"]
    statuses = at_once(2, lambda n: write(site, kind, {"name": f"name {n}"}, If_Match=etag).status)
    assert sorted(statuses) == [200, 412]


@pytest.mark.each_case
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", KINDS)
def test_whoever_waited_for_another_is_told(site: Site, kind: str) -> None:
    etag = site.olga.get(path(site, kind)).headers["etag"]
    with just_before(lambda: write(site, kind, {"name": "first"})):
        assert write(site, kind, {"name": "second"}, If_Match=etag).status == 412
    assert site.olga.read(path(site, kind))["name"] == "first"
