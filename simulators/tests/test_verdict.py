"""The comparison at the end of a run, and what it is called."""

from __future__ import annotations

import dataclasses
import json

import pytest

from simulators.verdict import Account, Latencies, Stored, Verdict, compare

GOOD = Verdict(
    devices=2, asked_rate=100.0, achieved_rate=99.0, seconds=1.0, sent=100, acknowledged=100, stored=100, lost=0,
    duplicated=0, duplicated_explained=0, stray=0, refused=0, unconfirmed=0, retries=0, bricked=[], refusals={},
    p50_ms=1.0, p99_ms=2.0, sender_cpu=0.1, encrypted=False, batch=1, ids=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("account", "found", "stored"),
    [
        (Account(sent=3), [3, 2, 1], Stored(stored=3, lost=0, duplicated=0, explained=0, stray=0)),
        (Account(sent=3), [3, 1], Stored(stored=2, lost=1, duplicated=0, explained=0, stray=0)),
        (Account(sent=3), [], Stored(stored=0, lost=3, duplicated=0, explained=0, stray=0)),
        (Account(sent=2), [1, 1, 1, 2], Stored(stored=2, lost=0, duplicated=2, explained=0, stray=0)),
        (Account(sent=2, unanswered={1}), [1, 1, 1, 2], Stored(stored=2, lost=0, duplicated=2, explained=2, stray=0)),
        (Account(sent=2, unanswered={1}), [1, 2, 2], Stored(stored=2, lost=0, duplicated=1, explained=0, stray=0)),
        (
            Account(sent=3, refused={2}, unconfirmed={3}),
            [1],
            Stored(stored=1, lost=0, duplicated=0, explained=0, stray=0),
        ),
        (Account(sent=3, unconfirmed={3}), [1, 2, 3], Stored(stored=3, lost=0, duplicated=0, explained=0, stray=0)),
        (Account(sent=2), [1, 2, 0, 3, None, "1"], Stored(stored=2, lost=0, duplicated=0, explained=0, stray=4)),
    ],
)
def test_compare(account: Account, found: list[object], stored: Stored) -> None:
    assert compare(account, found) == stored


def test_a_good_run_passes_without_remarks() -> None:
    assert (GOOD.failures, GOOD.remarks) == ([], [])
    assert json.loads(json.dumps(GOOD.as_json()))["passed"] is True


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"lost": 1}, "not stored: 1."),
        ({"duplicated": 2, "duplicated_explained": 1}, "should not: 1."),
        ({"duplicated": 1, "duplicated_explained": 1, "ids": True}, "should not: 1."),
        ({"duplicated": 1, "duplicated_explained": 1, "encrypted": True}, "should not: 1."),
        ({"stray": 1}, "no reading of this run"),
        ({"bricked": [7]}, "401"),
        ({"refused": 1}, "refused and dropped: 1."),
        ({"acknowledged": 0}, "No reading"),
    ],
)
def test_what_fails_a_run(change: dict[str, object], word: str) -> None:
    [failure] = dataclasses.replace(GOOD, **change).failures  # type: ignore[arg-type]
    assert word in failure


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"duplicated": 2, "duplicated_explained": 2}, "2 of 2 duplicates"),
        ({"unconfirmed": 3}, "stored or not: 3."),
        ({"achieved_rate": 94.0}, "waiting for replies"),
        ({"achieved_rate": 94.0, "sender_cpu": 0.97}, "one process is the limit"),
    ],
)
def test_what_is_only_remarked(change: dict[str, object], word: str) -> None:
    verdict = dataclasses.replace(GOOD, **change)  # type: ignore[arg-type]
    assert verdict.failures == []
    assert word in " ".join(verdict.remarks)


def test_quantiles_are_within_one_percent() -> None:
    latencies = Latencies()
    assert latencies.quantile_ms(0.5) is None
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    assert latencies.quantile_ms(0.5) == pytest.approx(500, rel=0.011)
    assert latencies.quantile_ms(0.99) == pytest.approx(990, rel=0.011)
    assert latencies.quantile_ms(1.0) == pytest.approx(1000, rel=0.011)
