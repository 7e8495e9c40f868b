"""What a server does after a trouble, of what it did before: the trouble tests, with their gauge switched on."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench import servers

RECORD = "RATE_AFTER_TROUBLE"
"""Environment variable: the file to which the gauge of tests/traffic.py writes; unset, it measures nothing."""
SECONDS = 900.0


def measure(folder: Path, *, url: str | None) -> dict[str, Any]:
    """A figure: `share`, the lowest of the rates after each trouble, and each by its name. `url`: of PostgreSQL."""
    record = folder / "trouble.jsonl"
    record.unlink(missing_ok=True)
    environment = {**os.environ, RECORD: str(record)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_trouble.py"]
    if url is not None:
        environment["DATABASE_URL"] = url
        command += ["-m", "not sqlite_only"]
    done = subprocess.run(
        command, cwd=servers.ROOT, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if not record.exists():
        raise RuntimeError(f"the trouble tests failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    shares = dict(json.loads(line) for line in record.read_text().splitlines())
    problems = [] if done.returncode == 0 else ["the trouble tests failed: make test says how"]
    return {"share": min(shares.values()), "shares": shares, "problems": problems}
