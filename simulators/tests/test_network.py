"""The hostile network: what arrives at the server, and what the device is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from simulators import network
from simulators.client import Endpoint, NoAnswer, Reply
from simulators.network import Network, Trouble, Weather
from simulators.tests.peer import Answer, Peer, running

BODY = b'{"n": 1}'


class Listener(Peer):
    """Notes whole requests."""

    bodies: list[bytes]

    def answer(self, method: str, target: str, bearer: str, body: bytes) -> Answer:
        self.bodies.append(body)
        return 200, {}, {"heard": len(self.bodies)}


@pytest.fixture
def peer() -> Iterator[Listener]:
    listener = Listener()
    listener.bodies = []
    with running(listener) as peer:
        yield peer


def ask(
    monkeypatch: pytest.MonkeyPatch, peer: Peer, trouble: Trouble, *, may_come_late: bool = True
) -> tuple[Reply | NoAnswer, list[Reply]]:
    """One request through a network on which that always happens; the outcome, and replies nobody was told."""
    monkeypatch.setattr(network, "CHANCES", {trouble: 1.0})
    monkeypatch.setattr(network, "LATE_SECONDS", (0.01, 0.02))
    overheard: list[Reply] = []

    async def once() -> Reply | NoAnswer:
        endpoint = Endpoint.parse(peer.url)
        way = Network(endpoint, random.Random(1), Weather(True), timeout=2, overheard=overheard.append)
        try:
            return await way.exchange(endpoint.post("/x", BODY, bearer="t"), may_come_late=may_come_late)
        except NoAnswer as error:
            return error
        finally:
            await way.settled()
            way.close()
            await asyncio.sleep(0.3)  # what was cut off on the way has arrived by now, or never will

    return asyncio.run(once()), overheard


def test_a_cut_request_does_not_arrive(monkeypatch: pytest.MonkeyPatch, peer: Listener) -> None:
    outcome, overheard = ask(monkeypatch, peer, Trouble.CUT)
    assert isinstance(outcome, NoAnswer) and not outcome.sent
    assert (peer.bodies, overheard) == ([], [])


@pytest.mark.parametrize(
    ("trouble", "unheard"), [(Trouble.DROPPED, 0), (Trouble.LOST, 1), (Trouble.LATE, 1)], ids=lambda value: str(value)
)
def test_a_request_that_arrives_and_is_not_answered(
    monkeypatch: pytest.MonkeyPatch, peer: Listener, trouble: Trouble, unheard: int
) -> None:
    outcome, overheard = ask(monkeypatch, peer, trouble)
    assert isinstance(outcome, NoAnswer) and outcome.sent
    assert peer.bodies == [BODY]
    assert [reply.status for reply in overheard] == [200] * unheard


def test_a_request_that_arrives_twice_has_two_connections(monkeypatch: pytest.MonkeyPatch, peer: Listener) -> None:
    outcome, overheard = ask(monkeypatch, peer, Trouble.TWICE)
    assert isinstance(outcome, Reply) and outcome.status == 200
    assert peer.bodies == [BODY, BODY]
    assert peer.connections == 2
    assert len(overheard) == 2


def test_what_may_not_come_late_does_not(monkeypatch: pytest.MonkeyPatch, peer: Listener) -> None:
    outcome, overheard = ask(monkeypatch, peer, Trouble.LATE, may_come_late=False)
    assert isinstance(outcome, Reply)
    assert (peer.bodies, overheard) == ([BODY], [])


def test_an_outage_ends_with_the_bad_weather(peer: Listener) -> None:
    async def outage() -> tuple[bool, int]:
        endpoint, weather = Endpoint.parse(peer.url), Weather(True)
        way = Network(endpoint, random.Random(1), weather, timeout=2, overheard=lambda reply: None)
        request = endpoint.post("/x", BODY, bearer="")
        way.go_offline(60)
        try:
            await way.exchange(request)
        except NoAnswer as error:
            sent = error.sent
        weather.hostile = False
        status = (await way.exchange(request)).status
        way.close()
        return sent, status

    assert asyncio.run(outage()) == (False, 200)
    assert peer.bodies == [BODY]
