"""More connections than the server may open files for: those that it has are served, new ones are not taken, and it
neither spins nor hangs; when some have left, new ones are served at once."""

import http.client
import time
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest

from tests.support.hazards import idle_connections
from tests.support.server import LiveServer, live_server
from tests.support.staff import Device, Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

FILES = 300
IDLE = 2 * FILES
LOOKED_AT_SECONDS = 2.0
BUSY_SECONDS = 0.5
"""Of a processor in that time, at most: who asks without a pause for what cannot be had takes all of it."""
INGEST = "/gateway/device-data/ingest"


@pytest.fixture(scope="module")
def server() -> Iterator[LiveServer]:
    with live_server(files=FILES) as server:
        yield server


class Meter:
    """One that keeps its connection."""

    def __init__(self, server: LiveServer, device: Device, timeout: float = 10) -> None:
        self._connection = http.client.HTTPConnection(server.host, server.port, timeout=timeout)
        self._headers = {"Authorization": f"Bearer {device.api_key}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: bytes | None = None) -> int:
        self._connection.request(method, path, body, self._headers)
        reply = self._connection.getresponse()
        reply.read()
        return reply.status

    def send(self) -> int:
        return self.ask("POST", INGEST, b'{"kwh": 1}')

    def close(self) -> None:
        self._connection.close()


def test_more_connections_than_files(server: LiveServer) -> None:
    devices = Staff(server.url).enrol(3)
    (worker,) = server.workers
    with ExitStack() as stack:
        known = [Meter(server, device) for device in devices]
        for meter in known:
            stack.callback(meter.close)
        assert [meter.send() for meter in known] == [201] * 3
        with idle_connections(server, IDLE):
            assert [meter.send() for meter in known * 20] == [201] * 60
            # Whatever needs a file, needs no connection: a page's thread opens the database, a static file its file.
            pages = ("/login/", "/readyz", "/devices/", "/static/pages/pages.css", "/api/devices/")
            assert [known[0].ask("GET", path) for path in pages * 8] == [200, 200, 302, 200, 401] * 8
            assert worker.num_fds() < FILES
            assert busy(worker) < BUSY_SECONDS
            stranger = Meter(server, devices[0], timeout=1)
            with pytest.raises(OSError):
                stranger.send()
            stranger.close()
            assert known[0].send() == 201
        newcomer = Meter(server, devices[0])
        stack.callback(newcomer.close)
        assert newcomer.send() == 201
    assert [process.pid for process in server.workers] == [worker.pid]


def busy(worker: psutil.Process) -> float:
    """Seconds of a processor that it takes while nobody asks anything, as the kernel counts them."""
    before = worker.cpu_times()
    time.sleep(LOOKED_AT_SECONDS)
    after = worker.cpu_times()
    return float(after.user - before.user + after.system - before.system)
