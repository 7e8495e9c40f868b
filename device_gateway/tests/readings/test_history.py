"""GET devices/<id>/telemetry: a device's readings in pages, newest first, and their figures in buckets of time."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.contrib.auth.models import User

from device_gateway.models import DeviceTelemetry
from device_gateway.tests.conftest import Meter, get, refusal, token_of
from ozone.wire.times import iso
from tests.support.doors import Answer, Door

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def keep(meter: Meter, *readings: tuple[float, dict[str, Any]]) -> None:
    """Stores readings of so many seconds after noon."""
    DeviceTelemetry.objects.bulk_create(
        DeviceTelemetry(
            device=meter.device,
            occurred_at=NOON + timedelta(seconds=seconds),
            received_at=NOON + timedelta(days=1),
            payload=payload,
        )
        for seconds, payload in readings
    )


@pytest.fixture
def fetch(door: Door, meter: Meter, olga: User) -> Any:
    def fetch(**query: Any) -> Answer:
        return get(door, f"/gateway/devices/{meter.device.pk}/telemetry?{urlencode(query)}", token_of(olga))

    return fetch


def numbers(answer: Answer) -> list[int]:
    assert answer.status == 200, answer.body
    return [result["payload"]["n"] for result in answer.json()["results"]]


def test_it_works(fetch: Any, meter: Meter, other_meter: Meter) -> None:
    keep(meter, (0, {"n": 1}), (0.5, {"n": 2}))
    keep(other_meter, (0, {"n": 3}))
    assert fetch().json() == {
        "results": [
            {"occurred_at": "2026-03-01T12:00:00.500000Z", "received_at": "2026-03-02T12:00:00Z", "payload": {"n": 2}},
            {"occurred_at": "2026-03-01T12:00:00Z", "received_at": "2026-03-02T12:00:00Z", "payload": {"n": 1}},
        ],
        "next": None,
    }


def test_nothing_sent_yet(fetch: Any) -> None:
    assert fetch().json() == {"results": [], "next": None}


def test_what_was_sent_comes_back(door: Door, meter: Meter, fetch: Any) -> None:
    meter.send(door, {"n": 1, "timestamp": iso(NOON)})
    assert fetch().json()["results"][0]["occurred_at"] == "2026-03-01T12:00:00Z"


class TestPages:
    def walk(self, door: Door, key: str, answer: Answer) -> list[int]:
        """Follows `next` to the end."""
        found = numbers(answer)
        while (following := answer.json()["next"]) is not None:
            parts = urlsplit(following)
            assert (parts.scheme, parts.netloc) == ("http", "testserver")
            answer = get(door, f"{parts.path}?{parts.query}", key)
            assert numbers(answer)
            found += numbers(answer)
        return found

    @pytest.mark.parametrize("limit", [1, 2, 3, 7, 10, 11])
    def test_every_row_once_also_of_equal_times(
        self, door: Door, meter: Meter, olga: User, fetch: Any, limit: int
    ) -> None:
        keep(meter, *((0, {"n": n}) for n in range(5)), *((60, {"n": n}) for n in range(5, 10)))
        assert self.walk(door, token_of(olga), fetch(limit=limit)) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

    def test_the_other_parameters_stay(self, door: Door, meter: Meter, olga: User, fetch: Any) -> None:
        keep(meter, *((n, {"n": n}) for n in range(10)))
        answer = fetch(limit=2, start=iso(NOON + timedelta(seconds=2)), end=iso(NOON + timedelta(seconds=6)))
        assert self.walk(door, token_of(olga), answer) == [6, 5, 4, 3, 2]

    def test_what_arrives_meanwhile_moves_nothing(self, door: Door, meter: Meter, olga: User, fetch: Any) -> None:
        keep(meter, *((n, {"n": n}) for n in range(4)))
        first = fetch(limit=2)
        keep(meter, (60, {"n": 60}))
        assert self.walk(door, token_of(olga), first) == [3, 2, 1, 0]

    @pytest.mark.alike
    def test_500_unless_told_and_5000_at_most(self, meter: Meter, fetch: Any) -> None:
        keep(meter, *((n, {"n": n}) for n in range(501)))
        assert len(numbers(fetch())) == 500
        assert len(numbers(fetch(limit=5000))) == 501
        assert fetch(limit=501).json()["next"] is None

    def test_large_readings_come_in_more_pages(self, door: Door, meter: Meter, olga: User, fetch: Any) -> None:
        """Each is as large as a body may be: five thousand of them would be more than a gigabyte."""
        keep(meter, *((n, {"n": n, "text": "x" * 250_000}) for n in range(40)))
        answer = fetch(limit=5000)
        assert 30 < len(numbers(answer)) < 40
        assert len(answer.body) < 9_000_000
        assert self.walk(door, token_of(olga), answer) == list(range(39, -1, -1))

    def test_one_that_is_larger_than_a_page_comes_alone(
        self, door: Door, meter: Meter, olga: User, fetch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("ozone.webapi.paging.MOST", 10)
        keep(meter, *((n, {"n": n}) for n in range(3)))
        assert numbers(fetch()) == [2]
        assert self.walk(door, token_of(olga), fetch()) == [2, 1, 0]

    @pytest.mark.parametrize("limit", ["0", "5001", "-1", "1.5", "ten", "", "9" * 20, "٣", " 5", "+5"])
    @pytest.mark.sqlite_only
    def test_a_bad_limit(self, fetch: Any, limit: str) -> None:
        answer = fetch(limit=limit)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == ["limit"]

    @pytest.mark.parametrize("cursor", ["", "x", "é", "!!!!", "MjAyNg", "A" * 5000, "MjAyNi0wMy0wMVQxMjowMDowMFogLTE"])
    @pytest.mark.sqlite_only
    def test_a_bad_cursor(self, fetch: Any, cursor: str) -> None:
        answer = fetch(cursor=cursor)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == ["cursor"]


class TestSpan:
    def test_both_ends_belong_to_it(self, meter: Meter, fetch: Any) -> None:
        keep(meter, *((n, {"n": n}) for n in range(5)))
        start, end = iso(NOON + timedelta(seconds=1)), iso(NOON + timedelta(seconds=3))
        assert numbers(fetch(start=start, end=end)) == [3, 2, 1]
        assert numbers(fetch(start=start)) == [4, 3, 2, 1]
        assert numbers(fetch(end=end)) == [3, 2, 1, 0]
        assert numbers(fetch(start=end, end=start)) == []
        assert numbers(fetch(start="", end="")) == [4, 3, 2, 1, 0]

    @pytest.mark.parametrize("start", ["2026-03-01T13:00:03+01:00", "2026-03-01T12:00:03", "20260301T120003Z"])
    def test_spellings(self, meter: Meter, fetch: Any, start: str) -> None:
        keep(meter, *((n, {"n": n}) for n in range(5)))
        assert numbers(fetch(start=start)) == [4, 3]

    @pytest.mark.parametrize("name", ["start", "end"])
    @pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "1772366400", "9999-12-31T23:59:59-14:00"])
    @pytest.mark.sqlite_only
    @pytest.mark.sqlite_only
    def test_a_bad_time(self, fetch: Any, name: str, text: str) -> None:
        for more in ({}, {"bucket": "hour", "fields": "n"}):
            answer = fetch(**{name: text}, **more)
            assert refusal(answer) == (400, "invalid")
            assert list(answer.json()["errors"]) == [name]

    @pytest.mark.alike
    @pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
    def test_the_ends_of_time(self, fetch: Any, text: str) -> None:
        assert fetch(start=text).status == 200
        assert fetch(end=text, bucket="day", fields="n").status == 200


class TestBuckets:
    def test_it_works(self, meter: Meter, fetch: Any) -> None:
        keep(
            meter,
            (0, {"kwh": 1, "volt": 230.5}),
            (59.5, {"kwh": 3}),
            (60, {"kwh": 10}),
            (180, {"volt": 231}),
        )
        assert fetch(bucket="minute", fields="kwh,volt").json() == {
            "results": [
                {
                    "start": "2026-03-01T12:00:00Z",
                    "end": "2026-03-01T12:01:00Z",
                    "count": 2,
                    "fields": {
                        "kwh": {"count": 2, "min": 1, "mean": 2.0, "max": 3, "last": 3},
                        "volt": {"count": 1, "min": 230.5, "mean": 230.5, "max": 230.5, "last": 230.5},
                    },
                },
                {
                    "start": "2026-03-01T12:01:00Z",
                    "end": "2026-03-01T12:02:00Z",
                    "count": 1,
                    "fields": {"kwh": {"count": 1, "min": 10, "mean": 10.0, "max": 10, "last": 10}},
                },
                {
                    "start": "2026-03-01T12:03:00Z",
                    "end": "2026-03-01T12:04:00Z",
                    "count": 1,
                    "fields": {"volt": {"count": 1, "min": 231, "mean": 231.0, "max": 231, "last": 231}},
                },
            ],
            "next": None,
        }

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        ("bucket", "starts"),
        [
            ("minute", ["11:59:00", "12:00:00", "13:00:00"]),
            ("hour", ["11:00:00", "12:00:00", "13:00:00"]),
            ("day", ["00:00:00"]),
        ],
    )
    def test_where_they_begin(self, meter: Meter, fetch: Any, bucket: str, starts: list[str]) -> None:
        keep(meter, (-0.001, {"n": 1}), (0, {"n": 2}), (3600, {"n": 3}))
        results = fetch(bucket=bucket, fields="n").json()["results"]
        assert [result["start"] for result in results] == [f"2026-03-01T{start}Z" for start in starts]

    def test_the_last_is_by_occurrence_then_by_id(self, meter: Meter, fetch: Any) -> None:
        keep(meter, (30, {"n": 1}), (10, {"n": 2}), (30, {"n": 3}), (20, {"n": 4}))
        assert fetch(bucket="minute", fields="n").json()["results"][0]["fields"]["n"]["last"] == 3

    def test_a_field_named_twice_counts_once(self, meter: Meter, fetch: Any) -> None:
        keep(meter, (0, {"n": 5}))
        assert fetch(bucket="hour", fields="n,n").json()["results"][0]["fields"]["n"]["count"] == 1

    def test_fifty_fields_are_not_too_many(self, meter: Meter, fetch: Any) -> None:
        names = [f"n{number}" for number in range(50)]
        keep(meter, (0, dict.fromkeys(names, 1)))
        assert list(fetch(bucket="hour", fields=",".join(names)).json()["results"][0]["fields"]) == names

    def test_only_numbers_count(self, meter: Meter, fetch: Any) -> None:
        for value in ("5", True, None, [5], {"n": 5}):
            keep(meter, (0, {"n": value}))
        assert fetch(bucket="hour", fields="n").json()["results"] == [
            {"start": "2026-03-01T12:00:00Z", "end": "2026-03-01T13:00:00Z", "count": 5, "fields": {}}
        ]

    def test_means_of_awkward_numbers(self, meter: Meter, fetch: Any) -> None:
        huge = 1.7e308
        keep(meter, *((n, {"a": huge, "b": 0.1, "c": (huge, -huge)[n % 2], "d": 2**63 - 1}) for n in range(10)))
        fields = fetch(bucket="hour", fields="a,b,c,d").json()["results"][0]["fields"]
        assert fields["a"]["mean"] == pytest.approx(huge)
        assert fields["b"]["mean"] == pytest.approx(0.1)
        assert fields["c"]["mean"] == 0
        assert fields["d"]["max"] == 2**63 - 1

    def test_a_span(self, meter: Meter, fetch: Any) -> None:
        keep(meter, *((n, {"n": n}) for n in range(5)))
        answer = fetch(bucket="hour", fields="n", start=iso(NOON + timedelta(seconds=1)), end=iso(NOON))
        assert answer.json()["results"] == []
        answer = fetch(bucket="hour", fields="n", start=iso(NOON + timedelta(seconds=3)))
        assert answer.json()["results"][0]["count"] == 2

    def test_another_devices_readings_stay_out(self, meter: Meter, other_meter: Meter, fetch: Any) -> None:
        keep(other_meter, (0, {"n": 1}))
        assert fetch(bucket="hour", fields="n").json()["results"] == []

    @pytest.mark.sqlite_only
    @pytest.mark.parametrize(
        ("query", "wrong"),
        [
            ({"bucket": "hour"}, ["fields"]),
            ({"fields": "n"}, ["bucket"]),
            ({"bucket": "week", "fields": "n"}, ["bucket"]),
            ({"bucket": "", "fields": ","}, ["bucket", "fields"]),
            ({"bucket": "hour", "fields": ",".join(map(str, range(51)))}, ["fields"]),
        ],
    )
    def test_bad_parameters(self, fetch: Any, query: dict[str, str], wrong: list[str]) -> None:
        answer = fetch(**query)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == wrong

    @pytest.mark.parametrize("most", [1, 40, 100])
    def test_readings_are_looked_at_in_pieces(
        self, meter: Meter, fetch: Any, monkeypatch: pytest.MonkeyPatch, most: int
    ) -> None:
        keep(meter, *((n // 3 * 700, {"n": n, "m": -n}) for n in range(30)))
        asked = [{"bucket": bucket, "fields": "n,m"} for bucket in ("minute", "hour", "day")]
        whole = [fetch(**one).json() for one in asked]
        assert [[one["count"] for one in told["results"]] for told in whole] == [[3] * 10, [18, 12], [30]]
        monkeypatch.setattr("ozone.webapi.paging.MOST", most)
        assert [fetch(**one).json() for one in asked] == whole

    def test_readings_that_are_too_large_together(
        self, meter: Meter, fetch: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("device_gateway.readings.queries.MAX_BUCKET_SIZE", 2**20)
        keep(meter, *((n, {"n": n, "text": "x" * 250_000}) for n in range(5)))
        answer = fetch(bucket="hour", fields="n")
        assert refusal(answer) == (400, "too_many_readings")
        assert answer.json()["detail"] == "Readings of more than 1 MB: narrow start and end."
        assert fetch(bucket="hour", fields="n", start=iso(NOON + timedelta(seconds=2))).status == 200

    def test_too_many_readings(self, meter: Meter, fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("device_gateway.readings.queries.MAX_BUCKET_ROWS", 3)
        keep(meter, *((n, {"n": n}) for n in range(4)))
        assert refusal(fetch(bucket="hour", fields="n")) == (400, "too_many_readings")
        assert fetch(bucket="hour", fields="n", start=iso(NOON + timedelta(seconds=1))).status == 200
