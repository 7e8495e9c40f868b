"""What people have said of lines, on statements: on the draft, and as a correction once the month is closed."""

from datetime import datetime
from typing import Any

import pytest
from django.db import connection

from ledger.epochs.models import Epoch
from ledger.epochs.services import look_through
from ledger.lines.models import Line, Settlement
from telemetry.events.storing import store_once
from telemetry.tests.cast import DAY, HOUR, NOON, Site, event

STATEMENTS = "/api/statements/"


def line(site: Site, kind: str, count: int, at: datetime = NOON - 5 * DAY) -> Line:
    look_through(site.device.pk)  # what the device has told says nothing of it
    epoch, _ = Epoch.objects.get_or_create(
        device=site.device, treatment="BASIC", number=1,
        defaults={"cause": "first", "started_at": NOON - 100 * DAY, "base": 0, "last": 99, "presses": 3},
    )  # fmt: skip
    return Line.objects.create(
        epoch=epoch, device=site.device, treatment="BASIC", kind=kind, first=10, last=9 + count, count=count, at=at,
        machine=site.machine, outlet=site.outlet,
    )  # fmt: skip


def settle(line: Line, reason: str, count: int | None = None) -> None:
    told = {name: getattr(line, name) for name in ("device", "treatment", "kind", "first", "last", "at", "outlet")}
    line.settlement = Settlement.objects.create(presses=line.count, reason=reason, count=count, **told)
    line.save()


def read(site: Site, month: str = "2026-02") -> Any:
    return site.olga.read(f"{STATEMENTS}{site.outlet.pk}-{month}/")


@pytest.mark.parametrize(
    ("kind", "reason", "count", "settled"),
    [
        ("missing", "counted", 2, 2),
        ("conflict", "counted", 1, 1),
        ("twice", "counted", 0, -3),
        ("twice", "test", None, -3),
        ("late", "refunded", None, -3),
        ("back", "lost", None, 0),
        ("missing", "counted", 0, 0),
        ("missing", "test", None, 0),
        ("missing", "refunded", None, 0),
        ("missing", "lost", None, 0),
        ("twice", "counted", 3, 0),
        ("back", "refunded", None, -3),
    ],
)
def test_it_works(sold: Site, kind: str, reason: str, count: int | None, settled: int) -> None:
    """Of a line of three, on a day on which BASIC costs 6.00."""
    found = line(sold, kind, 3)
    assert read(sold)["unexplained"] == [{"kind": kind, "presses": 3}]
    settle(found, reason, count)
    said = read(sold)
    assert said["unexplained"] == []
    assert [one["settled"] for one in said["lines"]] == [0, settled, 0, 0]
    assert (said["lines"][1]["presses"], said["lines"][1]["revenue"]) == (1 + settled, f"{6 * (1 + settled)}.00")
    assert said["totals"]["statement"]["presses"] == 3 + settled


@pytest.mark.alike
def test_settled_afterwards_it_is_a_correction(sold: Site) -> None:
    missing = line(sold, "missing", 3)
    assert sold.olga.post(f"{STATEMENTS}{sold.outlet.pk}-2026-02/close/").status == 200
    before = sold.olga.get(f"{STATEMENTS}{sold.outlet.pk}-2026-02/").body
    settle(missing, "counted", 2)
    assert sold.olga.get(f"{STATEMENTS}{sold.outlet.pk}-2026-02/").body == before
    assert [(one["month"], one["presses"], one["revenue"]) for one in read(sold, "2026-03")["corrections"]] == [
        ("2026-02", 2, "12.00")
    ]
    # Said anew: the newest word counts.
    settle(missing, "counted", 1)
    assert [one["presses"] for one in read(sold, "2026-03")["corrections"]] == [1]


@pytest.mark.alike
def test_the_presses_arrive_after_all(sold: Site) -> None:
    """The line closes, and with it what was said of it: they are told once."""
    missing = line(sold, "missing", 1)
    settle(missing, "counted", 1)
    told = read(sold)["totals"]["statement"]["presses"]
    missing.delete()
    assert read(sold)["totals"]["statement"]["presses"] == told - 1


def test_a_line_at_midnight_is_of_the_month_that_begins(sold: Site) -> None:
    line(sold, "missing", 3, NOON.replace(hour=0))
    assert (read(sold)["unexplained"], read(sold, "2026-03")["unexplained"]) == (
        [],
        [{"kind": "missing", "presses": 3}],
    )


