"""Writers of one process get at SQLite in the order in which they came, however busy the writer's thread is."""

import sqlite3
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction

from ozone.intake import Writer
from ozone.intake.tests.conftest import row, stored
from ozone.intake.turns import Turns

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
    """Somebody of another process, who writes in short steps with shorter pauses."""

    def __init__(self) -> None:
        self.steps = 0
        self.has_begun = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        other = sqlite3.connect(connection.settings_dict["NAME"], timeout=5, isolation_level=None)
        while not self._end.is_set():
            other.execute("BEGIN IMMEDIATE")
            self.has_begun.set()
            time.sleep(0.03)
            self.has_begun.clear()
            other.execute("COMMIT")
            self.steps += 1
            time.sleep(0.005)
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
