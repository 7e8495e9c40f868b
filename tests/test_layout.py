"""The house: no room with too many files side by side, no file that asks to be two."""

import re
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.run import ALONE_RUNS, AT_NIGHT, ON_POSTGRESQL, ON_SQLITE_ALONE, RUNS, WITH_SERVERS
from tests.support.length import IS_LONG

pytestmark = pytest.mark.sqlite_only

ROOT = Path(__file__).resolve().parent.parent
LONGEST = 400
"""Lines of a product file."""
MODULES = 18
BY_SUBJECT = {"telemetry": 12, "pages": 12, "moving": 12, "ledger": 12, "alerts": 12}
"""Rooms that are cut by subject have smaller folders."""


def modules() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    files = [Path(line) for line in listed.splitlines() if (ROOT / line).exists()]
    assert files
    return files


def product() -> list[Path]:
    return [file for file in modules() if not {"tests", "bench", "migrations"} & set(file.parts)]


def of_tests() -> list[Path]:
    return [file for file in modules() if file.name.startswith("test_")]


def test_no_file_asks_to_be_two() -> None:
    lines = {str(file): len((ROOT / file).read_text().splitlines()) for file in product()}
    assert lines
    assert {file: count for file, count in lines.items() if count > LONGEST} == {}


def test_no_folder_is_crowded() -> None:
    counts = Counter(str(file.parent) for file in product() if file.name != "__init__.py")
    crowded = {
        folder: count
        for folder, count in counts.items()
        if folder != "." and count > BY_SUBJECT.get(Path(folder).parts[0], MODULES)
    }
    assert crowded == {}


def is_within(file: Path, folders: Iterable[str]) -> bool:
    return any(file.is_relative_to(folder) for folder in folders)


def test_every_live_test_is_in_a_run() -> None:
    """The runs of live servers name their folders; those on PostgreSQL leave out what is SQLite's."""
    runs = [run for run in (*RUNS, *(ALONE_RUNS if IS_LONG else ())) if "not real_server" not in run.marks]
    texts = {file: (ROOT / file).read_text() for file in of_tests()}
    live = {file: text for file, text in texts.items() if re.search(r"mark\.(real_server|browser)\b", text)}
    assert live
    missed = [
        str(file)
        for file, text in live.items()
        if not any(
            is_within(file, run.arguments) and not ("mark.sqlite_only" in text and "not sqlite_only" in run.marks)
            for run in runs
        )
    ]
    assert missed == []


def test_nothing_else_stands_where_servers_are() -> None:
    """The other runs do not read those folders."""
    files = [file for file in of_tests() if is_within(file, WITH_SERVERS)]
    assert {str(file.parent) for file in files} == set(WITH_SERVERS)
    for file in files:
        text = (ROOT / file).read_text()
        marked = re.findall(r"^@pytest\.mark\.(?:real_server|browser)$", text, re.M)
        is_whole = re.search(r"^pytestmark = [^@]*?mark\.(real_server|browser)\b", text, re.M) is not None
        assert is_whole or len(marked) == len(re.findall(r"^ *def test_", text, re.M)), file


def test_every_room_is_on_postgresql_or_is_said_not_to_be() -> None:
    files = of_tests()
    named = (*ON_POSTGRESQL, *AT_NIGHT, *ON_SQLITE_ALONE)
    assert [str(file) for file in files if not is_within(file, named)] == []
    assert [name for name in named if not any(file.is_relative_to(name) for file in files)] == []
