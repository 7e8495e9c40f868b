"""The log file that several processes share."""

import json
import logging
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ozontelemetry.logs import SharedFileHandler
from tests.support.server import ROOT

LINES = 400
PROCESSES = 4


def handler(path: Path, max_bytes: int = 4000, backups: int = 1000) -> SharedFileHandler:
    found = SharedFileHandler(str(path), max_bytes, backups)
    found.setFormatter(logging.Formatter("%(message)s"))
    return found


def say(found: SharedFileHandler, text: str) -> None:
    found.handle(logging.LogRecord("stations", logging.INFO, __file__, 1, text, None, None))


def _write_many(path: Path, name: str) -> None:
    found = handler(path)
    for number in range(LINES):
        say(found, f"{name} {number} " + "ä" * (number % 50))


def test_the_folder_is_made(tmp_path: Path) -> None:
    found = handler(tmp_path / "logs" / "django.log")
    say(found, "StationSyncService: Café")
    found.close()
    assert (tmp_path / "logs" / "django.log").read_text(encoding="utf-8") == "StationSyncService: Café\n"


def test_in_development_too_a_line_is_written_once(tmp_path: Path) -> None:
    says = "import django, logging; django.setup(); logging.getLogger('django.request').warning('Not Found: /x')"
    settings = {"DJANGO_DEBUG": "1", "LOG_FILE": str(tmp_path / "django.log"), "LOG_FORMAT": "json"}
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "ozontelemetry.settings", **settings}
    done = subprocess.run([sys.executable, "-c", says], cwd=ROOT, env=environment, capture_output=True, check=True)
    [line] = done.stderr.splitlines()
    assert json.loads(line)["message"] == "Not Found: /x"
    assert (tmp_path / "django.log").read_bytes().splitlines() == [line]


@pytest.mark.thorough
def test_several_processes_rotate_and_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "django.log"
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(path, f"p{number}")) for number in range(PROCESSES)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    files = [file for file in tmp_path.iterdir() if not file.name.endswith(".lock")]
    assert len(files) > 5
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]
    expected = {f"p{name} {number} " + "ä" * (number % 50) for name in range(PROCESSES) for number in range(LINES)}
    assert set(lines) == expected
    assert len(lines) == len(expected)


def test_only_so_many_are_kept(tmp_path: Path) -> None:
    found = handler(tmp_path / "django.log", max_bytes=100, backups=2)
    for number in range(50):
        say(found, f"line {number} " + "x" * 30)
    found.close()
    assert sorted(os.listdir(tmp_path)) == ["django.log", "django.log.1", "django.log.2", "django.log.lock"]
    newest = [
        line.split()[1] for name in ("django.log.2", "django.log.1", "django.log") for line in _lines(tmp_path, name)
    ]
    assert newest == [str(number) for number in range(50 - len(newest), 50)]


def _lines(folder: Path, name: str) -> list[str]:
    return (folder / name).read_text().splitlines()


def test_a_file_that_was_moved_away(tmp_path: Path) -> None:
    found = handler(tmp_path / "django.log")
    say(found, "before")
    (tmp_path / "django.log").rename(tmp_path / "elsewhere")
    say(found, "after")
    found.close()
    assert (tmp_path / "elsewhere").read_text() == "before\n"
    assert (tmp_path / "django.log").read_text() == "after\n"


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    found = handler(tmp_path / "logs" / "django.log")
    for number in range(3):
        say(found, f"line {number}")
    assert capsys.readouterr().err.count("cannot be written") == 1
    (tmp_path / "logs").unlink()
    say(found, "now it can")
    found.close()
    assert (tmp_path / "logs" / "django.log").read_text() == "now it can\n"


def test_a_line_longer_than_the_file_may_be(tmp_path: Path) -> None:
    found = handler(tmp_path / "django.log", max_bytes=10)
    for letter in "abc":
        say(found, letter * 100)
    found.close()
    assert [_lines(tmp_path, name) for name in ("django.log.2", "django.log.1", "django.log")] == [
        ["a" * 100],
        ["b" * 100],
        ["c" * 100],
    ]
