"""The comparison at the end of a run of Ozone machines, and what it is called."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from simulators.ozone_ledger import Told, compare_ledger
from simulators.ozone_records import Command, Fate, Press
from simulators.ozone_verdict import (
    Commands,
    OzoneVerdict,
    Presses,
    compare_commands,
    compare_presses,
    outcomes_possible,
)

GOOD = OzoneVerdict(
    devices=2, hostile=True, time_scale=1.0, seconds=1.0, drain_seconds=1.0, presses=Presses(made=3, stored=3),
    commands=Commands(created=2, outcomes={"executed": 2}), stuck=[], wrong_counters=[], lagging_counters=[],
    quarantined=0, quarantine_open=0, statuses={"poll 401": 2, "event 401": 1, "event 200": 3}, unanswered={},
    complaints={}, restarts=0, outages=0, p50_ms=1.0, p99_ms=2.0,
)  # fmt: skip

ROW = {
    "event_id": "m-B00000000016000001",
    "treatment": "BASIC",
    "counter": 1,
    "occurred_at": "2025-11-21T03:00:16Z",
    "device_timestamp": "2025-11-21 11:00:16",
    "clock_suspect": False,
}


def press(fate: Fate = Fate.ACKNOWLEDGED, ruling: str = "", *, blind: bool = False) -> Press:
    told = datetime(2025, 11, 21, 3, 0, 16, tzinfo=UTC)
    body = {"ts": "2025-11-21 11:00:16"}
    return Press("m-B00000000016000001", "BASIC", 1, body, told, blind, spoiled=bool(ruling), fate=fate, ruling=ruling)


@pytest.mark.parametrize(
    ("made", "rows", "found"),
    [
        (press(), [ROW], Presses(1, stored=1)),
        (press(), [], Presses(1, lost=1)),
        (press(), [ROW, ROW, ROW], Presses(1, stored=1, duplicated=2)),
        (press(), [ROW, {"event_id": "other"}], Presses(1, stored=1, invented=1)),
        (press(), [ROW | {"treatment": "PREMIUM"}], Presses(1, stored=1, altered=1)),
        (press(), [ROW | {"counter": 2}], Presses(1, stored=1, altered=1)),
        (press(), [ROW | {"occurred_at": "2025-11-21T11:00:16Z"}], Presses(1, stored=1, altered=1)),
        (press(), [ROW | {"occurred_at": None}], Presses(1, stored=1, altered=1)),
        (press(), [ROW | {"device_timestamp": "2025-11-21T03:00:16Z"}], Presses(1, stored=1, altered=1)),
        (press(), [ROW | {"clock_suspect": True}], Presses(1, stored=1, altered=1)),
        (press(blind=True), [ROW | {"clock_suspect": True}], Presses(1, stored=1)),
        (press(Fate.QUEUED), [], Presses(1, undelivered=1)),
        (press(Fate.QUEUED), [ROW], Presses(1, stored=1, undelivered=1)),
        (press(Fate.CLEARED), [], Presses(1, cleared=1)),
        (press(Fate.CLEARED), [ROW], Presses(1, stored=1)),
        (press(ruling="discarded"), [], Presses(1, discarded=1)),
        (press(ruling="discarded"), [ROW], Presses(1, discarded=1, invented=1)),
        (press(ruling="accepted"), [ROW], Presses(1, stored=1, accepted=1)),
        (press(Fate.CLEARED, "accepted"), [], Presses(1, lost=1, accepted=1)),
    ],
)
def test_compare_presses(made: Press, rows: list[dict[str, Any]], found: Presses) -> None:
    assert compare_presses([made], rows) == found


@pytest.mark.parametrize(
    ("kind", "command", "states"),
    [
        ("GET_STATUS", Command("GET_STATUS", 1, reported=True), {"executed"}),
        ("GET_STATUS", Command("GET_STATUS", 1), {"executed", "timeout"}),
        ("GET_STATUS", None, {"timeout"}),
        ("UPDATE_FIRMWARE", Command("UPDATE_FIRMWARE", 1, reported=False), {"failed"}),
        ("UPDATE_FIRMWARE", Command("UPDATE_FIRMWARE", 1), {"failed", "timeout"}),
        ("REBOOT_DEVICE", None, {"executed", "timeout"}),
        ("CLEAR_MEMORY", Command("CLEAR_MEMORY", 1), {"executed", "timeout"}),
    ],
)
def test_outcomes_possible(kind: str, command: Command | None, states: set[str]) -> None:
    assert outcomes_possible(kind, command) == states


def test_compare_commands() -> None:
    created = {"a": "GET_STATUS", "b": "RESET_COUNTERS", "c": "CLEAR_QUEUE", "d": "SYNC_TIME"}
    remembered = {
        "a": Command("GET_STATUS", 2, reported=True),
        "b": Command("RESET_COUNTERS", 2, reported=True),
        "c": Command("CLEAR_QUEUE", 1, reported=True),
    }
    shown = {"a": "executed", "b": "timeout", "c": "sent"}
    expected = Commands(4, {"executed": 1, "timeout": 1, "sent": 1}, wrong=2, repeated=1, unended=1)
    assert compare_commands(created, remembered, shown, 1) == expected, "b was reported, d is not shown at all"


def test_an_old_command_may_have_left_the_newest_ten() -> None:
    shown = {str(number): "executed" for number in range(10)}
    remembered = {str(number): Command("GET_STATUS", 1, reported=True) for number in range(10)}
    assert compare_commands({"old": "GET_STATUS"}, remembered, shown, 0).wrong == 0


def test_a_good_run_passes() -> None:
    assert GOOD.failures == []
    assert (GOOD.count(401), GOOD.count(503)) == (3, 0)
    said = json.loads(json.dumps(GOOD.as_json()))
    assert (said["passed"], said["presses"]["made"], said["commands"]["outcomes"]) == (True, 3, {"executed": 2})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"presses": Presses(1, stored=1, lost=2)}, "acknowledged but not stored: 2."),
        ({"presses": Presses(1, stored=1, duplicated=1)}, "beyond the first of a press: 1."),
        ({"presses": Presses(1, stored=1, altered=1)}, "another treatment, counter or time than told: 1."),
        ({"presses": Presses(1, stored=1, invented=1)}, "nobody pressed, or that were discarded: 1."),
        ({"presses": Presses()}, "No press was stored."),
        ({"commands": Commands(unended=1)}, "never ended: 1."),
        ({"commands": Commands(wrong=1)}, "account does not allow: 1."),
        ({"commands": Commands(repeated=1)}, "must not be: 1."),
        ({"quarantine_open": 1}, "nobody could let go: 1."),
        ({"stuck": ["a", "b"]}, "Machines that are stuck: 2 (a, b)."),
        ({"wrong_counters": ["a"]}, "shown wrongly: 1 (a)."),
        ({"lagging_counters": ["a"]}, "before their last press: 1 (a)."),
        ({"complaints": {"poll: 500 server_error: Broken.": 3}}, "3 × poll: 500 server_error: Broken."),
    ],
)
def test_what_fails_a_run(change: dict[str, Any], words: str) -> None:
    [failure] = dataclasses.replace(GOOD, **change).failures
    assert words in failure


def test_sums() -> None:
    assert Presses(1, stored=1) + Presses(2, lost=1) == Presses(3, stored=1, lost=1)
    both = Commands(1, {"executed": 1}, wrong=1) + Commands(2, {"executed": 1, "timeout": 1}, unended=1)
    assert both == Commands(3, {"executed": 2, "timeout": 1}, wrong=1, unended=1)


def pressed(*numbers: int, life: int = 0, without: tuple[int, ...] = (), withheld: tuple[int, ...] = ()) -> list[Press]:
    """BASIC presses with ids of their own; `without`: what CLEAR_QUEUE dropped."""
    told = datetime(2025, 11, 21, 3, 0, 16, tzinfo=UTC)
    return [
        Press(
            f"{life}-{number}", "BASIC", number, {}, told, blind=False, spoiled=False, life=life,
            was_withheld=number in withheld, fate=Fate.CLEARED if number in without else Fate.ACKNOWLEDGED,
        )
        for number in numbers
    ]  # fmt: skip


def line(kind: str, first: int, last: int | None = None) -> dict[str, Any]:
    return {"kind": kind, "treatment": "BASIC", "first": first, "last": last or first}


def stored(presses: list[Press]) -> list[dict[str, Any]]:
    return [{"event_id": one.event_id} for one in presses if one.fate is not Fate.CLEARED]


def test_lines_of_what_was_withheld_and_cleared_are_true() -> None:
    presses = pressed(1, 2, 3, 4, without=(3,), withheld=(2,))
    found = compare_ledger("m", presses, stored(presses), [line("missing", 2, 3)], [line("missing", 3)])
    assert (found.presses, found.shown, found.unnamed, found.unclosed, found.untrue) == (1, 1, [], [], [])


def test_what_is_wrong_with_a_ledger_is_named() -> None:
    presses = pressed(1, 2, 3, 4, without=(3,), withheld=(2,))
    found = compare_ledger("m", presses, stored(presses), [line("missing", 3, 4)], [line("missing", 2, 3)])
    account = "1 2 (withheld) 3 (cleared, not stored) 4"
    assert found.unnamed == [Told("m", "withheld", "BASIC", 2, 2, account)]
    assert found.unclosed == [Told("m", "missing", "BASIC", 2, 3, account)]
    assert found.untrue == [Told("m", "missing", "BASIC", 3, 4, account)]
    failures = dataclasses.replace(GOOD, withheld=found).failures
    assert failures[-1] == f"Lines of the ledger that are not true: 1 (m: missing BASIC 3–4, pressed {account})."
    assert json.loads(json.dumps(dataclasses.asdict(found)))["untrue"][0]["kind"] == "missing"


@pytest.mark.parametrize("kind", ["twice", "back"])
def test_a_number_told_again_after_a_reset_that_nobody_heard_of(kind: str) -> None:
    """What the ledger shows then is true; after a reset that it was told of it is not, nor of another number."""
    presses = [*pressed(1, 2), *pressed(1, 2, life=1, without=(1,))]
    rows, lines = stored(presses), [line(kind, 2)]
    assert compare_ledger("m", presses, rows, lines, lines, {1}).untrue == []
    assert len(compare_ledger("m", presses, rows, lines, lines).untrue) == 2
    assert len(compare_ledger("m", presses, rows, [line(kind, 1)], [], {1}).untrue) == 1


def test_what_was_cleared_and_came_nevertheless_is_out_of_turn_without_a_clock() -> None:
    presses = pressed(1, 2, 3, without=(2,))
    rows = [{"event_id": one.event_id} for one in presses]
    lines = [line("missing", 2), line("back", 2)]
    assert len(compare_ledger("m", presses, rows, lines, lines).untrue) == 3
    for one in presses:
        one.blind = True
    assert compare_ledger("m", presses, rows, lines, lines).untrue == []
    assert compare_ledger("m", presses, rows, lines, lines).unclosed == []
    assert len(compare_ledger("m", presses, rows, [line("back", 3)], [line("missing", 3)]).untrue) == 1
    assert len(compare_ledger("m", presses, rows, [line("back", 3)], [line("missing", 3)]).unclosed) == 1
