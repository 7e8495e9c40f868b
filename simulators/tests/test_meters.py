"""Simulated meters against a peer that loses, refuses and lies."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from typing import Any

import pytest
from rich.console import Console

from simulators import meters
from simulators.client import Endpoint
from simulators.meters import MeterOptions, Readings, simulate_meters
from simulators.staff import SimulationError
from simulators.tests.peer import Answer, Peer, running
from simulators.verdict import Verdict


def simulate(peer: Peer, **options: Any) -> tuple[Verdict, str]:
    """A short run of two meters against the peer; the verdict and what was printed."""
    chosen: dict[str, Any] = {"devices": 2, "rate": 100.0, "seconds": 0.5, "username": "admin", "password": "password"}
    out = io.StringIO()
    run = MeterOptions(endpoint=Endpoint.parse(peer.url), **(chosen | options))
    return asyncio.run(simulate_meters(run, Console(file=out))), out.getvalue()


def remarks(verdict: Verdict) -> list[str]:
    """Without that on the rate, which a busy machine does not reach; what it says is test_verdict's."""
    return [remark for remark in verdict.remarks if not remark.startswith("The asked rate was not reached")]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.client.FIRST_DELAY", 0.02)
    monkeypatch.setattr(meters, "DEVICE_TIMEOUT", 0.3)
    monkeypatch.setattr(meters, "GRACE", 1.0)


class Faults:
    """Answers the ingest requests with these numbers as given, all others well."""

    def __init__(self, when: str, answer: Answer, *numbers: int) -> None:
        self._fault = (when, answer)
        self._numbers = numbers

    def __call__(self, number: int) -> tuple[str, Answer] | None:
        return self._fault if number in self._numbers else None


@pytest.mark.parametrize(
    "options", [{}, {"batch": 10}, {"ids": True}, {"encrypted": True}, {"encrypted": True, "batch": 10, "ids": True}]
)
def test_it_works(options: dict[str, Any]) -> None:
    with running(Peer(dedupe=True)) as peer:
        verdict, _ = simulate(peer, **options)
    assert verdict.failures == [] and remarks(verdict) == []
    assert (verdict.sent, verdict.acknowledged, verdict.stored) == (100, 100, 100)
    assert (verdict.lost, verdict.duplicated, verdict.retries, verdict.refusals) == (0, 0, 0, {})
    assert verdict.achieved_rate <= 200 * 1.05, "never faster than asked; how much slower is the machine's"
    assert [row["seq"] for row in peer.rows[1]] == list(range(1, 51))
    assert len(peer.ingests) == 100 / options.get("batch", 1)
    plain = not options.get("encrypted")
    assert plain is (b"voltage" in peer.ingests[0])


def test_the_last_batch_holds_what_is_left() -> None:
    with running(Peer()) as peer:
        verdict, _ = simulate(peer, devices=1, batch=20)
    assert [len(json.loads(body)) for body in peer.ingests] == [20, 20, 10]
    assert (verdict.failures, remarks(verdict), verdict.stored) == ([], [], 50)


def test_one_connection_a_device_and_bodies_of_the_sketch() -> None:
    with running(Peer()) as peer:
        simulate(peer, devices=1)
    assert peer.connections <= 2, "one of the person, one of the device"
    reading = json.loads(peer.ingests[0])
    assert list(reading) == ["voltage", "current", "power_factor", "kwh", "seq"]
    assert 70 <= len(peer.ingests[0]) <= 100


def test_lost_claims_are_asked_for_again_with_the_same_token() -> None:
    with running(Peer(lose_claims=2)) as peer:
        verdict, _ = simulate(peer, devices=1)
    assert verdict.failures == []
    assert [claim["token"] for claim in peer.claims] == ["token-1"] * 3


@pytest.mark.parametrize("when", ["before", "after"])
def test_lost_replies_are_resent_byte_for_byte(when: str) -> None:
    with running(Peer(Faults(when, None, 5, 6, 40), dedupe=True)) as peer:
        verdict, _ = simulate(peer, encrypted=True)
    assert verdict.failures == []
    assert verdict.retries == 3
    assert verdict.duplicated == 0
    assert sum(count - 1 for count in Counter(peer.ingests).values()) == 3


