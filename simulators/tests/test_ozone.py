"""Simulated Ozone machines against a peer that is honest, hostile or lies."""

from __future__ import annotations

import asyncio
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from simulators import ozone, ozone_machine, ozone_operator
from simulators.client import Endpoint
from simulators.management.commands.simulate import Command
from simulators.network import Weather
from simulators.ozone import simulate_ozone
from simulators.ozone_machine import Machine
from simulators.ozone_records import OzoneOptions, Records
from simulators.ozone_verdict import OzoneVerdict
from simulators.tests.ozone_peer import RESULT_SECONDS, OzonePeer
from simulators.tests.peer import running

pytestmark = pytest.mark.thorough


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ozone_machine, "DEVICE_TIMEOUT", 0.3)
    monkeypatch.setattr(ozone_operator, "GLANCE_SECONDS", 0.05)
    monkeypatch.setattr(ozone, "SLACK", 1.0)
    monkeypatch.setattr(ozone, "SETTLING", 0.0)


def simulate(peer: OzonePeer, **options: Any) -> tuple[OzoneVerdict, str]:
    """A short run of four machines, firmware delays a hundred times faster; the verdict and what was printed."""
    chosen: dict[str, Any] = {
        "devices": 4,
        "presses_per_minute": 600.0,
        "seconds": 1.0,
        "time_scale": 100.0,
        "command_timeout": RESULT_SECONDS,
        "seed": 1,
        "username": "admin",
        "password": "password",
    }
    out = io.StringIO()
    run = OzoneOptions(endpoint=Endpoint.parse(peer.url), **(chosen | options))
    return asyncio.run(simulate_ozone(run, Console(file=out))), out.getvalue()


def test_it_works() -> None:
    with running(OzonePeer()) as peer:
        verdict, out = simulate(peer)
    assert verdict.failures == []
    assert "assigned 4/4" in out
    assert verdict.presses.made == verdict.presses.stored >= 20
    assert verdict.commands.created == 12 == sum(verdict.commands.outcomes.values())
    assert (verdict.presses.duplicated, verdict.complaints, verdict.unanswered) == (0, {}, {})
    kinds = Counter(command["command_type"] for box in peer.boxes.values() for command in box.commands)
    assert kinds == {**dict.fromkeys(ozone_operator.TYPES, 1), "GET_STATUS": 5}
    assert sorted(machine["device_id"] for machine in peer.machines) == sorted(peer.boxes)
    assert any(len(box.names) > 1 for box in peer.boxes.values()), "some were renamed"


@pytest.mark.parametrize("hostile", [False, True])
def test_the_core_itself_is_a_machine(hostile: bool) -> None:
    with running(OzonePeer()) as peer:
        verdict, _ = simulate(peer, core=True, hostile=hostile)
    assert verdict.failures == []
    assert verdict.presses.made == verdict.presses.stored + verdict.presses.cleared >= 20
    assert set(verdict.commands.outcomes) <= {"executed", "failed", "timeout"}
    assert verdict.commands.created == 12 == sum(verdict.commands.outcomes.values())
    if hostile:
        assert verdict.unanswered and verdict.outages + verdict.restarts > 1


def test_a_server_that_loses_what_the_core_sent_is_found_out() -> None:
    with running(OzonePeer(on_event=lambda number, box: "lose" if number == 5 else "")) as peer:
        verdict, _ = simulate(peer, core=True)
    assert "Presses acknowledged but not stored: 1." in verdict.failures


def test_a_hostile_network_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ozone_machine, "SPOILED_EVERY", 40)
    with running(OzonePeer()) as peer:
        verdict, _ = simulate(peer, hostile=True, devices=8, seconds=2.0)
    assert verdict.failures == []
    presses = verdict.presses
    assert presses.made == presses.stored + presses.cleared + presses.discarded
    assert presses.discarded >= 1 and presses.accepted >= 1, "the operator ruled one way and the other"
    assert verdict.quarantined >= presses.discarded + presses.accepted
    assert verdict.unanswered["event"] > 5 and verdict.outages + verdict.restarts > 3
    stored = sum(len(box.rows) for box in peer.boxes.values())
    assert stored == presses.stored


def test_what_a_machine_says_on_the_wire() -> None:
    bodies: list[dict[str, Any]] = []

    class Listener(OzonePeer):
        def event(self, bearer: str, said: dict[str, Any], body: str) -> Any:
            bodies.append(said)
            return super().event(bearer, said, body)

    with running(Listener()) as peer:
        simulate(peer, devices=1, utc_offset=8.0)
    assert set(peer.handshakes[0]) == {"mac", "firmware"}
    plain = {"device_id", "firmware", "event_id", "event", "treatment", "counter", "ts"}
    assert all(plain <= set(body) for body in bodies)
    assert {"current_counters" in body for body in bodies} == {True, False}
    for body in bodies:
        prefix, _, rest = body["event_id"].rpartition("-")
        assert prefix and (rest[0], len(rest)) == (body["treatment"][0], 18)
        assert int(rest[-6:]) == body["counter"]
    assert set(peer.results[0]) >= {"success", "message", "timestamp", "current_counters"}


