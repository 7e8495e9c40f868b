"""Who is told of what happens, and when: rows that are there when it has happened."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from alerts.channels.models import WEBHOOK, Channel
from alerts.deliveries.announcing import announce
from alerts.deliveries.claiming import GATHER, PACE
from alerts.deliveries.models import Delivery
from alerts.incidents.happening import ACKNOWLEDGED, ENDED, ESCALATED, OPENED, REMINDED, Happening
from alerts.incidents.models import Incident
from alerts.tests.telling import channel, incident, send, states, tell
from telemetry.tests.cast import DAY, HOUR, NOON, Site

MINUTE = timedelta(minutes=1)


@pytest.fixture
def site(db: None) -> Site:
    return Site.laid()


def vera(site: Site) -> Any:
    return site.vera.user


def told() -> dict[str, list[str]]:
    """By person the types of what they are told."""
    rows = Delivery.objects.order_by("id").values_list("person__username", "type")
    found: dict[str, list[str]] = {}
    for person, kind in rows:
        found.setdefault(person, []).append(kind.removeprefix("incident."))
    return found


def test_it_works(site: Site) -> None:
    to = channel(vera(site), NOON)
    one = incident(NOON, device=site.device, machine=site.machine, outlet=site.outlet)
    tell(one, NOON)
    row = Delivery.objects.get()
    assert (row.channel, row.person, row.type, row.state, row.incident) == (to, vera(site), OPENED, "waiting", one)
    assert (row.at, row.next_try, row.attempts, row.is_urgent) == (NOON, NOON + GATHER, 0, False)
    assert (row.data["id"], row.data["title"]) == (one.pk, "Silent: CH1/027/2024 at Chai Chee")
    to.refresh_from_db()
    assert to.wakes_at == NOON + GATHER


@pytest.mark.alike
def test_told_again_it_is_there_once(site: Site) -> None:
    channel(vera(site), NOON)
    one = incident(NOON, device=site.device)
    tell(one, NOON)
    tell(one, NOON)
    assert states() == [(OPENED, "waiting")]


@pytest.mark.alike
def test_it_has_not_happened_where_the_transaction_has_not(site: Site) -> None:
    channel(vera(site), NOON)
    one = incident(NOON, device=site.device)
    with transaction.atomic():
        tell(one, NOON)
        transaction.set_rollback(True)
    assert states() == []


def test_who_sees_it(site: Site) -> None:
    for person in (site.olga, site.vera, site.mallory):
        channel(person.user, NOON)
    tell(incident(NOON, device=site.device), NOON)
    tell(incident(NOON, device=site.other_device), NOON)
    assert told() == {"olga": ["opened", "opened"], "vera": ["opened"]}


@pytest.mark.alike
@pytest.mark.parametrize(
    "fields",
    [
        {"verified_at": None},
        {"stopped_at": NOON},
        {"incidents": False},
        {"conditions": ["outlet_silent"]},
        {"outlets": [999]},
    ],
)
def test_who_is_not_told(site: Site, fields: dict[str, Any]) -> None:
    channel(vera(site), NOON, **fields)
    tell(incident(NOON, device=site.device, outlet=site.outlet), NOON)
    assert states() == []


def test_nobody_who_may_not_sign_in(site: Site) -> None:
    channel(vera(site), NOON)
    User.objects.filter(username="vera").update(is_active=False)
    tell(incident(NOON, device=site.device), NOON)
    assert states() == []


@pytest.mark.alike
def test_of_its_kinds_and_outlets(site: Site) -> None:
    channel(vera(site), NOON, conditions=["silent"], outlets=[site.outlet.pk])
    tell(incident(NOON, device=site.device, outlet=site.outlet), NOON)
    assert states() == [(OPENED, "waiting")]


@pytest.mark.alike
def test_the_end_is_told_to_whom_the_beginning_was(site: Site) -> None:
    first = channel(vera(site), NOON)
    one = incident(NOON, device=site.device)
    tell(one, NOON)
    later = channel(vera(site), NOON)
    tell(one, NOON + HOUR, ENDED)
    assert states(channel=first) == [(OPENED, "waiting"), (ENDED, "waiting")]
    assert states(channel=later) == []


@pytest.mark.alike
def test_what_machines_are_told(site: Site) -> None:
    people, machines = channel(vera(site), NOON), channel(vera(site), NOON, kind=WEBHOOK)
    one = incident(NOON, device=site.device)
    for at, kind in enumerate((OPENED, ESCALATED, REMINDED, ACKNOWLEDGED, ENDED)):
        tell(one, NOON + at * HOUR, kind)
    assert [kind for kind, _ in states(channel=people)] == [OPENED, REMINDED, ENDED]
    assert [kind for kind, _ in states(channel=machines)] == [OPENED, ESCALATED, REMINDED, ACKNOWLEDGED, ENDED]


class TestEscalation:
    @pytest.mark.alike
    def test_the_next_is_told_after_its_minutes(self, site: Site) -> None:
        channel(vera(site), NOON)
        second = channel(site.olga.user, NOON, after_minutes=15)
        tell(incident(NOON, device=site.device), NOON)
        assert send(second, NOON + 14 * MINUTE) is None
        assert send(second, NOON + 15 * MINUTE + GATHER) is not None
        assert states(channel=second) == [(OPENED, "sent")]

    @pytest.mark.alike
    @pytest.mark.parametrize("how", [ACKNOWLEDGED, ENDED])
    def test_not_where_somebody_has_seen_to_it(self, site: Site, how: str) -> None:
        second = channel(site.olga.user, NOON, after_minutes=15)
        one = incident(NOON, device=site.device)
        tell(one, NOON)
        tell(one, NOON + 5 * MINUTE, how)
        assert states(channel=second) == [(OPENED, "dropped")]

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        "fields", [{"acknowledged_at": NOON}, {"ended_at": NOON}, {"snoozed_until": NOON + DAY}], ids=str
    )
    def test_it_is_looked_at_again_when_it_is_due(self, site: Site, fields: dict[str, Any]) -> None:
        """Whatever was announced: the incident itself has the last word."""
        second = channel(site.olga.user, NOON, after_minutes=15)
        tell(incident(NOON, device=site.device), NOON)
        Incident.objects.update(**fields)
        assert send(second, NOON + 16 * MINUTE) is None
        assert states(channel=second) == [(OPENED, "dropped")]

    @pytest.mark.alike
    def test_those_who_wait_for_it(self, site: Site) -> None:
        last = channel(site.olga.user, NOON, after_minutes=None)
        one = incident(NOON, device=site.device)
        tell(one, NOON)
        assert states(channel=last) == []
        tell(one, NOON + HOUR, ESCALATED)
        tell(one, NOON + 2 * HOUR, ENDED)
        assert states(channel=last) == [(ESCALATED, "waiting"), (ENDED, "waiting")]


class TestQuietHours:
    @pytest.fixture(autouse=True)
    def _zone(self, settings: Settings) -> None:
        settings.STATS_TIME_ZONE = "Asia/Singapore"  # noon in UTC is 20:00 there

    def quiet(self, site: Site, begin: str, end: str, **fields: Any) -> Channel:
        made = channel(vera(site), NOON, quiet_from=begin, quiet_until=end, **fields)
        made.refresh_from_db()
        return made

    @pytest.mark.parametrize(
        ("begin", "end", "hours"), [("19:00", "07:00", 11), ("20:00", "21:30", 1.5), ("18:00", "20:01", 1 / 60)]
    )
    def test_it_is_held_until_they_end(self, site: Site, begin: str, end: str, hours: float) -> None:
        to = self.quiet(site, begin, end)
        tell(incident(NOON, device=site.device), NOON - GATHER)
        assert send(to, NOON) is None
        to.refresh_from_db()
        assert to.wakes_at == NOON + hours * HOUR
        assert send(to, to.wakes_at) is not None

    @pytest.mark.parametrize(("begin", "end"), [("20:01", "07:00"), ("09:00", "20:00"), ("07:00", "07:00")])
    def test_outside_of_them(self, site: Site, begin: str, end: str) -> None:
        to = self.quiet(site, begin, end)
        tell(incident(NOON, device=site.device), NOON - GATHER)
        assert send(to, NOON) is not None

    def test_what_is_urgent(self, site: Site) -> None:
        to = self.quiet(site, "19:00", "07:00")
        tell(incident(NOON, kind="outlet_silent", subject_key="outlet:1", outlet=site.outlet), NOON - GATHER)
        assert send(to, NOON) is not None


class TestStorms:
    def test_what_happens_within_seconds_is_one_message(self, site: Site) -> None:
        to = channel(site.olga.user, NOON)
        for number in range(150):
            tell(
                incident(NOON, subject_key=f"device:{number}", device=site.device),
                NOON + timedelta(milliseconds=number),
            )
        found = send(to, NOON + GATHER)
        assert found is not None
        assert (found.number, len(found.rows)) == (150, 100)
        assert set(states()) == {(OPENED, "sent")}
        assert Delivery.objects.values("message").distinct().count() == 1

    @pytest.mark.alike
    def test_then_one_a_minute(self, site: Site) -> None:
        to = channel(site.olga.user, NOON)
        tell(incident(NOON, device=site.device), NOON)
        assert send(to, NOON + GATHER) is not None
        for second in range(1, 50):
            at = NOON + GATHER + timedelta(seconds=second)
            tell(incident(NOON, subject_key=f"device:x{second}", device=site.device), at)
            assert send(to, at + timedelta(milliseconds=500)) is None
        found = send(to, NOON + GATHER + PACE)
        assert found is not None and found.number == 49


def test_a_hundred_at_once_for_a_hundred_people(site: Site) -> None:
    """Queries by people, not by happenings; and none where nobody is to be told."""
    many = [incident(NOON, subject_key=f"device:{number}", device=site.device) for number in range(100)]
    happenings = [Happening(OPENED, NOON, one) for one in many]
    with CaptureQueriesContext(connection) as queries:
        announce(happenings)
    assert len(queries) == 1
    for _ in range(5):
        channel(site.olga.user, NOON)
    with CaptureQueriesContext(connection) as queries:
        announce(happenings)
    assert Delivery.objects.count() == 500
    assert len(queries) < 20
