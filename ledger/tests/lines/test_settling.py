"""What a person says of a line: an entry of its own, which stays with its numbers."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from ledger.models import Line, Settlement
from ledger.tests.lines.conftest import LEDGER, read, tell
from telemetry.events.storing import store_once
from telemetry.machines.bindings import unassign_device
from telemetry.models import MachineDevice
from telemetry.tests.cast import HOUR, NOON, Site, event


def settle(site: Site, line: Line, **said: Any) -> Any:
    return site.olga.post(f"{LEDGER}lines/{line.pk}/settle/", said)


def test_settling_is_an_entry_of_its_own(site: Site) -> None:
    tell(site, 1, 5)
    read(site)
    line = Line.objects.get()
    answer = settle(site, line, reason="counted", count=2, note="By the till")
    assert answer.status == 201
    assert answer.json()["settled"] == {
        "reason": "counted", "count": 2, "note": "By the till", "by": "olga",
        "at": answer.json()["settled"]["at"],
    }  # fmt: skip
    assert settle(site, line, reason="lost").status == 201
    assert [(one.reason, one.count, one.presses) for one in Settlement.objects.order_by("pk")] == [
        ("counted", 2, 3),
        ("lost", None, 3),
    ]
    assert read(site)[0]["lines"][0]["settled"]["reason"] == "lost"


@pytest.mark.alike
def test_what_is_settled_stays_so_whatever_comes(site: Site) -> None:
    tell(site, 1, 6)
    read(site)
    settle(site, Line.objects.get(), reason="lost")
    store_once(connection, [event(site.device, NOON + 0.5 * HOUR, received_at=NOON + 2 * HOUR, counter=4)])
    assert [(line["numbers"], line["settled"]["reason"]) for line in read(site)[0]["lines"]] == [
        ("2–3", "lost"),
        ("5", "lost"),
    ]
    tell(site, 9, since=3)
    found = [(line["numbers"], line["settled"] is not None) for line in read(site)[0]["lines"]]
    assert found == [("2–3", True), ("5", True), ("7–8", False)]


def test_a_line_that_grows_is_not_settled_with_what_is_new(site: Site) -> None:
    unassign_device(machine=site.machine)
    MachineDevice.objects.all().delete()
    tell(site, 1, 2, 3)
    read(site)
    settle(site, Line.objects.get(), reason="test")
    tell(site, 4, 5, since=3)
    assert [(line["numbers"], line["settled"] is not None) for line in read(site)[0]["lines"]] == [
        ("1–3", True),
        ("4–5", False),
    ]
    before = list(Line.objects.order_by("pk").values_list("pk", "first", "last", "settlement"))
    call_command("reconcile")
    assert list(Line.objects.order_by("pk").values_list("pk", "first", "last", "settlement")) == before


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({}, "reason"),
        ({"reason": "theft"}, "reason"),
        ({"reason": "counted"}, "count"),
        ({"reason": "lost", "count": 1}, "count"),
        ({"reason": "counted", "count": 4}, "count"),
        ({"reason": "counted", "count": -1}, "count"),
        ({"reason": "lost", "note": "x" * 501}, "note"),
        ({"reason": "lost", "who": "me"}, "who"),
    ],
)
@pytest.mark.alike
def test_what_cannot_be_said_is_refused(site: Site, said: dict[str, Any], named: str) -> None:
    tell(site, 1, 5)
    read(site)
    answer = settle(site, Line.objects.get(), **said)
    assert (answer.status, list(answer.json()["errors"])) == (400, [named])
    assert not Settlement.objects.exists()


@pytest.mark.alike
def test_only_staff_settle(site: Site) -> None:
    tell(site, 1, 5)
    read(site)
    path = f"{LEDGER}lines/{Line.objects.get().pk}/settle/"
    assert site.vera.post(path, {"reason": "lost"}).status == 403
    assert site.olga.post(f"{LEDGER}lines/999/settle/", {"reason": "lost"}).status == 404
