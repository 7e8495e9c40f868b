"""Charts: exact to the pixel, whatever the numbers and labels are."""

import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from django.utils.safestring import SafeString

from pages.kit.charts import MAX_POINTS, bars, lines, number

pytestmark = pytest.mark.sqlite_only

Draw = Callable[..., SafeString]
DAYS = ["2026-03-01", "2026-03-02", "2026-03-03"]


def moves(chart: str, classes: str) -> list[str]:
    """What the plot's paths of these classes draw; swatches of the legend left out."""
    plot = chart.split("<figcaption>")[0]
    return re.findall(rf'<path class="{re.escape(classes)}" d="([^"]*)"', plot)


def ticks(chart: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(chart).iter("text") if node.get("class") == "tick"]


def columns(chart: str) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(chart).iter("title")]


def test_bars_stand_on_each_other_to_scale() -> None:
    chart = bars(DAYS, {"Basic": [1, 0, 4], "Premium": [3, 2, 0]}, title="By day", height=200)
    assert ticks(chart) == ["0", "1", "2", "3", "4"]
    assert moves(chart, "column s1") == ["M5 200V150M25 200V0"]
    assert moves(chart, "column s2") == ["M5 150V0M15 200V100"]
    assert columns(chart) == [
        "2026-03-01\nBasic: 1\nPremium: 3\nTotal: 4",
        "2026-03-02\nBasic: 0\nPremium: 2\nTotal: 2",
        "2026-03-03\nBasic: 4\nPremium: 0\nTotal: 4",
    ]


def test_lines_to_scale_with_an_earlier_time() -> None:
    chart = lines(DAYS, {"Total": [0, 50, 100]}, previous={"Before": [100, 0, 50]}, title="By day", height=200)
    assert ticks(chart) == ["0", "50", "100"]
    assert moves(chart, "line s1") == ["M5 200h0L15 100L25 0"]
    assert moves(chart, "line was") == ["M5 0h0L15 200L25 100"]
    assert columns(chart)[1] == "2026-03-02\nTotal: 50\nBefore: 0"


def test_line_is_broken_where_nothing_is_known() -> None:
    chart = lines(["a", "b", "c", "d"], {"Volts": [230.5, None, float("nan"), 229.5]}, title="Volts", from_zero=False)
    assert re.findall(r"M\d+", moves(chart, "line s1")[0]) == ["M5", "M35"]
    assert columns(chart) == ["a\nVolts: 230.5", "b\nVolts: —", "c\nVolts: —", "d\nVolts: 229.5"]
    assert ticks(chart)[0] == "229.5" and ticks(chart)[-1] == "230.5"


def test_what_is_not_over_is_pale() -> None:
    chart = bars(DAYS, {"x": [1, 2, 4]}, title="t", height=200, unfinished=1)
    assert moves(chart, "column s1") == ["M5 200V150M15 200V100"]
    assert moves(chart, "column s1 pale") == ["M25 200V0"]
    assert [one.split("\n")[0] for one in columns(chart)] == [*DAYS[:2], "2026-03-03 so far"]
    chart = lines(DAYS, {"x": [1, 2, 4]}, title="t", height=200, unfinished=1)
    assert moves(chart, "line s1") == ["M5 150h0L15 100"]
    assert moves(chart, "line s1 pale") == ["M15 100h0L25 0"]
    for draw in (bars, lines):
        assert moves(draw(DAYS, {"x": [1, 2, 4]}, title="t", unfinished=3), "line s1") in ([""], [])
        assert "pale" not in draw(DAYS, {"x": [1, 2, 4]}, title="t")


def test_axis_of_bars_begins_at_zero_and_of_counts_is_whole() -> None:
    assert ticks(bars(DAYS, {"x": [228, 231, 229]}, title="t"))[0] == "0"
    assert ticks(bars(DAYS, {"x": [1, 0, 1]}, title="t")) == ["0", "1"]
    assert ticks(lines(DAYS, {"x": [0.1, 0, 0.2]}, title="t", height=100)) == ["0.0", "0.1", "0.2"]


