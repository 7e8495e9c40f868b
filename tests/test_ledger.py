"""The witness itself: each kind of fault that the crash and trouble tests look for is found."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.ledger import Row, Verdict, compare
from tests.support.meters import Entry, Journal, message_id, reading

pytestmark = pytest.mark.sqlite_only

PLAIN = Entry(device=1, first=10, count=1, marked=False, unsure=0, acked=True)
BATCH = Entry(device=1, first=20, count=3, marked=True, unsure=1, acked=True)


def row(number: int, identifier: int, device: int = 1, **changed: Any) -> Row:
    payload = {**reading(number), **changed}
    return Row(identifier, device, payload.get("message_id"), None, f"2026-01-01 00:00:{identifier:02d}", payload)


def marked(number: int, identifier: int) -> Row:
    return row(number, identifier, message_id=message_id(1, number))


WHOLE = [row(10, 1), marked(20, 2), marked(21, 3), marked(22, 4)]


def verdict_of(rows: list[Row], *entries: Entry) -> Verdict:
    latest = {1: rows[-1].payload} if rows else {}
    return compare(Journal(entries=list(entries) or [PLAIN, BATCH]), rows, latest)


def test_all_is_well() -> None:
    verdict = verdict_of(WHOLE)
    assert verdict.faults == {}
    assert (verdict.acknowledged, verdict.stored) == (4, 4)


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (WHOLE[1:], {"missing": 1}),
        (WHOLE[:1], {"missing": 3}),
        (WHOLE[:3], {"missing": 1, "torn": 1}),
        ([*WHOLE, marked(20, 5), marked(21, 6), marked(22, 7)], {"duplicated": 3}),
        ([*WHOLE, row(10, 5)], {"twice_unexplained": 1}),
        ([*WHOLE, row(99, 5)], {"stray": 1}),
        ([*WHOLE, row(10, 5, device=2)], {"stray": 1}),
        ([row(10, 1, voltage=0), *WHOLE[1:]], {"altered": 1}),
    ],
)
def test_a_fault_is_found(rows: list[Row], fault: dict[str, int]) -> None:
    found = verdict_of(rows).faults
    found.pop("stale_states", None)
    assert found == fault


def test_a_state_that_is_behind() -> None:
    journal = Journal(entries=[PLAIN, BATCH])
    assert compare(journal, WHOLE, {1: WHOLE[0].payload}).faults == {"stale_states": 1}


def test_twice_after_a_lost_reply_is_explained() -> None:
    entry = replace(PLAIN, unsure=1)
    verdict = verdict_of([row(10, 1), row(10, 2)], entry)
    assert verdict.faults == {}
    assert verdict.twice_and_explained == 1
    assert verdict_of([row(10, 1), row(10, 2), row(10, 3)], entry).faults == {"twice_unexplained": 1}


def test_a_journal_survives_its_journey() -> None:
    journal = Journal(entries=[PLAIN, BATCH], claims=2, slowest=0.5, problems=["x"], unanswered=[(1.0, 2.0)])
    journal.replies["201"] += 3
    again = Journal.from_json(journal.as_json())
    assert (again.entries, again.replies, again.acked) == (journal.entries, journal.replies, 4)
    assert (again.claims, again.slowest, again.problems) == (2, 0.5, ["x"])
