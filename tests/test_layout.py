"""The house: no room with too many files side by side, no file that asks to be two."""

import re
import subprocess
from collections import Counter
from pathlib import Path

from tests.run import RUNS

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400
"""Lines of a product file."""
MODULES = 18
BY_SUBJECT = {"telemetry": 12, "pages": 12, "moving": 12, "ledger": 12}
"""Rooms that are cut by subject have smaller folders."""


def product() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [Path(line) for line in listed.splitlines()]
    return [file for file in files if not {"tests", "bench", "migrations"} & set(file.parts) and (ROOT / file).exists()]


def test_no_file_asks_to_be_two() -> None:
    lines = {str(file): len((ROOT / file).read_text().splitlines()) for file in product()}
    assert lines
    assert {file: count for file, count in lines.items() if count > LONGEST} == {}


def test_no_folder_is_crowded() -> None:
    modules = Counter(str(file.parent) for file in product() if file.name != "__init__.py")
    crowded = {
        folder: count
        for folder, count in modules.items()
        if folder != "." and count > BY_SUBJECT.get(Path(folder).parts[0], MODULES)
    }
    assert crowded == {}


def test_every_live_test_is_in_a_run() -> None:
    """The runs of live servers name their folders."""
    named = [Path(argument) for run in RUNS for argument in run.arguments if "not real_server" not in run.marks]
    files = [file for file in ROOT.rglob("test_*.py") if ".venv" not in file.parts]
    live = [file.relative_to(ROOT) for file in files if re.search(r"mark\.(real_server|browser)\b", file.read_text())]
    assert live
    assert [str(file) for file in live if not any(file.is_relative_to(folder) for folder in named)] == []
