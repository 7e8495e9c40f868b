"""What the figures were measured on: machine, versions, commit."""

import os
import platform
import statistics
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from bench.load import find_wrk
from bench.servers import ROOT

PACKAGES = ("django", "granian", "uvloop", "msgspec", "psycopg", "gunicorn")
MEMORY_FILE_SYSTEMS = {"tmpfs", "ramfs"}


def describe(folder: Path) -> dict[str, Any]:
    """Facts about the machine, the folder the databases are in, and the code."""
    return {
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_mb": psutil.virtual_memory().total // 2**20,
            "system": f"{platform.system()} {platform.release()}",
            "file_system": file_system(folder),
        },
        "versions": {
            "python": platform.python_version(),
            "wrk": _first_line([find_wrk(), "--version"]),
            **{name: _version(name) for name in PACKAGES},
        },
        "commit": _first_line(["git", "-C", str(ROOT), "rev-parse", "--verify", "--quiet", "HEAD"]) or "none yet",
        "uncommitted_changes": bool(_first_line(["git", "-C", str(ROOT), "status", "--porcelain"])),
    }


def conditions(folder: Path) -> dict[str, Any]:
    """How the machine does at this moment: runs that differ in this were disturbed by something else."""
    started = time.perf_counter()
    sum(range(5_000_000))
    loop = time.perf_counter() - started
    return {
        "load_average": os.getloadavg()[0],
        "python_loop_ms": round(loop * 1e3, 1),
        "fsync_us": fsync_microseconds(folder),
    }


def file_system(folder: Path) -> str:
    """Type of the file system a folder is on."""
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.resolve().is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


def fsync_microseconds(folder: Path) -> float:
    """Median cost of making one 4 KiB write durable: the floor under every commit."""
    costs = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(200):
            file.write(bytes(4096))
            file.flush()
            started = time.perf_counter()
            os.fsync(file.fileno())
            costs.append(time.perf_counter() - started)
    return round(statistics.median(costs) * 1e6, 1)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _first_line(command: list[str]) -> str:
    """First line of what a command says; wrk, for one, ends its version with an error status."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return (done.stdout or done.stderr).partition("\n")[0].strip()