def press_without_a_server(**options: Any) -> Machine:
    chosen: dict[str, Any] = {"devices": 1, "presses_per_minute": 1.0, "seconds": 1.0, "username": "", "password": ""}
    asked = OzoneOptions(endpoint=Endpoint.parse("http://127.0.0.1:1"), **(chosen | options))
    machine = Machine(asked, Records(Weather(hostile=False)), 0)
    machine.press()
    return machine


def test_without_a_clock_time_counts_from_2025() -> None:
    [press] = press_without_a_server().presses  # powered, but not yet booted: nothing has set its clock
    assert press.blind and press.body["ts"].startswith("2025-01-")
    assert press.body["ts"].endswith("Z")
    assert press.event_id.startswith("pending-02")


def test_the_eeprom_cuts_silently() -> None:
    machine = press_without_a_server()
    machine.eeprom.save("d" * 70, "t" * 130)
    assert (len(machine.eeprom.device_id), len(machine.eeprom.token)) == (63, 127)
    assert not machine.eeprom.wants_handshake
    machine.eeprom.save("pending-1", "t")
    assert machine.eeprom.wants_handshake


@pytest.mark.parametrize("fault", ["hang up", 503, 401, 500])
def test_an_event_is_sent_until_it_is_acknowledged(fault: str | int) -> None:
    with running(OzonePeer(on_event=lambda number, box: fault if 5 <= number <= 9 else "")) as peer:
        verdict, _ = simulate(peer, devices=1)
    assert verdict.presses.made == verdict.presses.stored
    assert verdict.presses.duplicated == 0
    assert verdict.failures == (["5 × event: 500 trouble: Not now."] if fault == 500 else [])


@pytest.mark.parametrize(
    ("fault", "failure"),
    [("lose", "Presses acknowledged but not stored: 1."), ("double", "Stored events beyond the first of a press: 1.")],
)
def test_a_server_that_lies_about_an_event(fault: str, failure: str) -> None:
    # Not the first ones: those may be of a machine that is not assigned yet.
    told: list[int] = []

    def once(number: int, box: Any) -> str:
        if number >= 8 and not told:
            told.append(number)
            return fault
        return ""

    with running(OzonePeer(on_event=once)) as peer:
        verdict, _ = simulate(peer)
    assert failure in verdict.failures


def test_a_server_that_forgets_a_machine_makes_it_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ozone, "SLACK", -2.6)  # 1.2 × 300 s, a hundred times faster, are 3.6 s
    with running(OzonePeer(on_event=lambda number, box: 503 if box.names[-1].endswith("00000a") else "")) as peer:
        verdict, _ = simulate(peer)
    [stuck] = verdict.stuck
    assert stuck.endswith("00000a")
    assert f"Machines that are stuck: 1 ({stuck})." in verdict.failures
    assert verdict.presses.undelivered > 1
    assert verdict.presses.lost == 0


def test_wrong_counters_are_seen() -> None:
    with running(OzonePeer(wrong_counts=True)) as peer:
        verdict, _ = simulate(peer)
    assert len(verdict.wrong_counters) == 4
    assert any("counters are shown wrongly: 4" in failure for failure in verdict.failures)


def test_results_that_are_not_kept_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ozone, "SLACK", -2.6)
    with running(OzonePeer(deaf=True)) as peer:
        verdict, _ = simulate(peer)
    assert verdict.commands.unended >= 1, "what may be repeated is sent for ever"
    assert verdict.commands.wrong >= 1, "what was reported is shown as timed out"


def test_a_server_without_outlets() -> None:
    with running(OzonePeer(has_outlets=False)) as peer:
        verdict, _ = simulate(peer, devices=2)
    assert (verdict.failures, peer.machines) == ([], [])


def test_the_command(tmp_path: Path) -> None:
    out = io.StringIO()
    arguments = ["--devices", "2", "--presses-per-minute", "600", "--seconds", "1", "--time-scale", "100"]
    arguments += ["--command-timeout", "0.6", "--hostile", "--json", str(tmp_path / "verdict.json")]
    with running(OzonePeer()) as peer:
        call_command(Command(stdout=out), "ozone", "--url", peer.url, *arguments)
    assert "Verdict: passed" in out.getvalue()
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert (verdict["passed"], verdict["hostile"], verdict["presses"]["lost"], verdict["stuck"]) == (True, True, 0, [])


def test_a_failure_ends_with_exit_code_1() -> None:
    with (
        running(OzonePeer(wrong_counts=True)) as peer,
        pytest.raises(CommandError, match="counters are shown wrongly: 1") as caught,
    ):
        call_command(
            Command(stdout=io.StringIO()), "ozone", "--url", peer.url, "--devices", "1", "--seconds", "1",
            "--presses-per-minute", "600", "--time-scale", "100", "--command-timeout", "0.6",
        )  # fmt: skip
    assert caught.value.returncode == 1
