"""What a server does after a trouble, of what it did before: the trouble tests, with their gauge switched on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import servers

RECORD = "RATE_AFTER_TROUBLE"
"""Environment variable: the file to which the gauge of tests/support/traffic.py writes; unset, it measures nothing."""
SECONDS = 1800.0


def measure(folder: Path, *, url: str | None) -> dict[str, Any]:
    """A figure. `url`: a database of the PostgreSQL to measure on; None: SQLite.

    `shares`: by trouble, the rate after it of the rate before, each against a twin's that nothing has happened to, as
    the median of `bursts` (which tell how far the machine let them wander: two fifths under a load of five on two
    cores); `share`: the lowest. `slowest`: by trouble, seconds of the slowest reply to others during it, where that is
    promised to be quick; `slowest_s`: the highest. `skipped`: what pytest says of troubles that cannot be made here.
    """
    record = folder / "trouble.jsonl"
    record.unlink(missing_ok=True)
    environment = {**os.environ, RECORD: str(record)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/live/test_trouble.py", "tests/live/test_machine_trouble.py"]
    if url is not None:
        environment["DATABASE_URL"] = url
        command += ["-m", "not sqlite_only"]
    done = subprocess.run(
        command, cwd=servers.ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if not record.exists():
        raise RuntimeError(f"the trouble tests failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    found = [json.loads(line) for line in record.read_text().splitlines()]
    shares = {each["trouble"]: each["share"] for each in found}
    slowest = {each["trouble"]: each["slowest"] for each in found if each["slowest"] is not None}
    said = done.stdout.splitlines()
    failed = [line for line in said if line.startswith(("FAILED", "ERROR"))]
    return {
        "share": min(shares.values()),
        "shares": shares,
        "bursts": {each["trouble"]: each["bursts"] for each in found},
        "slowest_s": max(slowest.values(), default=0.0),
        "slowest": slowest,
        "skipped": [line for line in said if line.startswith("SKIPPED")],
        "problems": failed or ([f"pytest ended with {done.returncode}"] if done.returncode else []),
    }
