"""`simulate stations`: what it would tell, and that its verdict tells a right server from a wrong one."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from simulators.management.commands.simulate import Command
from simulators.stations import Region, StationVerdict, sign


def test_the_signature_of_a_known_case() -> None:
    # printf '{}1698345600' | openssl dgst -sha256 -hmac key -binary | base64
    assert sign("key", b"{}", "1698345600") == sign("key", b"{}1698", "345600")
    assert len(sign("key", b"", "")) == 44


def test_power_banks_wander_and_none_is_in_two_places() -> None:
    region = Region(5, 12, 0)
    for number in range(7):
        everywhere = [bank for station in range(5) for bank in region.power_banks(station, number).values()]
        assert len(everywhere) == len(set(everywhere)) == 5 * 8
        assert all(1 <= slot <= 12 for station in range(5) for slot in region.power_banks(station, number))
    assert set(region.power_banks(1, 1).values()) == set(region.power_banks(0, 0).values())


def test_the_failures_of_a_verdict() -> None:
    good = StationVerdict(2, 12, 1, 2, 1.0, 2.0, 1.0, 1.0, 0, 1, 0, 0, {}, 0, 0)
    assert good.failures == []
    assert good.as_json()["passed"] is True
    bad = StationVerdict(2, 12, 1, 1, 1.0, 1.0, 1.0, 1.0, 0, 1, 1, 1, {}, 1, 3)
    assert bad.failures == [
        "Syncs that were never acknowledged: 1.",
        "Repeats that were applied again: 1.",
        "Stations that are not as they were told: 1.",
        "Power banks that are not where they were told: 3.",
    ]


def test_without_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IOT_SYSTEM_SIGNATURE_SECRET", raising=False)
    with pytest.raises(CommandError, match="--secret"):
        call_command(Command(stdout=io.StringIO()), "stations")


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No server answers"):
        call_command(Command(stdout=io.StringIO()), "stations", "--secret", "x", "--url", "http://127.0.0.1:1")
