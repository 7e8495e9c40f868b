"""The page of statistics: the same figures as the API's, whatever the address says."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from device_gateway.models import Device
from pages.kit.live import VERSION
from pages.tests.conftest import SignIn
from telemetry.machines.bindings import register_machine
from telemetry.models import Machine, Outlet
from telemetry.tests.cast import press

pytestmark = pytest.mark.django_db

NOW = datetime(2025, 9, 16, 12, 34, 56, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
STATS = "/stats/"


@pytest.fixture(autouse=True)
def at_noon() -> Any:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def history(meter: Device, pump: Device) -> dict[str, Machine]:
    """Vera's meter in M1 at Altona: three today, one yesterday, two a week before that. Sam's pump in M2: one today."""
    with time_machine.travel(NOW - 30 * DAY):
        machines = {
            name: register_machine(device=device, outlet=Outlet.objects.create(name=outlet), name=name)
            for device, name, outlet in ((meter, "M1", "Altona"), (pump, "M2", "Lehrte"))
        }
    for ago, treatment in (
        (timedelta(0), "BASIC"),
        (HOUR, "BASIC"),
        (2 * HOUR, "PREMIUM"),
        (DAY, "STANDARD"),
        (8 * DAY, "BASIC"),
        (8 * DAY, "BASIC"),
    ):
        press(meter, NOW - ago, treatment=treatment)
    press(pump, NOW, treatment="PREMIUM")
    return machines


def read(client: Client, **query: Any) -> str:
    reply = client.get(STATS, query)
    assert reply.status_code == 200, reply.content
    return str(reply.content.decode())


def figures(html: str) -> list[str]:
    return re.findall(r"<dd>([^<]*)</dd>", html.split('data-part="figures"')[1].split("data-part")[0])


def notes(html: str) -> dict[str, str]:
    """By the name of a key figure what is said of it."""
    tiles = html.split('data-part="figures"')[1].split("data-part")[0]
    return dict(re.findall(r'<dt>([^<]*)</dt><dd>[^<]*</dd><dd class="hint">([^<]*)</dd>', tiles))


def table(html: str) -> list[list[str]]:
    body = html.split('data-part="rows"')[1].partition("<tbody>")[2].partition("</tbody>")[0]
    return [[cell.strip() for cell in re.findall(r">([^<>]+)<", row)] for row in body.split("</tr>")[:-1]]


def columns(html: str) -> list[list[str]]:
    return [title.split("\n") for title in re.findall(r"<title>(\d[^<]*)</title>", html)]


def errors(html: str) -> dict[str, str]:
    found = re.findall(r'<p class="errorlist" id="(\w+)-error">([^<]*)</p>', html)
    assert len(found) == 11  # each field has a place for it
    return {name: words for name, words in found if words}


def test_it_works(signed_in: SignIn, vera: User, history: Any) -> None:
    html = read(signed_in(vera))
    assert figures(html) == ["4", "0.17", "0", "3", "2", "−50.0\N{NARROW NO-BREAK SPACE}%"]
    assert notes(html) == {
        "Treatments": "So far",
        "Average per day": "Of days that are over",
        "Fewest in a day": "Of days that are over",
        "The time before": "2025-09-03 to 2025-09-09 12:34. No data before 2025-09-08",
        "Change": "1 after 2, on 1 full day",
    }
    assert table(html) == [
        ["2025-09-16", "so far", "2", "0", "1", "3"],
        ["2025-09-15", "0", "1", "0", "1"],
        *([f"2025-09-{day}", "0", "0", "0", "0"] for day in (14, 13, 12, 11, 10)),
    ]
    assert columns(html)[-1] == ["2025-09-16 so far", "Basic: 2", "Standard: 0", "Premium: 1", "Total: 3"]
    assert 'aria-label="Treatments by day, 2025-09-10 to 2025-09-16: 4 in all"' in html
    assert "by the clock of UTC. What is pale is not over." in html
    assert errors(html) == {}


def test_compared_with_before(signed_in: SignIn, vera: User, history: Any) -> None:
    html = read(signed_in(vera), compare="true")
    assert columns(html)[-2][-1] == "Total before: 2"
    assert table(html)[1:3] == [["2025-09-15", "0", "1", "0", "1", "2"], ["2025-09-14", "0", "0", "0", "0", "—"]]
    assert re.search(r'<input type="checkbox" name="compare" value="true"[^>]* checked>', html)


def test_today_is_compared_with_yesterday(signed_in: SignIn, vera: User, meter: Device, history: Any) -> None:
    for ago in (DAY + 11 * HOUR, DAY - timedelta(minutes=1), DAY - 11 * HOUR):  # 01:34, 12:35, 23:34
        press(meter, NOW - ago)
    html = read(signed_in(vera), granularity="hour", days="1", compare="true")
    before = {row[0]: row[-1] for row in table(html)}
    assert before == {f"2025-09-16 {hour:02}:00": "1" if hour in (1, 12) else "0" for hour in range(13)}
    assert figures(html)[4:] == ["2", "+50.0\N{NARROW NO-BREAK SPACE}%"]
    assert notes(html)["The time before"] == "2025-09-15 00:00 to 2025-09-15 12:34"
    assert notes(html)["Change"] == "3 after 2, until now"


def test_a_time_without_data_is_no_zero(signed_in: SignIn, sam: User, history: Any) -> None:
    html = read(signed_in(sam), compare="true")
    assert table(html)[1] == ["2025-09-15", "—", "—", "—", "—", "—"]
    assert figures(html) == ["1", "—", "—", "1", "—", "—"]
    assert notes(html)["Change"] == "No data before 2025-09-16"


def test_running_total_and_averages_are_lines(signed_in: SignIn, vera: User, history: Any) -> None:
    html = read(signed_in(vera), cumulative="true")
    assert [row[-1] for row in table(html)[:3]] == ["4", "1", "0"]
    assert 'class="line s4"' in html and 'class="column' not in html
    html = read(signed_in(vera), ma="2")
    assert [row[-1] for row in table(html)[:2]] == ["2", "0.5"]
    assert "as averages over 2" in html
    assert figures(html)[0] == "4"  # of the plain numbers, always


def test_filters(signed_in: SignIn, olga: User, history: dict[str, Machine]) -> None:
    client, one, other = signed_in(olga), history["M1"], history["M2"]
    assert figures(read(client))[0] == "5"
    for query in (
        {"outlet_id": other.outlet_id},
        {"machine_id": other.pk},
        {"device_id": "dev-" + str(other.device_id)},
        {"outlet_id": other.outlet_id, "machine_id": other.pk},
    ):
        assert figures(read(client, **query))[0] == "1", query
    assert figures(read(client, outlet_id=one.outlet_id, machine_id=other.pk))[0] == "0"
    html = read(client, granularity="hour", days=1)
    assert [row for row in table(html) if row[-1] != "0"] == [
        ["2025-09-16 12:00", "so far", "1", "0", "1", "2"],
        ["2025-09-16 11:00", "1", "0", "0", "1"],
        ["2025-09-16 10:00", "0", "0", "1", "1"],
    ]
    html = read(client, start="2025-09-15T00:00", end="2025-09-15T23:00", tz="Asia/Kathmandu")
    assert [row[0] for row in table(html)] == ["2025-09-15"] and figures(html)[0] == "1"
    assert 'name="start" value="2025-09-15T00:00"' in html


def test_choices_are_those_of_the_outlet(
    signed_in: SignIn, olga: User, vera: User, history: dict[str, Machine]
) -> None:
    html = read(signed_in(olga), outlet_id=history["M2"].outlet_id)
    assert f'<option value="{history["M2"].outlet_id}" selected>Lehrte</option>' in html
    assert ">M2</option>" in html and ">M1</option>" not in html
    html = read(signed_in(olga), outlet_id=history["M2"].outlet_id, machine_id=history["M1"].pk)
    assert f'<option value="{history["M1"].pk}" selected>' in html  # what is chosen stays to be seen
    html = read(signed_in(vera))
    assert ">Altona</option>" in html and "Lehrte" not in html and ">M2<" not in html


def test_a_stranger_sees_nothing_of_it(signed_in: SignIn, sam: User, vera: User, history: dict[str, Machine]) -> None:
    assert figures(read(signed_in(sam)))[0] == "1"
    of_vera = history["M1"]
    for name, value in (("outlet_id", of_vera.outlet_id), ("machine_id", of_vera.pk), ("device_id", of_vera.device_id)):
        html = read(signed_in(sam), **{name: value})
        assert errors(html) == {name: f"There is no such {name.removesuffix('_id')}."}
        assert figures(html) == [] and "Nothing can be shown for these filters" in html


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"granularity": "week"}, {"granularity": "One of minute, hour, day, month."}),
        ({"days": "0"}, {"days": "A whole number from 1 to 36,500."}),
        ({"days": "a week"}, {"days": "A whole number from 1 to 36,500."}),
        ({"start": "yesterday"}, {"start": "Not an ISO 8601 time."}),
        ({"start": "0001-01-01"}, {"start": "In the years 1900 to 2199."}),
        ({"end": "0" * 5000}, {"end": "Not an ISO 8601 time."}),
        ({"tz": "Mars/Olympus"}, {"tz": "The name of a time zone, as Asia/Singapore."}),
        ({"tz": "../../etc/passwd"}, {"tz": "The name of a time zone, as Asia/Singapore."}),
        ({"ma": "-1"}, {"ma": "A whole number from 0 to 50,000."}),
        ({"compare": "perhaps"}, {"compare": "true or false."}),
        ({"outlet_id": "x", "machine_id": "9" * 30}, {
            "outlet_id": "A whole number from 1 to 9,223,372,036,854,775,807.",
            "machine_id": "A whole number from 1 to 9,223,372,036,854,775,807.",
        }),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.sqlite_only
def test_what_cannot_be_read_is_said_at_its_field(
    signed_in: SignIn, vera: User, history: Any, query: dict[str, str], said: dict[str, str]
) -> None:
    html = read(signed_in(vera), cumulative="true", **query)
    assert errors(html) == said
    assert table(html)[0] == ["2025-09-16", "so far", "2", "1", "1", "4"]  # the rest is still used


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"device_id": "nobody"}, "device_id"),
        ({"device_id": "\0"}, "device_id"),
        ({"start": "2025-09-16", "end": "2025-09-15"}, "end"),
        ({"start": "2025-09-17"}, "start"),
        ({"days": "36500", "granularity": "minute"}, "days"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_is_said_at_its_field(
    signed_in: SignIn, vera: User, history: Any, query: dict[str, str], field: str
) -> None:
    html = read(signed_in(vera), **query)
    assert list(errors(html)) == [field]
    assert "Nothing can be shown for these filters" in html and "<svg role" not in html


def test_words_of_the_address_are_only_words(signed_in: SignIn, vera: User) -> None:
    evil = '"><script>alert(1)</script>'
    html = read(signed_in(vera), device_id=evil, tz=evil, days=evil, outlet_id=evil)
    assert "<script>alert" not in html
    assert set(errors(html)) == {"device_id", "tz", "days", "outlet_id"}


def test_more_than_a_chart_can_hold(signed_in: SignIn, vera: User, history: Any) -> None:
    html = read(signed_in(vera), granularity="minute", days="2")
    assert "2195 of them, by the minute" in html and "<svg role" not in html
    assert table(html) == []
    assert figures(html)[0] == "4"


def test_csv_is_of_the_same_filters(signed_in: SignIn, vera: User, history: dict[str, Machine]) -> None:
    client = signed_in(vera)
    html = read(client, machine_id=history["M1"].pk, granularity="hour", days=1, compare="true", ma="x")
    link = re.findall(r'href="(/api/stats/export.csv[^"]*)"', html)[0].replace("&amp;", "&")
    assert link.endswith("?" + urlencode(
        {"machine_id": history["M1"].pk, "granularity": "hour", "days": 1, "compare": "true", "bom": "true"}
    ))  # fmt: skip
    content = client.get(link).content
    assert content.startswith(b"\xef\xbb\xbflabel,")
    lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert lines[1:] == [[row[0], *row[-5:-1]] for row in table(html)[::-1]]


def test_usual_spans(signed_in: SignIn, vera: User) -> None:
    html = read(signed_in(vera), days=1, granularity="hour", tz="Asia/Tokyo", start="")
    spans = re.findall(
        r'<a href="(\?[^"]+)"( aria-current="true")?>', html.split('class="spans"')[1].split("</nav>")[0]
    )
    assert [bool(current) for _, current in spans] == [True, False, False, False]
    assert re.fullmatch(r"\?tz=Asia%2FTokyo&amp;days=\d+&amp;granularity=month", spans[3][0])


@pytest.mark.parametrize("today", ["2025-11-30", "2025-12-01", "2025-12-31", "2026-01-01", "2026-02-28", "2028-02-29"])
def test_twelve_months_are_twelve(signed_in: SignIn, vera: User, today: str) -> None:
    with time_machine.travel(f"{today}T12:00:00Z", tick=False):
        client = signed_in(vera)
        link = re.findall(r'href="(\?[^"]*granularity=month)"', read(client))[0].replace("&amp;", "&")
        labels = client.get(f"/api/stats/{link}").json()["labels"]
    assert (len(labels), labels[-1]) == (12, today[:7])


def test_it_follows_the_events(
    signed_in: SignIn, olga: User, meter: Device, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    client = signed_in(olga)
    page = client.get(STATS)
    assert 'data-live="5000"' in page.content.decode()
    seen = re.findall(r'data-version="([^"]+)"', page.content.decode())[0]
    client.get(STATS, headers={"HX-Request": "true", VERSION: seen})  # from now on she is known
    with django_assert_num_queries(2):  # who looks, and the version
        reply = client.get(STATS, headers={"HX-Request": "true", VERSION: seen})
    assert (reply.status_code, reply.content) == (204, b"")
    press(meter, NOW)
    changed = client.get(STATS, headers={"HX-Request": "true", VERSION: seen}).content.decode()
    assert set(re.findall(r'data-part="([^"]+)"', changed)) == {"figures", "chart", "rows"}
    assert "<dd>1</dd>" in changed


def test_signed_out_and_wrong_method(client: Client, signed_in: SignIn, vera: User) -> None:
    reply = client.get("/stats?days=3")
    assert (reply.status_code, reply["Location"]) == (302, "/login/?next=/stats%3Fdays%3D3")
    assert signed_in(vera).post(STATS).status_code == 405
    assert signed_in(vera).get("/stats").status_code == 200
