"""How long whoever writes much leaves the database to others between two of its transactions."""

from types import SimpleNamespace

import pytest

from ozone.intake import pauses
from ozone.intake.pauses import LEAST, Pauses


class Clock:
    """Time that passes only where somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(pauses, "time", SimpleNamespace(monotonic=clock.monotonic, sleep=clock.sleep))
    return clock


def test_a_pause_is_as_long_as_the_step_before_it(clock: Clock) -> None:
    pause = Pauses(2)
    for took in (0.1, 0.05, 0.0):
        with pause.step():
            clock.now += took
    with pause.step():
        pass
    assert clock.slept == [0, 0.2, 0.1, LEAST]


def test_its_own_wait_for_sqlite_is_no_work(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = [1.0, 3.0]  # what the thread has waited when the step begins, and when it ends
    monkeypatch.setattr(pauses, "waited", lambda: waits.pop(0))
    pause = Pauses()
    with pause.step():
        clock.now += 2.1
    monkeypatch.setattr(pauses, "waited", lambda: 3.0)
    with pause.step():
        pass
    assert clock.slept == [0, 0.1]


def test_what_is_done_between_two_steps_counts_as_a_pause(clock: Clock) -> None:
    pause = Pauses()
    with pause.step():
        clock.now += 0.2
    clock.now += 0.15
    with pause.step():
        clock.now += 0.1
    clock.now += 60
    with pause.step():
        pass
    assert clock.slept == [0, 0.05, 0]


def test_a_step_that_fails_is_followed_by_one_too(clock: Clock) -> None:
    pause = Pauses()

    def fail() -> None:
        with pause.step():
            clock.now += 0.2
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pause.step():
        pass
    assert clock.slept == [0, 0.2]
