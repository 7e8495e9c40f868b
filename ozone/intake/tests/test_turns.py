"""Writers of one process get at SQLite in the order in which they came, however busy the writer's thread is."""

import errno
import fcntl
import os
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from ozone.intake import Writer
from ozone.intake.tests.conftest import ROWS, Store, row, stored
from ozone.intake.turns import Turns, waited

sqlite_only = pytest.mark.skipif(
    "sqlite" not in settings.DATABASES["default"]["ENGINE"], reason="PostgreSQL has a queue of its own"
)


class Busy:
    """A store whose transactions follow each other without a pause until `end`: each row brings the next one."""

    def __init__(self, writer: Writer) -> None:
        self.batches = 0
        self._end = threading.Event()
        self._writer = writer
        self._last: Future[Any] = Future()
        writer.register("busy", self)
        self._last = writer.post("busy", None)

    def __call__(self, connection: Any, rows: list[Any]) -> None:
        self.batches += 1
        if not self._end.is_set():
            self._last = self._writer.post("busy", None)  # waits when this transaction ends
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (%s, %s)", row(1000 + self.batches)[:2])
        time.sleep(0.1)

    def end(self) -> None:
        self._end.set()
        self._last.result(5)


def _in_a_transaction(busy: Busy) -> tuple[int, int]:
    """The number of the writer's transactions before it asked for its turn, and when it had it."""
    connection.ensure_connection()
    before = busy.batches
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (1, 'one')")
            return before, busy.batches
    finally:
        connection.close()


def _in_one_statement(busy: Busy) -> tuple[int, int]:
    """As above."""
    connection.ensure_connection()
    before = busy.batches
    try:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (1, 'one')")
            return before, busy.batches
    finally:
        connection.close()


@sqlite_only
@pytest.mark.parametrize("write", [_in_a_transaction, _in_one_statement])
def test_a_person_writes_beside_a_busy_writer(writer: Writer, write: Any) -> None:
    busy = Busy(writer)
    with ThreadPoolExecutor(1) as thread:
        while busy.batches < 3:
            time.sleep(0.01)
        before, at = thread.submit(write, busy).result(20)
    busy.end()
    # The transaction it met, and one that may have begun before the thread asked.
    assert at - before <= 2
    assert 1 in stored()


class InSteps:
    """Somebody of another process, who writes in short steps with shorter pauses; with `turns`, as our own processes
    do, without one."""

    def __init__(self, turns: Turns | None = None) -> None:
        self._turns = turns
        self.steps = 0
        self.has_begun = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        name = str(connection.settings_dict["NAME"])
        other = sqlite3.connect(name, timeout=5, isolation_level=None)
        while not self._end.is_set():
            with self._turns.one(database=name) if self._turns else nullcontext():
                other.execute("BEGIN IMMEDIATE")
                self.has_begun.set()
                time.sleep(0.03)
                self.has_begun.clear()
                other.execute("COMMIT")
            self.steps += 1
            time.sleep(0 if self._turns else 0.005)
        other.close()

    def __enter__(self) -> "InSteps":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()


@sqlite_only
def test_a_person_writes_between_the_steps_of_another_process(writer: Writer) -> None:
    """Whoever waits for the lock has the turn, and the writer waits behind them."""
    with InSteps() as other, connection.cursor() as cursor:
        before = other.steps
        for number in range(10):
            assert other.has_begun.wait(5)
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (%s, %s)", row(number)[:2])
        assert other.steps - before <= 20  # looking as seldom as SQLite does took 28 to 52


@sqlite_only
def test_a_person_writes_beside_a_busy_process(writer: Writer) -> None:
    with InSteps(Turns()) as other, connection.cursor() as cursor:
        before = other.steps
        for number in range(10):
            assert other.has_begun.wait(5)
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (%s, %s)", row(number)[:2])
        assert other.steps - before <= 20  # without a turn it was met by one step after the other


_HOLDS_THE_TURN = """
import fcntl, sys, time
file = open(sys.argv[1], "a")
fcntl.flock(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(60)
"""


