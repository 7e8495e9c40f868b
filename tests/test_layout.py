"""The house: no room with too many files side by side, no file that asks to be two."""

import subprocess
from collections import Counter
from pathlib import Path

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
