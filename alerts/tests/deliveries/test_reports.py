"""What is told without an incident: figures each morning and each Monday, statements as they are closed."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from alerts.channels.models import Channel
from alerts.deliveries.claiming import GATHER
from alerts.deliveries.models import DAILY, STATEMENT, WEEKLY, Delivery
from alerts.deliveries.reports import due_reports
from alerts.deliveries.texts import outgoing
from alerts.tests.telling import channel, incident, send, states
from ledger.models import Price
from ledger.statements.months import Month
from ledger.statements.services import close
from telemetry.tests.cast import DAY, HOUR, NOON, Site, press

MONDAY = NOON + DAY  # 2026-03-02
SEVEN = MONDAY.replace(hour=7)


@pytest.fixture
def site(db: None) -> Site:
    with time_machine.travel(NOON - 365 * DAY, tick=False):
        made = Site.make()
    Price.objects.create(outlet=None, treatment="BASIC", currency="EUR", amount=500, valid_from=date(2026, 1, 1))
    for day in (1, 2, 8):
        press(made.device, MONDAY - day * DAY)
    press(made.other_device, MONDAY - DAY)
    return made


def reports(now: datetime) -> None:
    while due_reports(now):
        pass


def text(of: Channel, now: datetime) -> tuple[str, list[str]]:
    """Subject and lines of the message that goes out then."""
    found = send(of, now)
    assert found is not None
    message = outgoing(found, b"")
    return message.subject, message.text.splitlines()


class TestDaily:
    def test_it_works(self, site: Site) -> None:
        to = channel(site.vera.user, MONDAY, daily=True)
        reports(SEVEN - timedelta(seconds=1))
        assert states() == []
        incident(NOON, device=site.device)
        reports(SEVEN)
        reports(SEVEN + HOUR)
        assert states() == [(DAILY, "waiting")]
        told = Delivery.objects.get().data
        assert (told["start"], told["end"], told["open_incidents"]) == ("2026-03-01", "2026-03-01", 1)
        assert told["total"]["revenue"] == "5.00"
        subject, lines = text(to, SEVEN + GATHER)
        assert subject == "Yesterday: 5.00 EUR, 1 treatment"
        assert lines[2] == "2026-03-01; on the same weekdays before: 5.00 EUR, 1 treatment"
        assert "Chai Chee: 5.00 EUR, 1 treatment" in lines
        assert "One incident is open." in lines
        assert "Bedok" not in "\n".join(lines)

    @pytest.mark.alike
    def test_machines_that_sell_nothing(self, site: Site) -> None:
        to = channel(site.vera.user, MONDAY, daily=True)
        ended = {"subject_key": "device:1", "subject": "Again", "ended_at": NOON}
        other = {"subject_key": "device:2", "subject": "Of another", "device": site.other_device}
        for fields in ({"since": MONDAY - 3 * DAY}, ended, {"told_at": None, "subject_key": "device:3"}, other):
            incident(NOON, **{"kind": "sells_nothing", "device": site.device, **fields})
        reports(SEVEN)
        assert Delivery.objects.get().data["selling_nothing"] == [
            {"subject": "CH1/027/2024 at Chai Chee", "since": "2026-02-27T12:00:00Z"}
        ]
        _, lines = text(to, SEVEN + GATHER)
        at = lines.index("They poll, and sell nothing:")
        assert lines[at + 1] == "CH1/027/2024 at Chai Chee: no treatment since 2026-02-27 12:00."

    def test_once_a_day_also_where_the_server_was_away(self, site: Site) -> None:
        to = channel(site.vera.user, MONDAY, daily=True)
        reports(SEVEN)
        reports(SEVEN + 3 * DAY + 6 * HOUR)
        assert [row.data["start"] for row in Delivery.objects.filter(channel=to).order_by("id")] == [
            "2026-03-01",
            "2026-03-04",
        ]

    def test_by_the_clock_of_the_pages(self, site: Site, settings: Settings) -> None:
        settings.STATS_TIME_ZONE, settings.ALERT_REPORT_TIME = "Asia/Singapore", "06:30"
        channel(site.vera.user, MONDAY, daily=True)
        half_past_six = MONDAY.replace(hour=22, minute=30) - DAY
        reports(half_past_six - timedelta(seconds=1))
        assert states() == []
        reports(half_past_six)
        assert Delivery.objects.get().data["start"] == "2026-03-01"

    def test_what_each_may_see(self, site: Site) -> None:
        channel(site.olga.user, MONDAY, daily=True)
        channel(site.vera.user, MONDAY, daily=True)
        reports(SEVEN)
        found = dict(Delivery.objects.values_list("person__username", "data__total__presses"))
        assert found == {"olga": 2, "vera": 1}

    @pytest.mark.alike
    @pytest.mark.parametrize("fields", [{"daily": False}, {"stopped_at": NOON}, {"verified_at": None}], ids=str)
    def test_not_to(self, site: Site, fields: dict[str, Any]) -> None:
        channel(site.vera.user, MONDAY, **{"daily": True, **fields})
        reports(SEVEN)
        assert states() == []


def test_last_week_on_monday(site: Site) -> None:
    to = channel(site.vera.user, MONDAY, weekly=True)
    reports(SEVEN)
    reports(SEVEN + DAY)
    assert states() == [(WEEKLY, "waiting")]
    told = Delivery.objects.get().data
    assert (told["start"], told["end"], told["total"]["presses"]) == ("2026-02-23", "2026-03-01", 2)
    assert text(to, SEVEN + GATHER)[0] == "Last week: 10.00 EUR, 2 treatments"
    reports(SEVEN + 7 * DAY)
    assert states() == [(WEEKLY, "sent"), (WEEKLY, "waiting")]


class TestStatements:
    def test_it_works(self, site: Site, settings: Settings) -> None:
        settings.PUBLIC_URL = "https://ozone.example.com"
        to = channel(site.olga.user, MONDAY, statements=True)
        statement = close(outlet=site.outlet, month=Month(2026, 2), actor=site.olga.user, now=MONDAY)
        for _ in range(3):
            reports(MONDAY + HOUR)
        assert states() == [(STATEMENT, "waiting")]
        told = Delivery.objects.get().data
        assert (told["number"], told["revenue"], told["sha256"]) == (1, "10.00", statement.json_sha256)
        subject, lines = text(to, MONDAY + HOUR + GATHER)
        assert subject == "Statement 1 is closed: Chai Chee, 2026-02"
        assert f"https://ozone.example.com/statements/{site.outlet.pk}-2026-02/" in lines

    @pytest.mark.alike
    def test_who_is_told(self, site: Site) -> None:
        """Staff, of what was closed since they asked to be told; nobody of what is old."""
        channel(site.olga.user, MONDAY + 2 * HOUR, statements=True)
        owner = channel(site.vera.user, MONDAY, statements=True)
        close(outlet=site.outlet, month=Month(2026, 2), actor=site.olga.user, now=MONDAY)
        reports(MONDAY + HOUR)
        assert states(channel=owner) == []
        assert states() == []
        channel(site.olga.user, MONDAY, statements=True)
        reports(MONDAY + 3 * DAY)
        assert states() == []