@sqlite_only
def test_whoever_dies_gives_the_turn_back(writer: Writer, store: Store) -> None:
    """And what has come meanwhile is written together."""
    command = [sys.executable, "-S", "-c", _HOLDS_THE_TURN, f"{connection.settings_dict['NAME']}-turn"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()
            waiting = [writer.post(ROWS, row(1))]
            time.sleep(0.1)
            waiting.append(writer.post(ROWS, row(2)))
            assert not store.batches
        finally:
            other.kill()
    assert [one.result(5) for one in waiting] == ["row 1", "row 2"]
    assert store.batches == [[1, 2]]


@sqlite_only
def test_a_person_gives_up(writer: Writer) -> None:
    """After the time that is set, which is kept."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(OperationalError, match="locked"):
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (1, 'one')")
        other.close()
        cursor.execute("INSERT INTO intake_test (id, text) VALUES (2, 'two')")
        assert cursor.execute("PRAGMA busy_timeout").fetchall() == [(50,)]
        cursor.execute("PRAGMA busy_timeout = 5000")


@sqlite_only
def test_what_a_thread_has_waited_to_begin(tables: None) -> None:
    """For somebody else's transaction; what it does in its own is not counted."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    ends = threading.Timer(0.3, other.execute, ["COMMIT"])
    ends.start()
    before = waited()
    with transaction.atomic():
        found = waited() - before
        time.sleep(0.3)
    ends.join()
    other.close()
    assert found > 0.25
    assert waited() - before == found


def test_first_come_first_served() -> None:
    turns = Turns()
    order: list[int] = []

    def take(number: int) -> None:
        with turns.one():
            order.append(number)

    threads = [threading.Thread(target=take, args=(number,)) for number in range(5)]
    with turns.one(), turns.one():  # one's own turn is no hindrance
        for number, thread in enumerate(threads):
            thread.start()
            while len(turns._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3, 4]
    with turns.one(0):
        assert turns._owner == threading.get_ident()


def test_processes_take_turns(tmp_path: Path) -> None:
    """Of one database."""
    database, another = tmp_path / "one.sqlite3", tmp_path / "another.sqlite3"
    for path in (database, another):
        path.touch()
    order: list[str] = []

    def write(path: Path) -> None:
        with Turns().one(database=str(path)):  # each process has its own
            order.append(path.stem)

    threads = [threading.Thread(target=write, args=(path,)) for path in (database, another)]
    with Turns().one(database=str(database)):
        for thread in threads:
            thread.start()
        threads[1].join(5)
        threads[0].join(0.1)
        order.append("has written")
    threads[0].join(5)
    assert order == ["another", "has written", "one"]
    assert (tmp_path / "one.sqlite3-turn").stat().st_mode & 0o777 == 0o600


def test_without_a_file_for_it_there_are_no_turns(tmp_path: Path) -> None:
    """In a database in memory, or in a folder where none can be made: SQLite itself decides."""
    (tmp_path / "db.sqlite3").touch()
    (tmp_path / "db.sqlite3-turn").mkdir()
    for name in (":memory:", str(tmp_path / "db.sqlite3")):
        assert two_have_it(name), name
    assert not Path(":memory:-turn").exists()


def test_where_the_file_system_has_no_locks_there_are_no_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    database = tmp_path / "db.sqlite3"
    database.touch()
    monkeypatch.setattr(fcntl, "flock", none)
    assert two_have_it(str(database))


def two_have_it(database: str) -> bool:
    """Whether two processes may write to it at once."""
    has_it = threading.Event()

    def write() -> None:
        with Turns().one(database=database):  # each process has its own
            has_it.set()

    with Turns().one(database=database):
        threading.Thread(target=write, daemon=True).start()
        return has_it.wait(5)


def test_what_a_process_leaves_running_does_not_hold_its_turn(tmp_path: Path) -> None:
    database = tmp_path / "db.sqlite3"
    database.touch()
    (is_reset, resets), (ended, end) = os.pipe(), os.pipe()
    server = os.fork()
    if not server:
        turns = Turns()
        with turns.one(database=str(database)):
            if not os.fork():
                turns.reset()  # what a child does first
                os.close(resets)
                os.close(end)
                os.read(ended, 1)
            os._exit(0)
    os.close(resets)
    try:
        os.waitpid(server, 0)
        os.read(is_reset, 1)
        with (tmp_path / "db.sqlite3-turn").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        for pipe in (is_reset, ended, end):
            os.close(pipe)


def test_nobody_waits_for_ever() -> None:
    turns = Turns()
    went_on = threading.Event()

    def impatient() -> None:
        with turns.one(0.05):
            went_on.set()

    thread = threading.Thread(target=impatient)
    with turns.one():
        thread.start()
        assert went_on.wait(5)
        thread.join(5)
        assert turns._owner == threading.get_ident()
    assert turns._owner is None


def test_the_child_of_a_fork_waits_for_nobody() -> None:
    turns = Turns()
    has_it, done = threading.Event(), threading.Event()

    def hold() -> None:
        with turns.one():
            has_it.set()
            done.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    assert has_it.wait(5)
    turns.reset()  # what a child does first
    with turns.one(0):
        assert turns._owner == threading.get_ident()
    done.set()
    thread.join(5)