def test_negative_bars_hang_below() -> None:
    chart = bars(["a", "b"], {"x": [-5, 5], "y": [-5, 5]}, title="t", height=100)
    assert ticks(chart) == ["-10", "0", "10"]
    assert moves(chart, "column s1") == ["M5 50V75M15 50V25"]
    assert moves(chart, "column s2") == ["M5 75V100M15 25V0"]


@pytest.mark.parametrize("draw", [bars, lines])
@pytest.mark.parametrize(
    "values",
    [
        [0],
        [7],
        [0, 0, 0],
        [None, None],
        [1e308, -1e308, 1e308],
        [float("inf"), float("-inf"), float("nan")],
        [5e-324, 0],
        [1e16, 1e16 + 2],
        [0.1, 0.1, 0.1],
        [2**63, -(2**63)],
        [-3, -2],
    ],
    ids=str,
)
def test_any_numbers_are_drawn_within_the_plot(draw: Draw, values: list[float | None]) -> None:
    labels = [str(place) for place in range(len(values))]
    ways: list[dict[str, Any]] = [
        {},
        {"previous": {"Before": values}},
        *([{"from_zero": False}] if draw is lines else []),
    ]
    for options in ways:
        chart = draw(labels, {"x": values, "y": values}, title="t", height=120, **options)
        assert len(columns(chart)) == len(values)
        assert 2 <= len(ticks(chart)) <= 6
        for path in (*moves(chart, "column s1"), *moves(chart, "line s1"), *moves(chart, "line was")):
            heights = [float(found) for found in re.findall(r"(?: |V)(-?[\d.]+)", path)]
            assert all(0 <= height <= 120 for height in heights)


@pytest.mark.parametrize("draw", [bars, lines])
def test_nothing_and_too_much(draw: Draw) -> None:
    assert "nothing to draw" in draw([], {"x": []}, title="t")
    assert "nothing to draw" in draw(["a"], {}, title="t")
    many = ["a"] * (MAX_POINTS + 1)
    assert "too many" in draw(many, {"x": [1] * len(many)}, title="t")
    assert len(columns(draw(many[1:], {"x": [1] * MAX_POINTS}, title="t"))) == MAX_POINTS


@pytest.mark.parametrize("draw", [bars, lines])
def test_words_are_only_words(draw: Draw) -> None:
    evil = '"><script>alert(1)</script>&'
    chart = draw([evil], {evil: [1], "y": [2]}, previous={evil: [3]}, title=evil)
    assert "<script" not in chart
    picture = ElementTree.fromstring(chart)[0]
    assert (picture.get("role"), picture.get("aria-label")) == ("img", evil)
    assert columns(chart)[0].startswith(evil)
    assert "style" not in chart and " on" not in chart.replace(evil, "")


def test_labels_are_thinned_out_and_a_date_is_said_once() -> None:
    hours = [f"2026-03-{1 + place // 24:02d} {place % 24:02d}:00" for place in range(36)]
    chart = bars(hours, {"x": [1] * 36}, title="t")
    said = [(node.text, node.get("class")) for node in ElementTree.fromstring(chart).iter("text")]
    assert [words for words, kind in said if kind != "tick"] == [
        "00:00", "2026-03-01", "04:00", "08:00", "12:00", "16:00", "20:00", "00:00", "2026-03-02", "04:00", "08:00",
    ]  # fmt: skip
    assert [words for words, kind in said if kind == "label"] == [
        "00:00", "2026-03-01", "12:00", "00:00", "2026-03-02",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "—"), (0, "0"), (1234567, "1,234,567"), (2.5, "2.5"), (3.0, "3"), (0.00002, "2e-05"), (1e300, "1e+300")],
)
def test_numbers_as_people_read_them(value: float | None, words: str) -> None:
    assert number(value) == words
