"""A hostile fleet of Ozone machines against a server that is killed twice: nothing lost, nothing counted twice,
and what is withheld is missing in the ledger until it comes."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.length import IS_LONG, length
from tests.support.server import PASSWORD, ROOT, fresh_database, live_server
from tests.support.sinks import until
from tests.support.staff import Staff

DEVICES = length(12, 40)
SECONDS = length(16, 60)
PRESSES_PER_MINUTE = length(60, 30)
SCALE = 10
"""How much faster the firmware's own delays pass; the server's own patience with a result is shortened alike."""

pytestmark = pytest.mark.real_server


def test_a_hostile_fleet_and_a_server_killed_twice(tmp_path: Path) -> None:
    found = run(tmp_path, DEVICES, SECONDS, PRESSES_PER_MINUTE, "--withhold", "0.1")
    withheld = found["withheld"]
    assert withheld["presses"] >= withheld["shown"] > DEVICES / 4
    assert (withheld["unnamed"], withheld["unclosed"], withheld["untrue"]) == ([], [], [])


@pytest.mark.skipif(not IS_LONG, reason="200 machines by night only")
def test_a_hostile_fleet_of_the_core_itself(tmp_path: Path) -> None:
    run(tmp_path, 200, 60, 20, "--core")


def run(folder: Path, devices: int, seconds: int, presses_per_minute: int, *options: str) -> dict[str, Any]:
    """The verdict of a run that passed, though the server was killed at a third and at two thirds of it."""
    verdict = folder / "verdict.json"
    with fresh_database() as url, live_server(url, COMMAND_RESULT_SECONDS="12") as server:
        command = [sys.executable, "manage.py", "simulate", "ozone", "--hostile", "--url", server.url]
        command += [
            "--devices",
            str(devices),
            "--presses-per-minute",
            str(presses_per_minute),
            "--seconds",
            str(seconds),
        ]
        command += ["--time-scale", str(SCALE), "--command-timeout", "12", "--json", str(verdict), *options]
        environment = {**server.environment, "SIMULATE_PASSWORD": PASSWORD}
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as simulator:
            staff = Staff(server.url)
            token = staff.sign_in()
            # On a busy machine the simulator takes seconds to begin, and it ends where no server is there by then.
            until(
                lambda: (
                    simulator.poll() is not None or staff.call("GET", "/api/devices/", bearer=token).json()["devices"]
                ),
                60,
            )
            for _ in range(2):
                time.sleep(seconds / 3)
                if simulator.poll() is not None:
                    break
                server.kill()
                time.sleep(1)
                server.start()
            said, _ = simulator.communicate(timeout=240)
        # Its last sentence is why; first here, for a long message may be cut anywhere after its beginning.
        assert simulator.returncode == 0, f"{said.strip().splitlines()[-1:]}\n{said[-6000:]}"
    found: dict[str, Any] = json.loads(verdict.read_text())
    assert found["failures"] == []
    assert found["presses"]["stored"] > devices * 5
    assert (found["presses"]["lost"], found["presses"]["duplicated"], found["stuck"]) == (0, 0, [])
    return found
