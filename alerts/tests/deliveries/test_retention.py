"""What goes when: the log after DELIVERY_LOG_DAYS, incidents INCIDENT_DAYS after their end."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from alerts.deliveries import retention
from alerts.deliveries.models import TEST, Delivery
from alerts.deliveries.retention import prune
from alerts.incidents.models import Incident
from alerts.tests.telling import channel, incident
from telemetry.tests.cast import DAY, NOON, Site


@pytest.fixture
def site(db: None) -> Site:
    return Site.laid()


def test_the_log(site: Site, settings: Settings) -> None:
    settings.DELIVERY_LOG_DAYS = 30
    to = channel(site.vera.user, NOON - 60 * DAY)
    for days in (31, 30, 29):
        at = NOON - days * DAY
        Delivery.objects.create(
            channel=to, person=to.person, key=f"{TEST}:{days}", type=TEST, at=at, data={}, created_at=at, state="sent"
        )
    assert not prune(NOON)
    assert set(Delivery.objects.values_list("key", flat=True)) == {f"{TEST}:30", f"{TEST}:29"}


def test_incidents(site: Site, settings: Settings) -> None:
    """Those that are open stay, however old; what was told of one that goes stays as long as the log."""
    settings.INCIDENT_DAYS, settings.DELIVERY_LOG_DAYS = 100, 1000
    to = channel(site.vera.user, NOON)
    old, late, is_open = (
        incident(NOON - 200 * DAY, subject_key=f"device:{number}", ended_at=ended)
        for number, ended in enumerate((NOON - 101 * DAY, NOON - 99 * DAY, None))
    )
    member = incident(NOON, subject_key="device:9", held_by=old)
    Delivery.objects.create(
        channel=to, person=to.person, key="k", type="incident.opened", at=NOON, data={"id": old.pk}, incident=old
    )
    assert not prune(NOON)
    assert set(Incident.objects.all()) == {late, is_open, member}
    member.refresh_from_db()
    row = Delivery.objects.get()
    assert (member.held_by, row.incident, row.data) == (None, None, {"id": old.pk})


def test_some_at_a_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_A_TIME", 2)
    for number in range(5):
        incident(NOON, subject_key=f"device:{number}", ended_at=NOON - 1000 * DAY)
    left = []
    while prune(NOON):
        left.append(Incident.objects.count())
    assert (left, Incident.objects.count()) == ([3, 1], 0)


@pytest.mark.alike
def test_where_nothing_is_old_two_queries_are_asked(site: Site) -> None:
    incident(NOON, ended_at=NOON)
    with CaptureQueriesContext(connection) as captured:
        assert not prune(NOON)
    assert len(captured.captured_queries) == 2
