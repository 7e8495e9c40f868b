"""Trouble of the machine under the server: its clock is set, its log has no room, its process stands still or dies."""

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from bench.trouble import RECORD
from tests.support import needs
from tests.support.hazards import fill, small_disk
from tests.support.length import length
from tests.support.server import ADMIN, END_SECONDS, PASSWORD, LiveServer, fresh_database, live_server
from tests.support.staff import Staff
from tests.support.traffic import check_stored, traffic

pytestmark = pytest.mark.real_server

CRASH_LOOP_SECONDS = 5.5
"""granian's: a worker that ends sooner after it was made anew is one that cannot live."""
STOPPED_SECONDS = 20.0 if RECORD in os.environ else length(6, 20)
"""Longer than the firmware's 5 s; as long as was asked for where there is time for it."""
CLAIMS, CLAIMS_SECONDS = 3, 5.0


def status_now(staff: Staff, device_pk: int) -> str:
    rows = staff.call("GET", "/api/devices/all/", bearer=staff.sign_in()).json()
    return str(next(row["status"] for row in rows if row["id"] == device_pk))


def dashboard(staff: Staff) -> str:
    """As the operator sees it."""
    signed_in = staff.call("POST", "/api/auth/login/", {"username": ADMIN, "password": PASSWORD})
    cookie = re.search(r"sessionid=\w+", signed_in.headers["set-cookie"])
    assert cookie
    return staff.call("GET", "/", headers={"Cookie": cookie[0]}).body.decode()


def test_the_clock_is_set(tmp_path: Path) -> None:
    """Back by three hours, and ahead again."""
    if needs.faketime() is None:
        pytest.skip("libfaketime is not here, and only root can install it: apt-get install libfaketime")
    clock = tmp_path / "clock"
    clock.write_text("+0\n")
    with (
        fresh_database() as url,
        live_server(
            url,
            LD_PRELOAD=str(needs.faketime()),
            FAKETIME_TIMESTAMP_FILE=str(clock),
            FAKETIME_CACHE_DURATION="1",
            FAKETIME_DONT_FAKE_MONOTONIC="1",
            FAKETIME_FORCE_MONOTONIC_FIX="0",  # it wakes every wait for nothing, for a third of a processor
            LIMIT_FAILED_CLAIMS=f"{CLAIMS}/{CLAIMS_SECONDS:.0f}",
            WORKERS="1",  # each counts by itself
        ) as server,
        nothing_of_libfaketime(server.pid),
    ):
        claimed_at = is_set(server, clock, "-3h", "back by 3 h")
        wait_for_claims(claimed_at)  # a round counts from nothing
        is_set(server, clock, "+0", "ahead by 3 h")


@contextmanager
def nothing_of_libfaketime(pid: int) -> Iterator[None]:
    """A server that is killed, as tests end them, leaves what libfaketime shares."""
    try:
        yield
    finally:
        for path in Path("/dev/shm").glob(f"*faketime_*_{pid}"):
            path.unlink()


def wait_for_claims(since: float) -> None:
    """Until nothing counts any more of what was claimed until then, by a clock that nobody sets."""
    time.sleep(max(0.0, since + CLAIMS_SECONDS + 0.2 - time.monotonic()))


def is_set(server: LiveServer, clock: Path, offset: str, said: str) -> float:
    """Returns when, on the monotonic clock, the last wrong claim was made."""
    staff = Staff(server.url)
    silent, *devices = staff.enrol(7)

    def claim() -> int:
        return staff.call("POST", "/api/devices/claim", {"token": "a guess"}).status

    assert staff.send(silent, {"kwh": 1}).status == 201
    assert status_now(staff, silent.pk) == "online"
    with traffic(server, devices, pause=0.3) as load:
        load.wait_for(20)
        assert [claim() for _ in range(CLAIMS + 1)] == [400] * CLAIMS + [429]
        limited_at = time.monotonic()
        clock.write_text(f"{offset}\n")
        load.wait_for(20)
        assert claim() == 429
        # The limit ends when it would have ended.
        wait_for_claims(limited_at)
        assert claim() == 400
        claimed_at = time.monotonic()
        load.wait_for(20)
        again = Staff(server.url)  # a token of before may have expired with the hour
        assert status_now(again, devices[0].pk) == "online"
        assert status_now(again, silent.pk) == "offline"
        assert again.call("GET", "/readyz").status == 200
        assert f"clock was set {said}" in dashboard(again)
    assert load.journal.statuses() == {201}, load.journal.replies
    assert not load.journal.problems
    assert load.journal.acked > 60
    assert f"clock: the server's time was set {said.partition(' ')[0]} by 10800 s" in server.log.read_text()
    return claimed_at


@pytest.mark.sqlite_only
def test_the_disk_of_the_log_is_full() -> None:
    with small_disk() as disk:
        file = disk / "django.log"
        with live_server(LOG_FILE=str(file)) as server:
            staff = Staff(server.url)
            devices = staff.enrol(4)
            with traffic(server, devices) as load:
                load.wait_for(50)
                filler = fill(disk)
                for _ in range(30):  # each of these is a line
                    assert staff.call("POST", "/api/devices/claim", {"token": "x"}).status in (400, 429)
                    assert staff.call("GET", "/api/nothing-here").status == 404
                load.wait_for(200)
                size = file.stat().st_size
                filler.unlink()
                until = time.monotonic() + 10
                while file.stat().st_size <= size:
                    assert time.monotonic() < until, "nothing is logged after the disk had room again"
                    assert staff.call("GET", "/api/nothing-here").status == 404
                load.wait_for(50)
            assert load.journal.statuses() == {201}, load.journal.replies
            assert not load.journal.problems
            check_stored(server, load.journal)
            assert server.log.read_text().count("cannot be written") == 1


def test_it_stands_still() -> None:
    """SIGSTOP and SIGCONT, as a machine that is suspended or swaps: the firmware has hung up meanwhile."""
    with fresh_database() as url, live_server(url) as server:
        devices = Staff(server.url).enrol(6)
        with traffic(server, devices) as load:
            load.wait_for(100)
            family = [psutil.Process(server.pid), *server.workers]
            for process in family:
                process.suspend()
            time.sleep(STOPPED_SECONDS)
            for process in reversed(family):
                process.resume()
            load.wait_for(200, seconds=30)
        assert load.journal.statuses() <= {201, 503}, load.journal.replies
        check_stored(server, load.journal)
        assert server.is_ready()
        assert "clock was set" not in server.log.read_text()


@pytest.mark.alike
def test_a_worker_is_killed_again_and_again() -> None:
    """As by the kernel that is out of memory: the main process makes another each time; where that does not help it
    ends, for the service manager to start it anew. Nothing told is lost."""
    with fresh_database() as url, live_server(url, WORKERS="1") as server:
        main, killed = server.pid, 0
        devices = Staff(server.url).enrol(6)
        with traffic(server, devices, pause=0.3) as load:
            for _ in range(3):
                load.wait_for(50, seconds=30)
                (worker,) = server.workers
                worker.kill()
                killed += 1
                time.sleep(CRASH_LOOP_SECONDS + 0.5)
            load.wait_for(50, seconds=30)
            assert (server.pid, server.is_running) == (main, True)
            until = time.monotonic() + 30
            while server.is_running:
                assert time.monotonic() < until
                for worker in server.workers:
                    with suppress(psutil.NoSuchProcess):
                        worker.kill()
                time.sleep(0.2)
            assert server.wait() < END_SECONDS
            server.start()
            load.wait_for(100, seconds=30)
        assert load.journal.statuses() <= {201, 503}, load.journal.replies
        check_stored(server, load.journal)
