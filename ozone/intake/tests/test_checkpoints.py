"""SQLite's log is copied into the database beside the writer, and no commit of the writer has much of that to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from ozone.intake import CALL, Writer, checkpoints
from ozone.intake.checkpoints import AT_COMMIT, copy_log, opened, salts
from ozone.intake.standing import replaced, standing
from ozone.intake.tests.conftest import ROWS, row, stored
from ozone.wire.errors import Unavailable

pytestmark = pytest.mark.sqlite_only


class Written:
    """A database whose log has the pages that were written, and no more."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = f"{path}-wal"
        self.raw = sqlite3.connect(path, isolation_level=None)
        self.raw.execute("PRAGMA journal_mode = WAL")
        self.raw.execute("PRAGMA wal_autocheckpoint = 0")
        self.raw.execute("CREATE TABLE t (n integer)")
        self.copy()

    def copy(self) -> int:
        with closing(opened(str(self.path))) as raw:
            return copy_log(raw)

    def write(self, pages: int) -> None:
        """Each of them one page: the row goes into the one leaf that the table has."""
        for number in range(pages):
            self.raw.execute("INSERT INTO t VALUES (?)", [number])

    def has(self, frame: int) -> bool:
        return salts(self.log, frame) == salts(self.log)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Written]:
    made = Written(tmp_path / "a #%?.sqlite3")
    yield made
    made.raw.close()


def test_frames_are_known_by_what_the_log_began_with(written: Written) -> None:
    written.write(5)
    assert [written.has(number) for number in (1, 4, 5, 6)] == [True, True, True, False]
    assert written.copy() == 5
    written.write(2)  # over the first two; the other three are still in the file
    assert [written.has(number) for number in (1, 2, 3, 5)] == [True, True, False, False]
    assert written.copy() == 2


def test_no_log_has_none(tmp_path: Path) -> None:
    assert salts(str(tmp_path / "none-wal")) == b""
    (tmp_path / "empty-wal").touch()
    assert salts(str(tmp_path / "empty-wal")) == b""


def test_who_reads_or_writes_is_not_waited_for(written: Written) -> None:
    written.write(3)
    other = sqlite3.connect(written.path, isolation_level=None)
    other.execute("BEGIN")
    assert other.execute("SELECT count(*) FROM t").fetchone() == (3,)
    written.raw.execute("BEGIN IMMEDIATE")
    assert written.copy() == 3
    other.close()
    written.raw.execute("ROLLBACK")


def test_no_database_is_made(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError):
        opened(str(tmp_path / "none.sqlite3"))
    assert list(tmp_path.iterdir()) == []


class Copies:
    """How far the log was at each copy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, fails: bool = False) -> None:
        self.frames: list[int] = []
        self._fails = fails
        monkeypatch.setattr(checkpoints, "FRAMES", 20)
        monkeypatch.setattr(checkpoints, "LOOK_SECONDS", 0.0)
        monkeypatch.setattr(checkpoints, "copy_log", self._copy)

    def _copy(self, raw: sqlite3.Connection) -> int:
        self.frames.append(copy_log(raw))
        if self._fails:
            raise sqlite3.OperationalError("disk I/O error")
        return self.frames[-1]


@pytest.fixture
def reader(tables: None) -> Iterator[None]:
    """Somebody who reads all the time: the log is never begun anew."""
    raw = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    raw.execute("BEGIN")
    raw.execute("SELECT count(*) FROM intake_test").fetchone()
    yield
    raw.close()


def fill(writer: Writer, rows: int) -> None:
    for number in range(rows):
        assert writer.submit_and_wait(ROWS, row(number)) == f"row {number}"
    writer.stop()  # waits for a copy under way
    assert stored() == list(range(rows))


def test_the_writers_log_is_copied_in_steps(reader: None, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Copies(monkeypatch)
    fill(writer, 150)
    assert len(copies.frames) > 1
    steps = [after - before for before, after in zip(copies.frames, copies.frames[1:], strict=False)]
    assert all(step >= 20 for step in steps), copies.frames


def test_one_that_fails_is_tried_again_later(reader: None, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Copies(monkeypatch, fails=True)
    monkeypatch.setattr(checkpoints, "AGAIN_SECONDS", 3600.0)
    fill(writer, 100)
    assert len(copies.frames) == 1


def test_another_file_under_its_name_is_left_alone(
    reader: None, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = Copies(monkeypatch)

    def another(_: Any) -> None:
        raise replaced()

    monkeypatch.setattr(standing, "check", another)
    for number in range(100):
        with pytest.raises(Unavailable):
            writer.submit_and_wait(ROWS, row(number))
    writer.stop()
    assert copies.frames == []


def test_the_writers_commits_do_it_late(writer: Writer) -> None:
    def bound() -> int:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_autocheckpoint")
            return int(cursor.fetchone()[0])

    assert writer.submit_and_wait(CALL, (bound, {})) == AT_COMMIT
