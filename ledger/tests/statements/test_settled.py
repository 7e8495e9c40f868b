"""What people have said of lines, on statements: on the draft, and as a correction once the month is closed."""

from datetime import datetime
from typing import Any

import pytest

from ledger.epochs.models import Epoch
from ledger.epochs.services import look_through
from ledger.lines.models import Line, Settlement
from telemetry.tests.cast import DAY, NOON, Site

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
        ("missing", "counted", 0, 0),
        ("missing", "test", None, 0),
        ("missing", "refunded", None, 0),
        ("missing", "lost", None, 0),
        ("conflict", "counted", 1, 1),
        ("twice", "counted", 0, -3),
        ("twice", "counted", 3, 0),
        ("twice", "test", None, -3),
        ("back", "refunded", None, -3),
        ("late", "refunded", None, -3),
        ("back", "lost", None, 0),
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


def test_the_presses_arrive_after_all(sold: Site) -> None:
    """The line closes, and with it what was said of it: they are told once."""
    missing = line(sold, "missing", 1)
    settle(missing, "counted", 1)
    told = read(sold)["totals"]["statement"]["presses"]
    missing.delete()
    assert read(sold)["totals"]["statement"]["presses"] == told - 1


def test_a_line_elsewhere_says_nothing_here(sold: Site) -> None:
    line(sold, "missing", 3, NOON)
    other = line(sold, "twice", 1)
    Line.objects.filter(pk=other.pk).update(outlet=None)
    assert read(sold)["unexplained"] == []
    assert read(sold, "2026-03")["unexplained"] == [{"kind": "missing", "presses": 3}]
