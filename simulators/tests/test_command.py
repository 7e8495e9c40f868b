"""`manage.py simulate meters`: its arguments, what it prints and how it ends."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from simulators.management.commands.simulate import Command
from simulators.tests.peer import Peer, running


def simulate(*arguments: str) -> str:
    out = io.StringIO()
    call_command(Command(stdout=out), "meters", "--devices", "2", "--rate", "50", "--seconds", "1", *arguments)
    return out.getvalue()


def test_it_works(tmp_path: Path) -> None:
    with running(Peer(dedupe=True)) as peer:
        out = simulate("--url", peer.url, "--encrypted", "--batch", "20", "--ids", "--json", str(tmp_path / "v.json"))
    assert "Verdict: passed" in out
    assert "claimed 2/2" in out
    verdict = json.loads((tmp_path / "v.json").read_text())
    assert (verdict["passed"], verdict["sent"], verdict["stored"], verdict["lost"]) == (True, 100, 100, 0)


def test_a_loss_ends_with_exit_code_1(tmp_path: Path) -> None:
    peer = Peer(lambda number: ("before", (201, {}, {"status": "ok"})) if number == 7 else None)
    with running(peer), pytest.raises(CommandError, match="Readings acknowledged but not stored: 1") as caught:
        simulate("--url", peer.url, "--json", str(tmp_path / "v.json"))
    assert caught.value.returncode == 1
    assert json.loads((tmp_path / "v.json").read_text())["passed"] is False


def test_the_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIMULATE_PASSWORD", "from-the-environment")
    with running(Peer(password="from-the-environment")) as peer:
        assert "Verdict: passed" in simulate("--url", peer.url)


@pytest.mark.parametrize("url", ["http://192.0.2.1:8000", "http://example.com"])
def test_another_machine_takes_allow_remote(url: str) -> None:
    with pytest.raises(CommandError, match=r"is not this machine.*--allow-remote"):
        simulate("--url", url)


@pytest.mark.parametrize(
    "arguments", [["--batch", "1001"], ["--devices", "0"], ["--rate", "0"], ["--rate", "nan"], ["--seconds", "-1"]]
)
def test_arguments_refused(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        simulate(*arguments)


def test_nobody_there() -> None:
    with pytest.raises(CommandError, match="No server answers"):
        simulate("--url", "http://127.0.0.1:1")
