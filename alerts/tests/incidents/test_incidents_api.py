"""`/api/incidents/` and `/api/maintenance/`."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alerts.incidents import views
from alerts.incidents.happening import ACKNOWLEDGED, Happening, announcing
from alerts.incidents.models import Incident, Maintenance
from telemetry.tests.cast import Site

pytestmark = pytest.mark.django_db
PATH = "/api/incidents/"


@pytest.fixture
def site() -> Site:
    return Site.laid()


def silent(site: Site, **fields: Any) -> Incident:
    now = timezone.now()
    return Incident.objects.create(
        **{
            "kind": "silent",
            "subject_key": f"device:{site.device.pk}",
            "subject": "CH1/027/2024 at Chai Chee",
            "device": site.device,
            "machine": site.machine,
            "outlet": site.outlet,
            "since": now - timedelta(hours=1),
            "opened_at": now,
            "told_at": now,
            "facts": {"polled": True, "usual_seconds": 7200},
            **fields,
        }
    )


def test_it_works(site: Site, settings: Any) -> None:
    settings.STATS_TIME_ZONE = "Asia/Singapore"
    since = timezone.datetime.fromisoformat("2026-03-01T12:00:00Z")  # type: ignore[attr-defined]
    incident = silent(site, since=since, opened_at=since + timedelta(hours=4), told_at=since + timedelta(hours=4))
    assert site.vera.read(PATH) == [
        {
            "id": incident.pk,
            "kind": "silent",
            "subject": "CH1/027/2024 at Chai Chee",
            "device_id": "esp32-001",
            "machine_id": site.machine.pk,
            "outlet_id": site.outlet.pk,
            "station": None,
            "title": "Silent: CH1/027/2024 at Chai Chee",
            "sentence": "It has last polled at 2026-03-01 20:00. On a usual day it is silent for 2 h at most.",
            "advice": "Is it switched on, and does its network work? Its page tells its last words.",
            "since": "2026-03-01T12:00:00Z",
            "opened_at": "2026-03-01T16:00:00Z",
            "ended_at": None,
            "told_at": "2026-03-01T16:00:00Z",
            "held_by": None,
            "times": 1,
            "acknowledged_by": None,
            "acknowledged_at": None,
            "note": "",
            "snoozed_until": None,
            "escalated_at": None,
            "cause": "",
            "facts": {"polled": True, "usual_seconds": 7200},
        }
    ]
    assert site.vera.read(f"{PATH}{incident.pk}") == site.vera.read(PATH)[0]


def test_filters(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    now = timezone.now()
    first = silent(site, opened_at=now - timedelta(days=3), ended_at=now - timedelta(days=2))
    second = silent(site, kind="held_up")
    held = silent(site, told_at=None)

    def found(query: str) -> list[int]:
        return [row["id"] for row in site.olga.read(f"{PATH}?{query}")]

    assert found("") == [second.pk, first.pk]
    assert found("open=true") == [second.pk]
    assert found("open=false") == [first.pk]
    assert found("held=true") == [held.pk, second.pk, first.pk]
    assert found("kind=silent") == [first.pk]
    assert found(f"outlet_id={site.outlet.pk}&machine_id={site.machine.pk}&device_id=esp32-001&kind=silent") == [
        first.pk
    ]
    assert found(f"outlet_id={site.other_outlet.pk}") == []
    assert found(f"end={(now - timedelta(days=2)).date()}") == [first.pk]
    assert found(f"start={(now - timedelta(days=2)).date()}") == [second.pk]
    monkeypatch.setattr(views, "AT_ONCE", 1)
    assert found("held=true") == [held.pk, second.pk, first.pk]
    answer = site.olga.get(f"{PATH}?limit=1")
    assert [row["id"] for row in answer.json()] == [second.pk]
    assert f"before={second.pk}" in answer.headers["link"]
    assert found(f"limit=1&before={second.pk}") == [first.pk]


@pytest.mark.parametrize("query", ["kind=noise", "open=maybe", "device_id=nobody", "limit=0", "start=soon"])
@pytest.mark.alike
def test_what_cannot_be_asked(site: Site, query: str) -> None:
    assert site.olga.get(f"{PATH}?{query}").status in (400, 404)


@pytest.mark.alike
def test_whose_they_are(site: Site) -> None:
    """The outlet's are seen by whoever has a machine there; the server's by staff."""
    silent(site, device=None, machine=None, kind="outlet_silent", subject_key=f"outlet:{site.outlet.pk}")
    silent(site, device=None, machine=None, outlet=None, kind="nothing_heard", subject_key="system")
    silent(site, device=site.other_device, machine=None, outlet=None, subject_key="device:x")
    assert [row["kind"] for row in site.vera.read(PATH)] == ["outlet_silent"]
    assert len(site.olga.read(PATH)) == 3
    assert site.mallory.read(PATH) == []
    assert site.nobody.get(PATH).status == 401


def test_acknowledging(site: Site) -> None:
    incident = silent(site)
    told: list[Happening] = []
    announcing.append(told.extend)
    try:
        answer = site.vera.post(f"{PATH}{incident.pk}/acknowledge/", {"note": "on my way"})
    finally:
        announcing.remove(told.extend)
    assert answer.status == 200
    assert (answer.json()["acknowledged_by"], answer.json()["note"]) == ("vera", "on my way")
    assert [(happening.type, happening.incident.pk) for happening in told] == [(ACKNOWLEDGED, incident.pk)]
    assert site.mallory.post(f"{PATH}{incident.pk}/acknowledge/").status == 404
    assert site.vera.post(f"{PATH}{incident.pk}/acknowledge/", {"note": 1}).status == 400
    assert site.vera.post(f"{PATH}{incident.pk}/acknowledge/", {"text": "x"}).status == 400
    Incident.objects.update(ended_at=timezone.now())
    answer = site.vera.post(f"{PATH}{incident.pk}/acknowledge/", {})
    assert (answer.status, answer.json()["code"]) == (409, "incident_ended")


def test_snoozing(site: Site) -> None:
    incident = silent(site)
    path = f"{PATH}{incident.pk}/snooze/"
    until = (timezone.now() + timedelta(hours=2)).replace(microsecond=0)
    answer = site.vera.post(path, {"until": until.isoformat()})
    assert answer.status == 200
    incident.refresh_from_db()
    assert incident.snoozed_until == until
    for wrong in ({}, *({"until": word} for word in ("soon", "2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z"))):
        assert site.vera.post(path, wrong).status == 400


def test_maintenance(site: Site) -> None:
    window = {"outlet": site.outlet.pk, "start": "2026-03-01T00:00:00Z", "weekly": "Su 02:00-04:00", "note": "night"}
    answer = site.olga.post("/api/maintenance/", window)
    assert answer.status == 201
    made = Maintenance.objects.get()
    expected = {**window, "id": made.pk, "machine": None, "fleet": False, "end": None}
    assert answer.json() == expected
    assert site.vera.read("/api/maintenance/") == [expected]
    assert site.mallory.read("/api/maintenance/") == []
    assert site.vera.post("/api/maintenance/", window).status == 403
    assert site.olga.delete(f"/api/maintenance/{made.pk}/").status == 204
    assert site.olga.delete(f"/api/maintenance/{made.pk}/").status == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"outlet": None}, "outlet"),
        ({"fleet": True}, "outlet"),
        ({"weekly": ""}, "end"),
        ({"weekly": "on Sundays"}, "weekly"),
        ({"end": "2026-02-01T00:00:00Z"}, "end"),
        ({"start": "soon"}, "start"),
        ({"start": "0001-01-01T00:00:00Z"}, "start"),
        ({"end": "9999-12-31T23:59:59Z"}, "end"),
        ({"color": "red"}, "color"),
    ],
)
@pytest.mark.alike
def test_maintenance_that_cannot_be(site: Site, change: dict[str, Any], field: str) -> None:
    window = {"outlet": site.outlet.pk, "start": "2026-03-01T00:00:00Z", "weekly": "Su 02:00-04:00"}
    answer = site.olga.post("/api/maintenance/", {**window, **change})
    assert answer.status == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Maintenance.objects.exists()
