"""The primary of a cluster is killed under two nodes: nothing acknowledged is lost. At night all else happens to it,
once each, but a switchover, whose three seconds take an idle machine; `make ha` kills it fifty times."""

import subprocess
import sys
from typing import Any

import pytest

from tests.ha.lab import is_whole
from tests.support import needs
from tests.support.length import length
from tests.support.server import ROOT

FAULTS = length(("crash",), ("power", "frozen", "frozen-db", "cable", "standby", "crash"))
SECONDS = 300 * len(FAULTS)


@pytest.mark.real_server
def test_the_primary_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        if not needs.cluster():
            pytest.skip("no cluster can be made here")
    command = [sys.executable, "-m", "tests.ha", f"--rounds={len(FAULTS)}", *(f"--fault={fault}" for fault in FAULTS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    with capsys.disabled():
        print(f"\n{done.stdout}", end="", flush=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert f"{len(FAULTS)} rounds in" in done.stdout and done.stdout.count("missing 0") == len(FAULTS)


FOLLOWING = [{"state": "streaming", "sync_state": state} for state in ("sync", "async")]
PRIMARY: dict[str, Any] = {"role": "master", "state": "running", "replication": FOLLOWING}
STANDBY: dict[str, Any] = {"role": "replica", "state": "running"}


@pytest.mark.real_server
@pytest.mark.parametrize(
    ("told", "whole"),
    [
        ((PRIMARY, STANDBY, STANDBY), True),
        ((PRIMARY, PRIMARY, STANDBY), False),  # the first stood still, and does not know yet that it has a successor
        ((PRIMARY, STANDBY, {}), False),
        ((PRIMARY, STANDBY, {**STANDBY, "state": "in archive recovery"}), False),
        (({**PRIMARY, "replication": FOLLOWING[:1]}, STANDBY, STANDBY), False),
        (({**PRIMARY, "replication": FOLLOWING[1:] * 2}, STANDBY, STANDBY), False),
        ((STANDBY, STANDBY, STANDBY), False),
    ],
)
def test_when_a_cluster_is_whole(told: tuple[dict[str, Any], ...], whole: bool) -> None:
    assert is_whole(told) is whole
