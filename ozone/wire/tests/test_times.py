"""Times on the wire: every spelling a device may use, and which of them is believed."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django import Settings

from ozone.wire.errors import Invalid
from ozone.wire.times import believed, iso, iso_or_none, parse_iso, parse_query, read_device_time

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MOMENT = datetime(2025, 9, 16, 12, 34, 56, tzinfo=UTC)


def occurred(words: Any, received_at: datetime) -> datetime:
    return believed(words, received_at).moment or received_at


@pytest.mark.parametrize(
    ("words", "moment"),
    [
        ("2025-09-16T12:34:56Z", MOMENT),
        (" 2025-09-16T12:34:56Z ", MOMENT),
        ("2025-09-16T12:34:56", MOMENT),
        ("2025-09-16T12:34:56+00:00", MOMENT),
        ("2025-09-16T20:34:56+08:00", MOMENT),
        ("2025-09-16T20:34:56+0800", MOMENT),
        ("2025-09-16T09:04:56-03:30", MOMENT),
        ("20250916T123456Z", MOMENT),
        ("2025-09-16 12:34:56", MOMENT),
        ("2025-09-16 12:34:56.5", MOMENT.replace(microsecond=500_000)),
        ("2025-09-16T12:34:56.123Z", MOMENT.replace(microsecond=123_000)),
        ("2025-09-16T12:34:56.123456789Z", MOMENT.replace(microsecond=123_456)),
        ("2025-09-16T12:34:56.123456789+00:00", MOMENT.replace(microsecond=123_456)),
        ("2025-09-16 12:34:56.123456789", MOMENT.replace(microsecond=123_456)),
        ("2025-09-16", MOMENT.replace(hour=0, minute=0, second=0)),
        (1758026096, MOMENT),
        (1758026096.25, MOMENT.replace(microsecond=250_000)),
        ("1758026096", MOMENT),
        ("1758026096.25", MOMENT.replace(microsecond=250_000)),
        ("2025-09-16 12:34", MOMENT.replace(second=0)),
        (1758026096000, MOMENT),
        ("1758026096000", MOMENT),
        (1758026096250.5, MOMENT.replace(microsecond=250_500)),
        (1758026096000000, MOMENT),
        ("1758026096123456", MOMENT.replace(microsecond=123_456)),
        (10**11 - 1, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (10**11, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        (10**14 - 1000, datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        (10**14, datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("2025-09-16T20:34:56 08:00", MOMENT),
        ("2025-09-16 20:34:56 08:00", MOMENT),
        ("2025-09-16T20:34:56.000 0800", MOMENT),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_every_spelling(words: Any, moment: datetime) -> None:
    assert read_device_time(words) == (moment,)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "yesterday",
        "2025-13-01T00:00:00Z",
        "2025-02-29 00:00:00",
        "2025-09-16T24:61:00Z",
        "12:34:56",
        "9" * 18,
        10**18,
        "2025-09-16T12:34:56" + " " * 3 + "x" * 300_000,
        "1" * 300_000,
        "-5",
        "0x10",
        "1e9",
        "NaN",
        True,
        False,
        float("nan"),
        float("inf"),
        1e300,
        -1e300,
        2**62,
        {},
        [1758026096],
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "\ud800",
        "٢٠٢٥-٠٩-١٦ 12:34:56",
    ],
)
def test_unreadable(words: Any) -> None:
    assert read_device_time(words) == ()
    assert occurred(words, NOW) == NOW


def test_nothing_said_is_the_servers_time() -> None:
    assert occurred(None, NOW) == NOW


@pytest.mark.parametrize("spelling", [iso, lambda moment: moment.timestamp(), lambda m: f"{m:%Y-%m-%d %H:%M:%S}"])
def test_ahead_and_before_to_the_second(spelling: Any) -> None:
    ten = timedelta(minutes=10)
    epoch = datetime(2020, 1, 1, tzinfo=UTC)
    for moment in (NOW + ten - SECOND, NOW + ten, NOW, NOW - timedelta(days=1000), epoch, epoch + SECOND):
        assert occurred(spelling(moment), NOW) == moment
    for moment in (NOW + ten + SECOND, epoch - SECOND, NOW + timedelta(days=400), datetime(1970, 1, 1, tzinfo=UTC)):
        assert occurred(spelling(moment), NOW) == NOW


def test_a_microsecond_past_ten_minutes_is_too_far() -> None:
    assert occurred("2026-03-01T12:10:00.000001Z", NOW) == NOW


def test_the_epoch_is_a_setting(settings: Settings) -> None:
    settings.DEVICE_EPOCH = "2025-01-01T00:00:00Z"
    assert occurred("2024-12-31T23:59:59Z", NOW) == NOW
    assert occurred("2025-01-01T00:00:00Z", NOW) == datetime(2025, 1, 1, tzinfo=UTC)


def test_local_words_are_read_in_the_devices_zone(settings: Settings) -> None:
    settings.DEVICE_TIME_ZONE = "Asia/Singapore"
    for words in ("2025-09-16 20:34:56", "2025-09-16T20:34:56", "20250916T203456", "2025-09-16 20:34:56.0"):
        assert read_device_time(words) == (MOMENT,)
    for aware in ("2025-09-16T12:34:56Z", "2025-09-16T14:34:56+02:00", 1758026096):
        assert read_device_time(aware) == (MOMENT,), "what says its own zone keeps it"


def test_local_words_across_daylight_saving(settings: Settings) -> None:
    settings.DEVICE_TIME_ZONE = "Europe/Berlin"
    assert read_device_time("2025-07-01 12:00:00") == (datetime(2025, 7, 1, 10, tzinfo=UTC),)
    assert read_device_time("2025-01-01 12:00:00") == (datetime(2025, 1, 1, 11, tzinfo=UTC),)
    # An hour that was not there: read by the clock before the change.
    assert read_device_time("2025-03-30 02:30:00") == (datetime(2025, 3, 30, 1, 30, tzinfo=UTC),)
    # One that was there twice.
    assert read_device_time("2025-10-26 02:30:00") == (
        datetime(2025, 10, 26, 0, 30, tzinfo=UTC),
        datetime(2025, 10, 26, 1, 30, tzinfo=UTC),
    )
    assert len(read_device_time("2025-10-26 03:00:00")) == 1
    assert len(read_device_time("2025-10-26 01:59:59")) == 1


def test_of_a_repeated_hour_the_meaning_near_the_arrival_is_taken(settings: Settings) -> None:
    settings.DEVICE_TIME_ZONE = "Europe/Berlin"
    first, second = datetime(2025, 10, 26, 0, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
    ten = timedelta(minutes=10)
    words = "2025-10-26 02:30:00"
    for arrived in (first - ten, first, first + ten):
        assert believed(words, arrived) == (first, None)
    for arrived in (second - ten, second, second + ten):
        assert believed(words, arrived) == (second, None)
    # The second one is ahead of the server: impossible.
    assert believed(words, second - ten - SECOND) == (first, None)
    # Hours later either is possible: the device's previous event decides.
    assert believed(words, second + ten + SECOND) == (first, second)
    assert believed(words, first - ten - SECOND) == (None, None)


@given(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.from_regex(r"\A\d{1,4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,12})?(Z|[+-]\d\d:\d\d)?\Z")
    | st.lists(st.integers(), max_size=2)
)
@example("0001-01-01 00:00:00")
@example("9999-12-31 23:59:59")
def test_no_words_break_it(words: Any) -> None:
    moment = occurred(words, NOW)
    assert moment.utcoffset() == timedelta(0)
    assert datetime(2020, 1, 1, tzinfo=UTC) <= moment <= NOW + timedelta(minutes=10)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2026, 3, 1)))  # noqa: DTZ001
def test_what_we_write_we_read(naive: datetime) -> None:
    moment = naive.replace(tzinfo=UTC)
    assert iso(moment).endswith("Z")
    assert parse_iso(iso(moment)) == moment
    assert occurred(iso(moment), NOW) == moment


def test_ours_go_out_in_utc() -> None:
    assert iso(datetime(2025, 9, 16, 20, 34, 56, tzinfo=timezone(timedelta(hours=8)))) == "2025-09-16T12:34:56Z"
    assert iso(MOMENT.replace(microsecond=120)) == "2025-09-16T12:34:56.000120Z"
    assert iso_or_none(None) is None
    assert iso_or_none(MOMENT) == "2025-09-16T12:34:56Z"


class TestQuery:
    @pytest.mark.parametrize("text", ["2025-09-16T14:34:56+02:00", "2025-09-16T14:34:56 02:00", "2025-09-16T12:34:56Z"])
    def test_a_plus_may_have_become_a_blank(self, text: str) -> None:
        assert parse_query("start", text) == MOMENT

    def test_a_blank_before_the_time_is_no_offset(self) -> None:
        assert parse_query("start", "2025-09-16 12:34") == MOMENT.replace(second=0)

    @pytest.mark.parametrize(
        ("zone", "begins", "ends"),
        [
            ("UTC", "2026-03-29T00:00:00Z", "2026-03-29T23:59:59.999999Z"),
            ("Europe/Berlin", "2026-03-28T23:00:00Z", "2026-03-29T21:59:59.999999Z"),  # a day of 23 hours
            ("Asia/Kathmandu", "2026-03-28T18:15:00Z", "2026-03-29T18:14:59.999999Z"),
        ],
    )
    def test_a_date_is_its_whole_day(self, settings: Settings, zone: str, begins: str, ends: str) -> None:
        settings.STATS_TIME_ZONE = zone
        for text in ("2026-03-29", "20260329", " 2026-03-29 "):
            assert parse_query("start", text) == parse_iso(begins)
            assert parse_query("end", text, is_end=True) == parse_iso(ends)
        assert parse_query("end", "2026-03-29T00:00", is_end=True) == parse_iso("2026-03-29T00:00:00Z")
        settings.STATS_TIME_ZONE = "UTC"
        assert parse_query("end", "2026-03-29", ZoneInfo(zone), is_end=True) == parse_iso(ends)

    def test_midnights_that_are_skipped_or_repeated(self) -> None:
        skipped, repeated = ZoneInfo("Africa/Cairo"), ZoneInfo("America/Havana")
        # On 25 April 2025 Cairo's clock went from 23:59:59 of the 24th to 01:00.
        assert parse_query("start", "2025-04-25", skipped) == parse_iso("2025-04-24T22:00:00Z")
        assert parse_query("end", "2025-04-24", skipped, is_end=True) == parse_iso("2025-04-24T21:59:59.999999Z")
        # On 2 November 2025 Havana's went from 01:00 back to 00:00: the day began with the first midnight.
        assert parse_query("start", "2025-11-02", repeated) == parse_iso("2025-11-02T04:00:00Z")

    @pytest.mark.parametrize(
        ("text", "zone", "is_end"), [("0001-01-01", "Asia/Singapore", False), ("9999-12-31", "America/New_York", True)]
    )
    def test_beyond_the_calendar(self, text: str, zone: str, is_end: bool) -> None:
        with pytest.raises(Invalid):
            parse_query("x", text, ZoneInfo(zone), is_end=is_end)

    def test_absent(self) -> None:
        assert parse_query("start", None) is None
        assert parse_query("start", "") is None

    def test_unreadable(self) -> None:
        with pytest.raises(Invalid) as caught:
            parse_query("end", "soon")
        assert caught.value.body() == {
            "detail": "end is not an ISO 8601 time.",
            "code": "invalid",
            "errors": {"end": ["Not an ISO 8601 time."]},
        }
