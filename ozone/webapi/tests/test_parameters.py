"""Query strings: one declaration describes each parameter and reads it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.http import QueryDict

from ozone.webapi.parameters import Choice, Cursor, Flag, Instant, Needed, PageCursor, QueryString, Text, Whole
from ozone.wire.errors import Invalid


class Asked(QueryString):
    name = Text("Any name")
    days = Whole(1, 36_500, default=7, says="Days back")
    size = Whole(0, 9)
    wide = Flag(says="Widely")
    active = Flag(default=None)
    kind = Choice(["wet", "dry"])
    step = Choice(["hour", "day"], default="day")
    start = Instant("First")
    end = Instant("Last", is_end=True)
    after = Cursor("From `next`")


class AskedOfAll(Asked):
    names_all = True


class Longer(Asked):
    days = Whole(1, 10, default=3, says="Fewer days")
    device_id = Needed("Which device?")


NOTHING = {
    "name": None, "days": 7, "size": None, "wide": False, "active": None, "kind": None, "step": "day", "start": None,
    "end": None, "after": None,
}  # fmt: skip


def test_each_is_read_as_its_type() -> None:
    query = (
        "name=a+b&days=30&size=0&wide=yes&active=0&kind=wet&step=hour&start=2026-01-02&end=2026-01-02&after=1000000-7"
    )
    asked = Asked.read(QueryDict(query + "&unknown=1"))
    days: int = asked.days  # mypy reads this line: it would refuse `int | None`
    size: int | None = asked.size
    assert (asked.name, days, size, asked.wide, asked.active) == ("a b", 30, 0, True, False)
    assert (asked.kind, asked.step) == ("wet", "hour")
    assert asked.start == datetime(2026, 1, 2, tzinfo=UTC)
    assert asked.end == datetime(2026, 1, 2, 23, 59, 59, 999_999, UTC)
    assert asked.after == PageCursor(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), 7)
    assert str(asked.after) == "1000000-7"


@pytest.mark.parametrize("empty", [False, True])
def test_what_is_absent_or_empty_is_the_default(empty: bool) -> None:
    asked = Asked.read(dict.fromkeys(NOTHING, "") if empty else {})
    # An empty flag is false, also where an absent one says nothing.
    expected = {**NOTHING, "active": False} if empty else NOTHING
    assert {name: getattr(asked, name) for name in NOTHING} == expected


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        *(("days", text, "A whole number from 1 to 36,500.") for text in ("0", "36501", "-1", "7.0", "+7", " 7", "٧")),
        ("days", "9" * 5000, "A whole number from 1 to 36,500."),
        ("size", "10", "A whole number from 0 to 9."),
        ("wide", "maybe", "true or false."),
        ("kind", "Wet", "One of wet, dry."),
        ("step", "week", "One of hour, day."),
        ("after", "7", "Not a cursor of ours."),
    ],
)
def test_a_refusal_names_the_parameter(name: str, text: str, sentence: str) -> None:
    with pytest.raises(Invalid) as caught:
        Asked.read({name: text})
    assert caught.value.body() == {
        "detail": f"{name} is not valid: {sentence}",
        "code": "invalid",
        "errors": {name: [sentence]},
    }


@pytest.mark.parametrize("name", ["start", "end"])
def test_a_refusal_of_a_time(name: str) -> None:
    with pytest.raises(Invalid) as caught:
        Asked.read({name: "soon"})
    assert caught.value.detail == f"{name} is not an ISO 8601 time."
    assert caught.value.errors == {name: ["Not an ISO 8601 time."]}


def test_one_is_named_or_all() -> None:
    wrong = {"kind": "damp", "days": "0", "end": "soon"}
    with pytest.raises(Invalid) as first:
        Asked.read(wrong)
    assert first.value.errors == {"days": ["A whole number from 1 to 36,500."]}
    with pytest.raises(Invalid) as every:
        AskedOfAll.read(wrong)
    assert every.value.body() == {
        "detail": "days: A whole number from 1 to 36,500. kind: One of wet, dry. end: Not an ISO 8601 time.",
        "code": "invalid",
        "errors": {
            "days": ["A whole number from 1 to 36,500."],
            "kind": ["One of wet, dry."],
            "end": ["Not an ISO 8601 time."],
        },
    }


def test_a_subclass_adds_and_replaces() -> None:
    asked = Longer.read({"device_id": "x"})
    assert (asked.device_id, asked.days, asked.step) == ("x", 3, "day")
    assert Asked.read({}).days == 7
    for missing in ({}, {"device_id": ""}):
        with pytest.raises(Invalid, match=r"device_id is not valid: Which device\?"):
            Longer.read(missing)


class Strict(Whole[int]):
    takes_empty = True


class Range(QueryString):
    low = Strict(1, 9, default=1)
    high = Whole(1, 9, default=9)

    def check(self) -> None:
        if self.high < self.low:
            raise Invalid.named("high", "Not below low.")


def test_parameters_that_do_not_go_together() -> None:
    assert Range.read({"low": "9"}).low == 9
    with pytest.raises(Invalid) as caught:
        Range.read({"low": "8", "high": "7"})
    assert caught.value.errors == {"high": ["Not below low."]}


def test_an_empty_one_may_be_refused() -> None:
    assert Range.read({"high": ""}).high == 9
    with pytest.raises(Invalid) as caught:
        Range.read({"low": ""})
    assert caught.value.errors == {"low": ["A whole number from 1 to 9."]}


def test_it_cannot_be_changed() -> None:
    asked: Any = Asked.read({"days": "9"})
    with pytest.raises(AttributeError, match="days"):
        asked.days = 8
    assert asked.days == 9
    assert Asked.read({}).days == 7


def test_openapi_has_the_same_declaration() -> None:
    described = {
        one.name: (one.type, one.location, one.description, one.enum, one.required) for one in Longer.parameters
    }
    assert described == {
        "name": (str, "query", "Any name", None, False),
        "days": (int, "query", "Fewer days", None, False),
        "size": (int, "query", "", None, False),
        "wide": (bool, "query", "Widely", None, False),
        "active": (bool, "query", "", None, False),
        "kind": (str, "query", "", ["wet", "dry"], False),
        "step": (str, "query", "", ["hour", "day"], False),
        "start": (str, "query", "First", None, False),
        "end": (str, "query", "Last", None, False),
        "after": (str, "query", "From `next`", None, False),
        "device_id": (str, "query", "", None, True),
    }
