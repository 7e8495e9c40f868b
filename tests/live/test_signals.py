"""Whatever signal any process of the server is sent, nothing of it is left behind, and what is left goes on."""

import os
import signal
import time

import psutil
import pytest

from tests.support.length import length
from tests.support.server import END_SECONDS, LiveServer, live_server

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

SETTLED_SECONDS = 30.0
DEADLY = ("SIGUSR1", "SIGUSR2", "SIGQUIT", "SIGKILL")
"""Nobody hears these; SIGHUP is granian's own."""


def family(server: LiveServer) -> list[psutil.Process]:
    main = psutil.Process(server.pid)
    return [main, *main.children(recursive=True)]


@pytest.mark.parametrize("name", ["SIGHUP", *length(("SIGUSR1", "SIGKILL"), DEADLY)])
def test_the_main_process(name: str) -> None:
    # At SIGHUP granian starts as many again.
    with live_server(WORKERS="1" if name == "SIGHUP" else "2") as server:
        all_of_it = family(server)
        os.kill(server.pid, signal.Signals[name])
        settle(server, all_of_it)


@pytest.mark.parametrize("name", ["SIGHUP", *length(("SIGKILL",), DEADLY)])
def test_a_worker(name: str) -> None:
    with live_server() as server:
        all_of_it = family(server)
        [worker] = [one for one in server.workers if "resource_tracker" not in " ".join(one.cmdline())]
        worker.send_signal(signal.Signals[name])
        settle(server, all_of_it)


def settle(server: LiveServer, before: list[psutil.Process]) -> None:
    """Either everything ends, or it serves on; in both cases nothing outlives the main process."""
    until = time.monotonic() + SETTLED_SECONDS
    time.sleep(1)
    while server.is_running and not server.is_ready():
        assert time.monotonic() < until, server.log_tail()
        time.sleep(0.2)
    now = family(server) if server.is_running else []
    if now:
        server.stop()
    _, alive = psutil.wait_procs({*before, *now}, timeout=END_SECONDS + 2)
    assert alive == [], server.log_tail()
