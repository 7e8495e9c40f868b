"""GET /api/events/analytics/: totals, by day, by hour of the day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from pytest_django import Settings

from device_gateway.tests.conftest import refusal
from telemetry.models import TelemetryEvent
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Site, press

ANALYTICS = "/api/events/analytics/"
NONE = {"basic": 0, "standard": 0, "premium": 0, "total": 0}


@pytest.fixture(autouse=True)
def _now(site: Site) -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def figures(basic: int = 0, standard: int = 0, premium: int = 0) -> dict[str, int]:
    return {"basic": basic, "standard": standard, "premium": premium, "total": basic + standard + premium}


def hours(reply: Any) -> dict[int, dict[str, int]]:
    """Those in which something happened."""
    assert [row["hour"] for row in reply["by_hour"]] == list(range(24))
    rows = [dict(row) for row in reply["by_hour"]]
    return {row.pop("hour"): row for row in rows if row["total"]}


def test_it_works(site: Site) -> None:
    press(site.device, NOON - DAY, treatment="BASIC")
    press(site.device, NOON - DAY + HOUR - SECOND, treatment="PREMIUM")
    press(site.device, NOON - HOUR, treatment="STANDARD")
    press(site.other_device, NOON - HOUR + SECOND, treatment="STANDARD")
    press(site.device, NOON - SECOND, treatment="BASIC")
    assert site.olga.read(ANALYTICS) == {
        "device_id": None,
        "time_zone": "UTC",
        "totals": figures(2, 2, 1),
        "by_day": [{"date": "2026-02-28", **figures(1, 0, 1)}, {"date": "2026-03-01", **figures(1, 2, 0)}],
        "by_hour": [
            {"hour": hour, **{11: figures(1, 2), 12: figures(1, 0, 1)}.get(hour, figures())} for hour in range(24)
        ],
        "first_event": "2026-02-28T12:00:00Z",
        "last_event": "2026-03-01T11:59:59Z",
        "busiest_hour": 11,
    }
    one = site.olga.read(f"{ANALYTICS}?device_id=esp32-002")
    assert (one["device_id"], one["totals"], one["busiest_hour"]) == ("esp32-002", figures(0, 1), 11)


def test_nothing(site: Site) -> None:
    assert site.olga.read(ANALYTICS) == {
        "device_id": None,
        "time_zone": "UTC",
        "totals": NONE,
        "by_day": [],
        "by_hour": [{"hour": hour, **NONE} for hour in range(24)],
        "first_event": None,
        "last_event": None,
        "busiest_hour": None,
    }


def test_days_go_by_arrival_start_and_end_by_occurrence(site: Site) -> None:
    press(site.device, NOON - 9 * DAY, received_at=NOON - HOUR, treatment="PREMIUM")
    press(site.device, NOON - 8 * DAY, treatment="BASIC")
    for query, expected in (
        ("", figures(0, 0, 1)),
        ("days=8", figures(1, 0, 1)),
        ("start=2026-02-21T12:00:00Z", figures(1)),
        ("end=2026-02-21T11:59:59Z", figures(0, 0, 1)),
        ("start=2026-02-20&end=2026-02-22", figures(1, 0, 1)),
    ):
        assert site.olga.read(f"{ANALYTICS}?{query}")["totals"] == expected, query
    (day,) = site.olga.read(ANALYTICS)["by_day"]
    assert day["date"] == "2026-02-20"


def test_status_messages_are_no_treatments(site: Site) -> None:
    common: Any = {"device": site.device, "received_at": NOON, "source": "legacy", "payload": {}}
    TelemetryEvent.objects.create(event_id="s", event="status", event_type="status", occurred_at=NOON - HOUR, **common)
    assert site.olga.read(ANALYTICS)["first_event"] is None


@pytest.mark.parametrize(
    ("zone", "local"),
    [
        ("UTC", ("2026-02-28", 18)),
        ("Asia/Singapore", ("2026-03-01", 2)),
        ("Asia/Kathmandu", ("2026-03-01", 0)),  # 18:29:59 UTC is 00:14:59 there, 5:45 ahead
        ("America/St_Johns", ("2026-02-28", 14)),
    ],
)
def test_whose_days_and_hours(site: Site, settings: Settings, zone: str, local: tuple[str, int]) -> None:
    settings.STATS_TIME_ZONE = zone
    press(site.device, datetime(2026, 2, 28, 18, 29, 59, 999_999, tzinfo=UTC))
    reply = site.olga.read(ANALYTICS)
    assert (reply["time_zone"], reply["by_day"][0]["date"], reply["busiest_hour"]) == (zone, *local)


def test_to_the_microsecond(site: Site, settings: Settings) -> None:
    midnight = datetime(2026, 2, 28, 18, 15, tzinfo=UTC)
    settings.STATS_TIME_ZONE = "Asia/Kathmandu"
    press(site.device, midnight - timedelta(microseconds=1), treatment="BASIC")
    press(site.device, midnight, treatment="PREMIUM")
    reply = site.olga.read(ANALYTICS)
    assert reply["by_day"] == [
        {"date": "2026-02-28", **figures(1)},
        {"date": "2026-03-01", **figures(0, 0, 1)},
    ]
    assert hours(reply) == {23: figures(1), 0: figures(0, 0, 1)}
    assert (reply["first_event"], reply["last_event"]) == ("2026-02-28T18:14:59.999999Z", "2026-02-28T18:15:00Z")


def test_an_hour_that_daylight_saving_repeats(site: Site, settings: Settings) -> None:
    settings.STATS_TIME_ZONE = "Europe/Berlin"
    first = datetime(2025, 10, 26, 0, 30, tzinfo=UTC)  # 02:30, and an hour later again
    for at in (first, first + HOUR):
        press(site.device, at)
    reply = site.olga.read(f"{ANALYTICS}?start=2025-10-26")
    assert (reply["by_day"], hours(reply)) == ([{"date": "2025-10-26", **figures(2)}], {2: figures(2)})


def test_of_equal_hours_the_earliest_is_the_busiest(site: Site) -> None:
    for hours_ago in (3, 2, 1):
        press(site.device, NOON - hours_ago * HOUR)
    assert site.olga.read(ANALYTICS)["busiest_hour"] == 9


def test_who(site: Site) -> None:
    press(site.device, NOON - HOUR, treatment="BASIC")
    press(site.other_device, NOON - HOUR, treatment="PREMIUM")
    assert site.vera.read(ANALYTICS)["totals"] == figures(1)
    assert site.mallory.read(ANALYTICS)["totals"] == NONE
    assert refusal(site.vera.get(f"{ANALYTICS}?device_id=esp32-002")) == (404, "unknown_device")
    assert refusal(site.nobody.get(ANALYTICS)) == (401, "signed_out")


@pytest.mark.sqlite_only
@pytest.mark.parametrize("query", ["days=0", "days=x", "start=x", "end=x", "end=2026-02-01&start=2026-02-02"])
def test_a_bad_parameter_is_named(site: Site, query: str) -> None:
    answer = site.olga.get(f"{ANALYTICS}?{query}")
    assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), [query.partition("=")[0]])


def test_any_number_of_events_is_one_query(site: Site, django_assert_num_queries: Any) -> None:
    for number in range(40):
        with django_assert_num_queries(3):  # the account, its groups, the figures
            assert site.olga.read(ANALYTICS)["totals"]["total"] == number
        press(site.device, NOON - number * HOUR)
