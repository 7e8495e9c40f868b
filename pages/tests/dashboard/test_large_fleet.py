"""A large fleet is not looked through at every look: what was found stays for a while, and says when that was."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User

from device_gateway.models import Device
from pages.dashboard import fleet as fleets
from pages.dashboard.earned import spans
from pages.dashboard.fleet import Fleet, Kept
from pages.kit.version import Scope
from pages.tests.conftest import SignIn
from pages.tests.dashboard.test_dashboard import fleet, tiles

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEY = (Scope(True, None), spans(NOON)[0])
WAIT = 60.0
"""Seconds that nothing takes."""


def of(devices: int) -> Fleet:
    nothing: Any = None
    return Fleet(NOON, fleet(devices=devices), (), (), nothing)


class Finder:
    """Finds 3 devices, then 4, 5, …; not before it `may`."""

    def __init__(self) -> None:
        self.found = 2
        self.may = threading.Event()
        self.may.set()
        self.done = threading.Semaphore(0)

    def __call__(self) -> Fleet:
        try:
            assert self.may.wait(WAIT)
            self.found += 1
            return of(self.found)
        finally:
            self.done.release()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has three devices is large, and its next search is years away."""
    monkeypatch.setattr(fleets, "LARGE", 3)
    monkeypatch.setattr(fleets, "REST_SECONDS", 1e9)
    monkeypatch.setattr(fleets, "FIRST_SECONDS", WAIT)
    monkeypatch.setattr(fleets, "_kept", Kept())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch, large: None) -> None:
    """Every look is one that begins another search."""
    monkeypatch.setattr(fleets, "REST_SECONDS", 1e-6)
    monkeypatch.setattr(fleets, "REST_SHARE", 0)


def found(kept: Kept, find: Callable[[], Fleet], *, is_large: bool = True, key: Any = KEY) -> Fleet | None:
    return kept.get(key, find, lambda: is_large)


def devices(kept: Kept, find: Callable[[], Fleet], *, is_large: bool = True) -> int:
    """How many there are, when they have been found."""
    fleet = found(kept, find, is_large=is_large)
    assert fleet is not None
    return fleet.overview.devices


def join() -> None:
    """Until nobody looks through a fleet."""
    for thread in threading.enumerate():
        if thread.name == "large-fleet":
            thread.join(WAIT)


@pytest.mark.usefixtures("large")
def test_what_was_found_stays_for_a_while() -> None:
    kept, find = Kept(), Finder()
    assert [devices(kept, find) for _ in range(3)] == [3, 3, 3]
    other = found(kept, find, key=(Scope(False, 7), KEY[1]))  # another's fleet is not this one
    assert other is not None and other.overview.devices == 4


@pytest.mark.usefixtures("large")
def test_who_comes_first_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets, "FIRST_SECONDS", 0.01)
    kept, find = Kept(), Finder()
    find.may.clear()
    assert [found(kept, find) for _ in range(3)] == [None, None, None]
    assert [thread.name for thread in threading.enumerate()].count("large-fleet") == 1
    find.may.set()
    join()
    assert devices(kept, find) == 3


@pytest.mark.usefixtures("large")
def test_a_small_fleet_is_found_at_each_look() -> None:
    kept = Kept()
    finds = [lambda number=number: of(number) for number in (0, 1, 2, 1)]
    assert [devices(kept, find, is_large=False) for find in finds] == [0, 1, 2, 1]


@pytest.mark.usefixtures("at_once")
def test_who_looks_does_not_wait_for_what_is_found_anew() -> None:
    kept, find = Kept(), Finder()
    assert devices(kept, find) == 3
    find.done.acquire()
    find.may.clear()
    assert [devices(kept, find) for _ in range(3)] == [3, 3, 3]
    assert [thread.name for thread in threading.enumerate()].count("large-fleet") == 1
    find.may.set()
    assert find.done.acquire(timeout=WAIT)
    join()
    assert devices(kept, find) == 4


@pytest.mark.usefixtures("at_once")
def test_what_is_large_no_more_is_found_at_each_look() -> None:
    kept = Kept()
    assert devices(kept, lambda: of(3)) == 3
    assert devices(kept, lambda: of(2)) == 3
    join()
    finds = [lambda number=number: of(number) for number in (1, 0)]
    assert [devices(kept, find, is_large=False) for find in finds] == [1, 0]


