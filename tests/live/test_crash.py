"""Acknowledged means stored, in a few rounds; `make crash N=200` has more of them (tests/live/crash.py)."""

import os

import pytest

from tests.live.crash import LOAD_SECONDS, harness
from tests.support.length import IS_LONG, length

ROUNDS = {"sqlite": length(3, 40), "postgres": length(3, 12)}
"""On PostgreSQL every third stops the database."""
LOAD = length((0.1, 0.5), LOAD_SECONDS)
"""As hard: what is there already is of no interest to what is under way when the blow falls."""


@pytest.mark.real_server
def test_no_acknowledged_reading_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    """On SQLite; where the suite runs on PostgreSQL, on one of its own, which is stopped in every third round."""
    database = "postgres" if os.environ.get("DATABASE_URL", "").startswith("postgres") else "sqlite"
    with harness(postgres=database == "postgres", seed=os.getpid(), load_seconds=LOAD) as rounds:
        for number in range(1, ROUNDS[database] + 1):
            rounds.server.by_serve = IS_LONG or number == 1  # by day it comes back through `serve` once
            outcome = rounds.round(number)
            with capsys.disabled():
                print(f"\n{outcome.line()}", end="", flush=True)
            assert not outcome.failed, f"--seed {os.getpid()}: {outcome.line()}\n{outcome.verdict.examples}"
            assert outcome.journal.acked > 0
        assert rounds.lost_since() == 0