def test_a_line_elsewhere_says_nothing_here(sold: Site) -> None:
    line(sold, "missing", 3, NOON)
    other = line(sold, "twice", 1)
    Line.objects.filter(pk=other.pk).update(outlet=None)
    assert read(sold)["unexplained"] == []
    assert read(sold, "2026-03")["unexplained"] == [{"kind": "missing", "presses": 3}]


# --- told by a device, settled through the API ---

FIVE_DAYS_AGO = NOON - 5 * DAY


def tell(site: Site, number: int, hours: float, received_at: datetime = NOON) -> None:
    pressed = event(site.device, FIVE_DAYS_AGO + hours * HOUR, received_at=received_at, counter=number)
    store_once(connection, [pressed])


def lines(site: Site) -> list[tuple[str, str, str | None]]:
    """Kind, numbers, what was said of them."""
    return [
        (one["kind"], one["numbers"], one["settled"] and one["settled"]["reason"])
        for epoch in site.olga.read("/api/ledger/")["epochs"]
        for one in epoch["lines"]
    ]


def say(site: Site, reason: str, **more: Any) -> None:
    """Of the newest line."""
    newest = Line.objects.order_by("-at").values_list("pk", flat=True)[0]
    assert site.olga.post(f"/api/ledger/lines/{newest}/settle/", {"reason": reason, **more}).status == 201


@pytest.mark.alike
@pytest.mark.parametrize(
    ("counted", "after_one", "after_two", "after_all"), [(0, 3, 4, 6), (1, 3, 4, 6), (2, 4, 4, 6), (4, 6, 6, 6)]
)
def test_of_what_was_counted_by_hand_some_arrives(
    site: Site, counted: int, after_one: int, after_two: int, after_all: int
) -> None:
    """It is among what was counted: of two presses that are stored and four that are missing six are sold at most."""
    tell(site, 1, 0)
    tell(site, 6, 5)
    assert lines(site) == [("missing", "2–5", None)]
    say(site, "counted", count=counted)
    assert read(site)["totals"]["month"]["presses"] == 2 + counted
    tell(site, 4, 3)
    assert lines(site) == [("missing", "2–3", "counted"), ("missing", "5", "counted")]
    assert read(site)["totals"]["month"]["presses"] == after_one
    tell(site, 2, 1)
    assert read(site)["totals"]["month"]["presses"] == after_two
    tell(site, 3, 2)
    tell(site, 5, 4)
    assert lines(site) == []
    assert read(site)["totals"]["month"]["presses"] == after_all


@pytest.mark.alike
def test_nobody_has_said_anything_of_one_more(site: Site) -> None:
    for place, number in enumerate((6, 7, 7, 8)):
        tell(site, number, place)
    assert lines(site) == [("twice", "7", None)]
    say(site, "test")
    assert (lines(site), read(site)["totals"]["month"]["presses"]) == ([("twice", "7", "test")], 3)
    tell(site, 7, 2.5)
    assert (lines(site), read(site)["totals"]["month"]["presses"]) == ([("twice", "7", None)], 5)
    say(site, "test")
    assert (lines(site), read(site)["totals"]["month"]["presses"]) == ([("twice", "7", "test")], 3)


def test_a_press_of_a_closed_month_is_late(site: Site) -> None:
    """It is a line of its closed month and a correction in the next; refunded, it is none."""
    tell(site, 1, 0)
    tell(site, 4, 3)
    path = f"{STATEMENTS}{site.outlet.pk}-2026-02"
    assert site.olga.post(f"{path}/close/").status == 200
    kept = site.olga.get(f"{path}/").body
    tell(site, 2, 1, NOON + HOUR)
    assert lines(site) == [("late", "2", None), ("missing", "3", None)]
    tell(site, 3, 2, NOON + HOUR)
    assert lines(site) == [("late", "2–3", None)]  # it goes on, though it was looked into before
    assert site.vera.read("/api/ledger/?month=2026-02")["epochs"][0]["lines"][0]["kind"] == "late"
    corrections = [(one["month"], one["presses"], one["revenue"]) for one in read(site, "2026-03")["corrections"]]
    assert corrections == [("2026-02", 2, "10.00")]
    say(site, "refunded")
    assert lines(site) == [("late", "2–3", "refunded")]
    assert read(site, "2026-03")["corrections"] == []
    tell(site, 5, 4, NOON + 2 * HOUR)
    assert lines(site) == [("late", "2–3", "refunded"), ("late", "5", None)]
    assert site.olga.get(f"{path}/").body == kept