def test_without_ids_a_stored_but_unanswered_reading_is_an_explained_duplicate() -> None:
    with running(Peer(Faults("after", None, 5, 40))) as peer:
        verdict, _ = simulate(peer)
    assert verdict.failures == []
    assert (verdict.duplicated, verdict.duplicated_explained) == (2, 2)
    assert "2 of 2 duplicates" in remarks(verdict)[0]


def test_with_ids_a_duplicate_is_a_failure() -> None:
    with running(Peer(Faults("after", None, 5), dedupe=False)) as peer:
        verdict, _ = simulate(peer, ids=True)
    assert verdict.failures == ["Stored rows that repeat a reading and should not: 1."]


def test_an_acknowledged_reading_that_is_not_stored_is_lost() -> None:
    with running(Peer(Faults("before", (201, {}, {"status": "ok"}), 5, 6))) as peer:
        verdict, _ = simulate(peer)
    assert verdict.lost == 2
    assert verdict.failures == ["Readings acknowledged but not stored: 2."]


@pytest.mark.parametrize("status", [503, 429])
def test_retry_after_is_obeyed(status: int) -> None:
    with running(
        Peer(Faults("before", (status, {"Retry-After": "1"}, {"detail": "Busy.", "code": "busy"}), 10))
    ) as peer:
        verdict, _ = simulate(peer, devices=1, rate=20.0, seconds=2.0)
    assert verdict.failures == []
    assert verdict.retries == 1
    assert verdict.acknowledged == 40, "what was due meanwhile is sent afterwards"


def test_silence_is_given_up_after_the_time_out() -> None:
    with running(Peer(Faults("before", (201, {"Content-Length": "500"}, {}), 10))) as peer:
        verdict, _ = simulate(peer, devices=1)
    assert (verdict.failures, verdict.retries) == ([], 1)


def test_a_401_bricks_the_device() -> None:
    with running(Peer(Faults("before", (401, {}, {"detail": "Unknown key.", "code": "bad_key"}), 10))) as peer:
        verdict, _ = simulate(peer)
    assert len(verdict.bricked) == 1
    assert verdict.refusals == {"401 bad_key: Unknown key.": 1}
    assert 50 < verdict.sent < 100, "the other one went on"
    assert verdict.lost == 0
    assert "Devices that got a 401 and erased their key: 1." in verdict.failures


def test_refusals_are_dropped_and_shown_once() -> None:
    answer: Answer = (403, {}, {"detail": "This device is [archived].", "code": "device_archived"})
    with running(Peer(Faults("before", answer, 3, 4, 5))) as peer:
        verdict, out = simulate(peer, batch=5)
    assert (verdict.refused, verdict.acknowledged, verdict.lost, verdict.retries) == (15, 85, 0, 0)
    assert verdict.refusals == {"403 device_archived: This device is [archived].": 3}
    assert out.count("This device is [archived].") == 1


def test_what_never_gets_an_answer_ends_with_the_run() -> None:
    with running(Peer(lambda number: ("before", (503, {}, {})) if number > 20 else None)) as peer:
        verdict, _ = simulate(peer)
    assert verdict.unconfirmed == 2, "the last request of each"
    assert (verdict.acknowledged, verdict.lost, verdict.failures) == (20, 0, [])


def test_a_refused_password() -> None:
    with running(Peer(password="other")) as peer, pytest.raises(SimulationError, match="refuses to sign in 'admin'"):
        simulate(peer)


def test_nobody_there() -> None:
    with pytest.raises(SimulationError, match=r"No server answers at http://127\.0\.0\.1:1 "):
        simulate(Peer(port=1))


def test_a_seed_repeats_the_readings() -> None:
    def course(seed: str | None) -> list[str]:
        readings = Readings(seed, ids=False)
        return [readings.next(seq, 0.02) for seq in range(1, 20)]

    assert course("1/0") == course("1/0") != course("1/1")
    assert course(None) != course(None)


def test_message_ids_differ_between_runs() -> None:
    first, second = (json.loads(Readings("1/0", ids=True).next(1, 0.02)) for _ in range(2))
    assert first.pop("message_id") != second.pop("message_id")
    assert first == second