@pytest.mark.parametrize(("took", "seconds"), [(0.0, 30), (3.0, 30), (3.1, 60), (6.0, 60), (10.0, 120), (100.0, 1920)])
def test_processes_begin_together(took: float, seconds: int) -> None:
    """At steps of the clock; the longer a search takes, the farther apart."""
    with time_machine.travel(NOON + timedelta(seconds=1), tick=False):
        assert fleets._next_step(took) % seconds == 0
        assert 0 < fleets._next_step(took) - (NOON.timestamp() + 1) <= seconds


@pytest.mark.usefixtures("large")
def test_those_who_come_first_look_once() -> None:
    """One of them begins, and waits; the others are told at once that it is being found."""
    kept, find = Kept(), Finder()
    find.may.clear()
    seen: SimpleQueue[Fleet | None] = SimpleQueue()
    threads = [threading.Thread(target=lambda: seen.put(found(kept, find))) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert [seen.get(timeout=WAIT) for _ in range(3)] == [None, None, None]
    find.may.set()
    last = seen.get(timeout=WAIT)
    assert last is not None and last.overview.devices == 3
    assert devices(kept, find) == find.found == 3


@pytest.mark.usefixtures("large")
def test_what_is_too_old_is_not_shown() -> None:
    kept, find = Kept(), Finder()
    assert devices(kept, find) == 3
    kept._places[KEY].found_at -= fleets.OLDEST_SECONDS + 1
    assert devices(kept, find) == 4


@pytest.mark.usefixtures("at_once")
def test_a_search_that_fails_leaves_what_there_was(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()
    done = threading.Event()

    def fail() -> Fleet:
        done.set()
        raise RuntimeError("no database")

    assert devices(kept, lambda: of(3)) == 3
    assert devices(kept, fail) == 3
    assert done.wait(WAIT)
    join()
    assert "what was found before stays" in caplog.text
    assert devices(kept, lambda: of(4)) == 3


@pytest.mark.usefixtures("large")
def test_a_first_search_that_fails_is_not_begun_at_each_look(caplog: pytest.LogCaptureFixture) -> None:
    kept = Kept()

    def fail() -> Fleet:
        raise RuntimeError("no database")

    assert [found(kept, fail) for _ in range(3)] == [None, None, None]
    assert caplog.text.count("the fleet could not be looked through") == 1


@pytest.mark.usefixtures("at_once")
def test_without_a_thread_a_later_look_begins_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    kept, find = Kept(), Finder()

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    assert devices(kept, find) == 3
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        assert devices(kept, find) == 3
    assert devices(kept, find) == 3
    join()
    assert find.found == 4


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("large")
def test_the_page_says_since_when(signed_in: SignIn, olga: User, vera: User, meter: Device, pump: Device) -> None:
    """Staff's three are many here; her own one is not."""
    staff, owner = signed_in(olga), signed_in(vera)
    assert "Counted" not in staff.get("/").content.decode()
    Device.objects.create(name="Third")
    page = staff.get("/").content.decode()
    assert tiles(page)["Devices"][0] == "3"
    assert "Counted <time datetime=" in page
    Device.objects.create(name="Fourth", owner=vera)
    assert tiles(staff.get("/").content.decode())["Devices"][0] == "3"
    page = owner.get("/").content.decode()
    assert tiles(page)["Devices"][0] == "2"
    assert "Counted" not in page


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("large")
def test_the_page_before_all_is_found(
    signed_in: SignIn, olga: User, meter: Device, pump: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is there, says what is missing, and is told it whatever else happens."""
    Device.objects.create(name="Third")
    may, staff = threading.Event(), signed_in(olga)
    overview = fleets.overview
    monkeypatch.setattr(fleets, "overview", lambda *asked: may.wait(WAIT) and overview(*asked))
    monkeypatch.setattr(fleets, "FIRST_SECONDS", 0.01)
    page = staff.get("/").content.decode()
    assert page.count("Loading…") == 4
    assert "All devices are gone through" in page and "Last hour" in page
    assert 'data-version="unknown"' in page
    assert "Nothing waits for you" not in page
    may.set()
    join()
    told = staff.get("/", headers={"X-Live-Version": "unknown"})
    assert tiles(told.content.decode())["Devices"][0] == "3"
    assert "Loading…" not in told.content.decode()
    again = staff.get("/", headers={"X-Live-Version": told["X-Live-Version"]})
    assert again.status_code == 204
