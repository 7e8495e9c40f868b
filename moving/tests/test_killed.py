"""A move that is killed with SIGKILL, wherever it is, and run again: the same end as one that was left alone."""

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from moving.tests.old import MACS, Old
from tests.support.server import ROOT, migrated_file

EVENTS = int(os.environ.get("MOVED_EVENTS", "3000"))
"""The nightly run takes 200,000."""
KINDS = ("BASIC", "STANDARD", "PREMIUM", "status")


def fill(old: Old) -> None:
    old.add(
        "telemetry_device",
        *({"id": n, "mac": mac, "device_id": f"d{n}", "token": f"t{n}" * 20} for n, mac in enumerate(MACS)),
    )
    old.add("telemetry_machine", {"id": 1, "name": "M"})
    old.add(
        "telemetry_machinedevice",
        {"id": 1, "machine_id": 1, "device_id": "d0", "is_active": 1, "assigned_date": "2025-01-05 00:00:00"},
    )
    old.fill(
        "telemetry_telemetryevent",
        (
            {"id": n, "device_id": f"d{n % 4}", "event_type": KINDS[n % 7 % 4],
             "payload": "{" if n % 500 == 0 else "{}",
             "occurred_at": f"2025-{n % 12 + 1:02d}-{n % 28 + 1:02d} {n % 24:02d}:{n % 60:02d}:00"}
            for n in range(EVENTS)
        ),
    )  # fmt: skip


def command(old: Old, target: Path) -> dict[str, Any]:
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_DEBUG": "1",
        "LOG_FILE": "",
        "DATABASE_URL": f"sqlite:///{target}",
    }
    words = ["manage.py", "move_in", str(old.path), "--report", str(target.with_suffix(".json"))]
    return {"args": [sys.executable, *words], "cwd": ROOT, "env": environment}


def contents(target: Path) -> list[Any]:
    with closing(sqlite3.connect(target)) as connection:
        return [
            connection.execute(query).fetchall()
            for query in (
                "SELECT d.device_id, event_id, event_type, occurred_at, e.machine_id IS NULL FROM"
                " telemetry_telemetryevent e JOIN device_gateway_device d ON d.id = e.device_id ORDER BY e.event_id",
                "SELECT SUM(basic), SUM(standard), SUM(premium), COUNT(*) FROM telemetry_dailycount",
                "SELECT SUM(basic), SUM(standard), SUM(premium), COUNT(*) FROM telemetry_hourlycount",
                "SELECT device_id, mac FROM device_gateway_device ORDER BY device_id",
                "SELECT hash FROM device_gateway_credential ORDER BY hash",
                "SELECT assigned_date, is_active FROM telemetry_machinedevice",
            )
        ]


@pytest.mark.real_server
@pytest.mark.sqlite_only
def test_killed_and_gone_on(first: Old, tmp_path: Path) -> None:
    fill(first)
    alone, cut = tmp_path / "alone.sqlite3", tmp_path / "cut.sqlite3"
    for target in (alone, cut):
        shutil.copy(migrated_file(), target)
    began = time.monotonic()
    subprocess.run(**command(first, alone), check=True, timeout=600, stdout=subprocess.DEVNULL)
    took = time.monotonic() - began
    for _ in range(3):
        process = subprocess.Popen(**command(first, cut), stdout=subprocess.DEVNULL)
        time.sleep(took * random.uniform(0.3, 0.9))
        process.kill()
        process.wait(10)
    subprocess.run(**command(first, cut), check=True, timeout=600, stdout=subprocess.DEVNULL)
    assert contents(cut) == contents(alone)
    report = json.loads(cut.with_suffix(".json").read_text())
    events = report["tables"]["telemetry_telemetryevent"]
    assert (events["rows"], events["refused"]) == (EVENTS, EVENTS // 4)  # of a device that the source does not have
