"""A hostile fleet of Ozone machines against a server that is killed twice: nothing lost, nothing counted twice,
and what is withheld is missing in the ledger until it comes."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.length import length
from tests.support.server import PASSWORD, ROOT, fresh_database, live_server

DEVICES = length(20, 40)
SECONDS = length(12, 60)
PRESSES_PER_MINUTE = length(60, 30)
SCALE = 10
"""How much faster the firmware's own delays pass; the server's own patience with a result is shortened alike."""

pytestmark = pytest.mark.real_server


def test_a_hostile_fleet_and_a_server_killed_twice(tmp_path: Path) -> None:
    verdict = tmp_path / "verdict.json"
    with fresh_database() as url, live_server(url, COMMAND_RESULT_SECONDS="12") as server:
        command = [sys.executable, "manage.py", "simulate", "ozone", "--hostile", "--url", server.url]
        command += ["--devices", str(DEVICES), "--presses-per-minute", str(PRESSES_PER_MINUTE)]
        command += [
            "--seconds",
            str(SECONDS),
            "--time-scale",
            str(SCALE),
            "--command-timeout",
            "12",
            "--withhold",
            "0.1",
            "--json",
            str(verdict),
        ]
        environment = {**server.environment, "SIMULATE_PASSWORD": PASSWORD}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as simulator:
            for _ in range(2):
                time.sleep(SECONDS / 3)
                assert simulator.poll() is None
                server.kill()
                time.sleep(1)
                server.start()
            said, _ = simulator.communicate(timeout=240)
        assert simulator.returncode == 0, said[-6000:]
    found = json.loads(verdict.read_text())
    assert found["failures"] == []
    assert found["presses"]["stored"] > DEVICES * 5
    withheld = found["withheld"]
    assert withheld["presses"] >= withheld["shown"] > DEVICES / 4
    assert (withheld["unnamed"], withheld["unclosed"], withheld["false"]) == (0, 0, 0)
    assert (found["presses"]["lost"], found["presses"]["duplicated"], found["stuck"]) == (0, 0, [])
