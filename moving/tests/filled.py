"""A database of this system with something in every corner: what is moved, copied, compared."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from moving.tests.old import FIRST, MACS, PORTAL, Old, person
from tests.support.server import ROOT, migrated_file

DATA_KEY = "Zm9yLXRlc3RzLW9ubHktYW5kLWdvb2QtZm9yLW5vdGg="
AES_KEY = "A" * 43 + "="


def manage(url: str, *words: str, **environment: str) -> dict[str, Any]:
    """Arguments of subprocess for a command on that database."""
    settings = {"PATH": os.environ["PATH"], "DJANGO_DEBUG": "1", "LOG_FILE": "", "DATABASE_URL": url}
    return {
        "args": [sys.executable, "manage.py", *words],
        "cwd": ROOT,
        "env": {**settings, "DEVICE_DATA_KEY": DATA_KEY, **environment},
    }


def run(url: str, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(**manage(url, *words, **environment), capture_output=True, text=True, timeout=300)


def fill(folder: Path, readings: int = 0) -> Path:
    """A SQLite database of both earlier systems' things, and so many readings more."""
    database = folder / "db.sqlite3"
    shutil.copy(migrated_file(), database)
    for old in (_first(folder), _portal(folder)):
        done = run(f"sqlite:///{database}", "move_in", str(old.path), "--report", str(folder / f"{old.path.stem}.json"))
        assert done.returncode == 0, done.stdout + done.stderr
    with closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(device_gateway_devicetelemetry)")]
        named = ", ".join(f'"{name}"' for name in columns if name not in ("id", "message_id"))
        connection.execute(
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {max(readings, 1)})"
            f" INSERT INTO device_gateway_devicetelemetry (message_id, {named})"
            f" SELECT 'more-' || i, {named} FROM device_gateway_devicetelemetry, n WHERE id = 1 AND {readings} > 0"
        )
    return database


def _first(folder: Path) -> Old:
    old = Old(folder / "first.sqlite3", FIRST)
    old.add("auth_user", person(7, "vera", "pbkdf2_sha256$1$x$y"))
    old.add(
        "telemetry_device",
        *({"id": n, "mac": mac, "device_id": f"d{n}", "token": f"t{n}" * 20} for n, mac in enumerate(MACS)),
    )
    old.add("telemetry_machine", {"id": 1, "name": "Größe 😀 \t \\N"})
    old.add(
        "telemetry_machinedevice",
        {"id": 1, "machine_id": 1, "device_id": "d0", "is_active": 1, "assigned_date": "2025-01-05 00:00:00"},
    )
    old.fill(
        "telemetry_telemetryevent",
        (
            {"id": n, "device_id": f"d{n % 3}", "event_type": ("BASIC", "PREMIUM", "status")[n % 3],
             "payload": '{"a": [1.0, 1e3, "x\\n", null, true]}',
             "occurred_at": f"2025-02-{n % 28 + 1:02d} 10:00:00.{n:03d}"}
            for n in range(120)
        ),
    )  # fmt: skip
    return old


def _portal(folder: Path) -> Old:
    old = Old(folder / "portal.sqlite3", PORTAL)
    old.add(
        "device_gateway_device",
        {"id": 501, "name": "Meter", "device_secret": "s" * 43, "created_at": "2026-01-01 00:00:00",
         "encryption_key_b64": AES_KEY},
    )  # fmt: skip
    reading = {"device_id": 501, "received_at": "2026-01-03 10:00:00.5"}
    old.add("device_gateway_devicetelemetry", *({"id": n, "payload": {"kwh": n / 7}, **reading} for n in range(1, 9)))
    return old
