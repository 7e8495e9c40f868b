"""One process leads; where its lease is not renewed another takes over, and a failure of the work does not end it."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models.functions import Now

from device_gateway.leading import Leading, Lease

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def leaders() -> Iterator[list[Leading]]:
    begun: list[Leading] = []
    yield begun
    for leader in begun:
        leader.stop()


def test_the_first_leads_and_another_follows_at_its_end(leaders: list[Leading]) -> None:
    turns = {"a": threading.Event(), "b": threading.Event()}
    leaders += [Leading("test", lambda turn=turn: bool(turn.set())) for turn in turns.values()]  # type: ignore[misc]
    leaders[0].start()
    assert turns["a"].wait(10)
    leaders[1].start()
    assert not turns["b"].wait(1.5)
    leaders[0].stop()
    assert turns["b"].wait(10)


def test_a_lease_is_one_holders_until_it_lapses() -> None:
    assert Lease.take("test", "a")
    assert Lease.take("test", "a")
    assert not Lease.take("test", "b")
    Lease.objects.update(until=Now() - timedelta(seconds=1))
    assert Lease.take("test", "b")
    assert not Lease.take("test", "a")
    Lease.give_back("test", "a")
    assert not Lease.take("test", "a")
    Lease.give_back("test", "b")
    assert Lease.take("test", "a")


def test_a_clock_that_was_set_back_holds_nobody_up() -> None:
    assert Lease.take("test", "a")
    Lease.objects.update(until=Now() + timedelta(days=1))
    assert Lease.take("test", "b")


def test_it_goes_on_after_a_failure(
    leaders: list[Leading], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("device_gateway.leading.TROUBLE", 0.01)
    done, tries = threading.Event(), []

    def step() -> bool:
        tries.append(1)
        if len(tries) == 1:
            raise ZeroDivisionError
        done.set()
        return False

    leaders.append(Leading("test", step))
    leaders[0].start()
    assert done.wait(10)
    assert "test: unexpected failure, it goes on" in caplog.text


def test_all_work_of_a_process_is_done_by_one_thread(leaders: list[Leading]) -> None:
    threads: dict[str, int] = {}
    again = {"a": threading.Event(), "b": threading.Event()}

    def step_of(name: str) -> Callable[[], bool]:
        def step() -> bool:
            if name in threads:
                again[name].set()
            threads[name] = threading.get_ident()
            return name == "a"  # the other has its turn beside one that has always more to do

        return step

    leaders += [Leading(name, step_of(name)) for name in again]
    for leader in leaders:
        leader.start()
    assert all(event.wait(20) for event in again.values())
    assert len(set(threads.values())) == 1
    leaders[0].stop(20)
    assert Lease.take("a", "another") and not Lease.take("b", "another")
    again["b"].clear()
    assert again["b"].wait(20)
    leaders[1].stop(20)
    assert Lease.take("b", "another")
    assert threads["a"] not in {thread.ident for thread in threading.enumerate()}


def test_one_that_fails_holds_up_no_other(leaders: list[Leading]) -> None:
    done = threading.Event()

    def fail() -> bool:
        raise OperationalError("not now")

    def work() -> bool:
        done.set()
        return False

    leaders += [Leading("fails", fail), Leading("works", work)]
    leaders[0].start()
    leaders[1].start()
    assert done.wait(20)
