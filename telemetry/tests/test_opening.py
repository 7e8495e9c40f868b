"""Opening hours: how they are written, and for how long an outlet is open between two instants."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from telemetry.opening import read_opening_hours

pytestmark = pytest.mark.sqlite_only

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize(
    ("text", "hours"),
    [
        ("", [24] * 7),
        ("24/7", [24] * 7),
        ("07:00-22:00", [15] * 7),
        ("Mo-Fr 07:00-22:00", [15] * 5 + [0, 0]),
        ("Mo-Fr 07:00-22:00; Sa,Su 08:00-20:00", [15] * 5 + [12, 12]),
        ("Mo-Su 08:00-12:00,14:00-18:00; We off", [8, 8, 0, 8, 8, 8, 8]),
        ("Fr-Mo 10:00-11:00", [1, 0, 0, 0, 1, 1, 1]),
        ("00:00-24:00", [24] * 7),
        ("Mo 22:00-02:00", [2, 2, 0, 0, 0, 0, 0]),
        ("Su 22:00-02:00", [2, 0, 0, 0, 0, 0, 2]),
    ],
)
def test_it_works(text: str, hours: list[int]) -> None:
    opening = read_opening_hours(text)
    found = [opening.open_between(MONDAY + day * DAY, MONDAY + (day + 1) * DAY, ZONE) / HOUR for day in range(7)]
    assert found == hours


@pytest.mark.parametrize(
    "text",
    [
        "7-22",
        "07:00",
        "Mo",
        "Mo-Xx 07:00-22:00",
        "mo 07:00-22:00",
        "25:00-26:00",
        "07:00-24:30",
        "07:00-22:00;",
        "x" * 300,
    ],
)
def test_what_it_is_not(text: str) -> None:
    with pytest.raises(ValueError, match="Write it as"):
        read_opening_hours(text)


def test_by_the_clock_of_the_zone() -> None:
    opening = read_opening_hours("Mo 07:00-22:00")
    singapore = ZoneInfo("Asia/Singapore")
    assert opening.open_between(MONDAY - HOUR, MONDAY, singapore) == HOUR  # from seven to eight
    assert opening.open_between(MONDAY - 2 * HOUR, MONDAY, singapore) == HOUR
    assert opening.open_between(MONDAY + HOUR, MONDAY, singapore) == timedelta(0)


def test_where_the_clock_goes_on() -> None:
    """On 29 March 2026 Berlin has no hour from two to three."""
    opening = read_opening_hours("00:00-24:00; Su 00:00-06:00")
    sunday = datetime(2026, 3, 29, tzinfo=ZoneInfo("Europe/Berlin"))
    assert opening.open_between(sunday, sunday + timedelta(hours=12), ZoneInfo("Europe/Berlin")) == 5 * HOUR
