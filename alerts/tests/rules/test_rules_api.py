"""`/api/alert-rules/`: thresholds that people set, and what holds for a device."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from alerts.conditions.models import Rule, Watch
from alerts.incidents import happening
from alerts.incidents.models import Incident
from telemetry.tests.cast import Site

pytestmark = pytest.mark.django_db
PATH = "/api/alert-rules/"
PLAIN = {"field": "", "is_on": True, "seconds": None, "number": None, "low": None, "high": None}


@pytest.fixture
def site() -> Site:
    return Site.laid()


def test_it_works(site: Site) -> None:
    Watch.objects.create(device=site.device, alert_after=timezone.now() + timedelta(hours=1))
    answer = site.olga.post(PATH, {"kind": "silent", "device_id": "esp32-001", "seconds": 900})
    rule = Rule.objects.get()
    expected = {**PLAIN, "id": rule.pk, "kind": "silent", "device_id": "esp32-001", "outlet": None, "seconds": 900}
    assert (answer.status, answer.json()) == (200, expected)
    assert site.vera.read(PATH) == [expected]
    assert site.mallory.read(PATH) == []
    assert Watch.objects.get().alert_after <= timezone.now()  # type: ignore[operator]
    again = site.olga.post(PATH, {"kind": "silent", "device_id": "esp32-001", "seconds": 1200})
    assert (again.json()["id"], again.json()["seconds"]) == (rule.pk, 1200)
    assert site.vera.read(f"{PATH}effective/?device_id=esp32-001") == {
        "device_id": "esp32-001",
        "after_seconds": 1200,
        "source": "device",
        "usual_seconds": None,
    }
    assert site.vera.delete(f"{PATH}{rule.pk}/").status == 403
    assert site.olga.delete(f"{PATH}{rule.pk}/").status == 204
    assert site.vera.read(f"{PATH}effective/?device_id=esp32-001")["source"] == "default"


def test_what_was_learnt_is_shown(site: Site) -> None:
    """A meter that sends every six hours: twelve hours are not usual any more."""
    now = timezone.now()
    Watch.objects.create(device=site.device, alert_after=now + timedelta(hours=1))
    for number in range(1, 30):
        at = now - number * timedelta(hours=6)
        site.device.telemetry.create(occurred_at=at, received_at=at, payload={})
    assert site.vera.read(f"{PATH}effective/?device_id=esp32-001") == {
        "device_id": "esp32-001",
        "after_seconds": 43_200,
        "source": "learnt",
        "usual_seconds": 21_600,
    }
    assert site.mallory.get(f"{PATH}effective/?device_id=esp32-001").status == 404


@pytest.mark.django_db(transaction=True)
def test_off_ends_what_is_open(site: Site) -> None:
    now = timezone.now()
    one = Incident.objects.create(
        kind="silent", subject_key="device:1", subject="m", device=site.device, outlet=site.outlet, since=now,
        opened_at=now, told_at=now,
    )  # fmt: skip
    assert site.olga.post(PATH, {"kind": "silent", "outlet": site.outlet.pk, "is_on": False}).status == 200
    one.refresh_from_db()
    assert one.ended_at is not None


@pytest.mark.django_db(transaction=True)
def test_off_leaves_what_is_not_by_it(site: Site) -> None:
    """What a nearer rule holds, and the readings of another field."""
    now = timezone.now()
    for device in (site.device, site.other_device):
        for key, facts in (("silent", {}), ("reading", {"field": "voltage"}), ("reading", {"field": "current"})):
            Incident.objects.create(
                kind=key, subject_key=f"device:{device.pk}:{facts.get('field')}", subject="m", device=device,
                since=now, opened_at=now, told_at=now, facts=facts,
            )  # fmt: skip
    Rule.objects.create(kind="silent", device=site.device, seconds=900, changed_at=now)
    assert site.olga.post(PATH, {"kind": "silent", "is_on": False}).status == 200
    assert site.olga.post(PATH, {"kind": "reading", "field": "current", "is_on": False}).status == 200
    still = Incident.objects.filter(ended_at=None).values_list("device", "kind", "facts__field")
    assert set(still) == {
        (site.device.pk, "silent", None),
        (site.device.pk, "reading", "voltage"),
        (site.other_device.pk, "reading", "voltage"),
    }


@pytest.mark.django_db(transaction=True)
def test_off_for_all_ends_thousands_some_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes beside it waits for one portion, never for all of them."""
    now = timezone.now()
    Incident.objects.bulk_create(
        Incident(kind="silent", subject_key=f"device:{at}", subject="m", since=now, opened_at=now) for at in range(7)
    )
    monkeypatch.setattr(happening, "MOST", 2)
    with CaptureQueriesContext(connection) as asked:
        assert site.olga.post(PATH, {"kind": "silent", "is_on": False}).status == 200
    assert not Incident.objects.filter(ended_at=None).exists()
    writes = "".join("c" if _is(query, "COMMIT") else "e" for query in asked if _is(query, "COMMIT", ENDING))
    assert [len(some) for some in writes.split("c") if some] == [2, 2, 2, 1]


ENDING = 'UPDATE "alerts_incident"'


def _is(query: dict[str, str], *begins: str) -> bool:
    return query["sql"].startswith(begins)


def test_of_one_thing(site: Site) -> None:
    both = {"kind": "silent", "seconds": 900, "outlet": site.outlet.pk, "device_id": "esp32-001"}
    answer = site.olga.post(PATH, both)
    assert (answer.status, list(answer.json()["errors"])) == (400, ["outlet"])
    for unknown in ({"outlet": 9_999}, {"device_id": "nobody"}):
        assert site.olga.post(PATH, {"kind": "silent", "seconds": 900, **unknown}).status == 404
    assert not Rule.objects.exists()


@pytest.mark.alike
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "noise"}, "kind"),
        ({"seconds": 60}, "seconds"),
        ({"seconds": "900"}, "seconds"),
        ({"field": "voltage"}, "field"),
        ({"kind": "reading"}, "field"),
        ({"kind": "reading", "field": "voltage", "low": 3, "high": 3}, "high"),
        ({"color": "red"}, "color"),
    ],
)
def test_what_cannot_be_set(site: Site, change: dict[str, Any], field: str) -> None:
    answer = site.olga.post(PATH, {"kind": "silent", **change})
    assert answer.status == 400
    assert list(answer.json()["errors"]) == [field]
    assert not Rule.objects.exists()
