"""The watcher: what other connections commit is noticed, and not being able to look is known."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connection, connections

from ozone.intake import Watcher
from ozone.intake import watcher as module
from ozone.intake.watcher import BLIND_SECONDS


class Changes:
    """Counts calls; the first `failing` ones raise."""

    def __init__(self) -> None:
        self.count = 0
        self.failing = 0
        self._happened = threading.Condition()

    def __call__(self) -> None:
        with self._happened:
            self.count += 1
            self._happened.notify_all()
            if self.failing:
                self.failing -= 1
                raise OperationalError("not now")

    def reach(self, count: int) -> bool:
        """Waits until there were that many; whether there were."""
        with self._happened:
            return self._happened.wait_for(lambda: self.count >= count, 5)


def eventually(condition: Callable[[], bool]) -> bool:
    return any(condition() or threading.Event().wait(0.02) for _ in range(250)) or condition()


def quiet() -> None:
    """Longer than two looks and the rest between two changes."""
    assert not threading.Event().wait(0.5)


@pytest.fixture
def version(transactional_db: Any) -> Iterator[Callable[[int | None], None]]:
    """Sets the row that is watched, None: there is none."""

    def change(number: int | None) -> None:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM intake_version")
            if number is not None:
                cursor.execute("INSERT INTO intake_version VALUES (%s)", [number])

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE intake_version (number integer)")
    change(1)
    yield change
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS intake_version")


@pytest.fixture
def changes() -> Changes:
    return Changes()


@pytest.fixture
def watcher(version: None, changes: Changes) -> Iterator[Watcher]:
    watcher = Watcher("SELECT number FROM intake_version")
    watcher.tell(0, changes, rest=0.25)
    yield watcher
    watcher.stop()


Set = Callable[[int | None], None]


def test_nobody_waits_for_the_end_of_a_long_first_look(
    version: None, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLIND_SECONDS", 60.0)
    may_end = threading.Event()

    def load_a_million_keys() -> None:
        watcher.has_looked()
        may_end.wait(60)

    watcher.tell(0, load_a_million_keys)
    first = threading.Thread(target=watcher.ensure_started)
    first.start()
    first.join(20)
    went_on = not first.is_alive()
    may_end.set()
    first.join()
    assert went_on and not watcher.is_blind


def test_the_end_of_a_long_change_blinds_nobody(
    version: None, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a look that took long, in which the database was read, and the next one."""
    clock = 100.0
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock))

    def load_a_million_keys() -> None:
        nonlocal clock
        clock += 60
        watcher.has_looked()

    watcher.tell(0, load_a_million_keys)
    watcher._look()
    assert not watcher.is_blind


def test_it_sees_the_first_state_at_once(watcher: Watcher, changes: Changes) -> None:
    assert watcher.is_blind
    watcher.ensure_started()
    assert changes.count == 1
    assert not watcher.is_blind


def test_it_sees_what_another_connection_commits(watcher: Watcher, changes: Changes, version: Set) -> None:
    watcher.ensure_started()
    version(2)
    assert changes.reach(2)
    quiet()
    assert changes.count == 2


def test_a_version_that_goes_back_is_a_change(watcher: Watcher, changes: Changes, version: Set) -> None:
    version(70)
    watcher.ensure_started()
    version(3)  # a restored backup
    assert changes.reach(2)


def test_the_row_may_come_and_go(watcher: Watcher, changes: Changes, version: Set) -> None:
    version(None)
    watcher.ensure_started()
    assert not watcher.is_blind
    version(1)
    assert changes.reach(1)
    before = changes.count
    version(None)
    assert changes.reach(before + 1)


def test_changes_in_quick_succession_are_taken_over_together_and_none_is_missed(
    watcher: Watcher, changes: Changes, version: Set
) -> None:
    watcher.ensure_started()
    for number in range(2, 12):
        version(number)
    assert changes.reach(2)
    version(12)
    before = changes.count
    assert changes.reach(before + 1) or before >= 3
    quiet()
    assert changes.count < 10


def test_a_change_that_could_not_be_taken_over_is_tried_again(watcher: Watcher, changes: Changes) -> None:
    changes.failing = 2
    watcher.ensure_started()
    assert changes.reach(3)
    assert eventually(lambda: not watcher.is_blind)


def test_started_many_times_it_is_one(watcher: Watcher, changes: Changes) -> None:
    threads = [threading.Thread(target=watcher.ensure_started) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert changes.count == 1
    assert not watcher.is_blind


def test_stopped_and_started_again_it_looks_anew(watcher: Watcher, changes: Changes) -> None:
    watcher.ensure_started()
    watcher.stop()
    watcher.ensure_started()
    assert changes.reach(2)


class TestBlind:
    @pytest.fixture(autouse=True)
    def _soon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert BLIND_SECONDS == 2  # the contract: unreadable for two seconds is 503
        monkeypatch.setattr(module, "BLIND_SECONDS", 0.3)

    def test_what_it_watches_is_gone(self, watcher: Watcher, changes: Changes, version: Set) -> None:
        watcher.ensure_started()
        assert eventually(lambda: not watcher.is_blind)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE intake_version RENAME TO intake_hidden")
        assert eventually(lambda: watcher.is_blind)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE intake_hidden RENAME TO intake_version")
        assert eventually(lambda: not watcher.is_blind)
        version(2)
        assert changes.reach(2)

    def test_before_it_could_ever_look(self, transactional_db: Any, changes: Changes) -> None:
        watcher = Watcher("SELECT number FROM intake_nowhere")
        watcher.tell(0, changes)
        watcher.ensure_started()  # does not wait for ever
        assert watcher.is_blind
        assert changes.count == 0
        watcher.stop()

    @pytest.mark.parametrize("error", [OperationalError, ValueError])
    def test_a_connection_that_was_closed_behind_its_back_is_replaced(
        self, watcher: Watcher, changes: Changes, version: Set, error: type[Exception]
    ) -> None:
        broken = threading.Event()

        def breaks() -> None:
            changes()
            if changes.count == 2:
                connections["default"].connection.close()
                broken.set()
                raise error("cut")

        watcher._columns[0].on_change = breaks
        watcher.ensure_started()
        version(2)
        assert broken.wait(5)
        assert changes.reach(3)
        assert eventually(lambda: not watcher.is_blind)


def test_development_logs_none_of_its_queries(watcher: Watcher, changes: Changes, version: Set, settings: Any) -> None:
    settings.DEBUG = True
    logged: list[int] = []

    def look() -> None:
        changes()
        logged.append(len(connections["default"].queries_log))

    watcher._columns[0].on_change = look
    watcher.ensure_started()
    version(2)
    assert changes.reach(2)
    assert logged[:2] == [0, 0]
