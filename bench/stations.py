"""Full syncs of charging stations a second: the simulator's fleet against a server, its verdict included."""

import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import servers

STATIONS, SLOTS = 2_000, 12
SECONDS = 600.0


def measure(url: str, folder: Path, *, stations: int = STATIONS) -> dict[str, Any]:
    """A figure (`rate`, `p50_ms`, `p99_ms`, `problems`) of all stations syncing at once into the database of `url`."""
    secret = secrets.token_urlsafe(32)
    verdict = folder / "stations.json"
    with servers.product(url, IOT_SYSTEM_SIGNATURE_SECRET=secret) as server:
        command = [sys.executable, "manage.py", "simulate", "stations", "--url", f"http://127.0.0.1:{server.port}"]
        command += ["--stations", str(stations), "--slots", str(SLOTS), "--json", str(verdict)]
        variables = {**servers.product_environment(url), "IOT_SYSTEM_SIGNATURE_SECRET": secret}
        done = subprocess.run(
            command, cwd=servers.ROOT, env=variables, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    if not verdict.exists():
        raise RuntimeError(f"simulate stations failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    found = json.loads(verdict.read_text())
    figures = {name: found[name] for name in ("rate", "p50_ms", "p99_ms", "retries")}
    return {**figures, "problems": found["failures"]}
