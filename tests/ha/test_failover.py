"""The primary of a cluster is killed under two nodes: nothing acknowledged is lost. `make ha` has all else."""

import subprocess
import sys

import pytest

from tests.support import needs
from tests.support.server import ROOT

SECONDS = 300


@pytest.mark.real_server
def test_the_primary_is_killed(capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        if not needs.cluster():
            pytest.skip("no cluster can be made here")
    command = [sys.executable, "-m", "tests.ha", "--fault", "crash", "--rounds", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    with capsys.disabled():
        print(f"\n{done.stdout}", end="", flush=True)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "1 rounds in" in done.stdout and "missing 0" in done.stdout
