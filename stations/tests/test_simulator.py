"""The simulated fleet against a real server: its verdict, and that it finds what is wrong."""

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import PASSWORD, ROOT, LiveServer, live_server

SECRET = "the secret of a simulated partner, forty letters"


def simulate(server: LiveServer, target: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    command = [sys.executable, "manage.py", "simulate", "stations", "--url", server.url, "--json", str(target)]
    environment = {**os.environ, "IOT_SYSTEM_SIGNATURE_SECRET": SECRET, "SIMULATE_PASSWORD": PASSWORD}
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert target.exists(), done.stdout + done.stderr
    return done.returncode, json.loads(target.read_text())


@pytest.mark.sqlite_only
@pytest.mark.real_server
def test_it_works_and_sees_what_is_wrong(tmp_path: Path) -> None:
    with live_server(IOT_SYSTEM_SIGNATURE_SECRET=SECRET, folder=tmp_path) as server:
        fleet = ("--stations", "30", "--slots", "6", "--rounds", "3")
        code, verdict = simulate(server, tmp_path / "right.json", *fleet)
        assert (code, verdict["passed"], verdict["syncs"], verdict["repeats"]) == (0, True, 90, 9)
        # A server that refuses to move power banks loses every one of the later rounds.
        connection = sqlite3.connect(tmp_path / "db.sqlite3", timeout=10)
        with connection:
            connection.execute(
                "CREATE TRIGGER forgetful AFTER UPDATE ON stations_powerbank WHEN NEW.station_id IS NOT NULL "
                "BEGIN UPDATE stations_powerbank SET battery_level = 1 WHERE id = NEW.id; END"
            )
        connection.close()
        code, verdict = simulate(server, tmp_path / "wrong.json", *fleet)
        assert (code, verdict["passed"]) == (1, False)
        assert verdict["wrong_power_banks"] > 0
