"""A process whose event loop stands still, for whatever reason, is replaced, and the log says where it stood."""

import threading
import time
from contextlib import suppress

import pytest

from tests.support.server import live_server
from tests.support.staff import Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

BECOME = """
from ozontelemetry import server
ours = server.granian_arguments
server.granian_arguments = lambda **named: ours("tests.support.still:application", **named)
server.become_server(host={!r}, port={}, workers=1)
"""
INGEST = "/gateway/device-data/ingest"
REPLACED_SECONDS = 30.0


def test_it_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with live_server(start=False) as server:
        monkeypatch.setattr(server, "_arguments", lambda: ["-c", BECOME.format(server.host, server.port)])
        server.start()
        staff = Staff(server.url)
        (meter,) = staff.enrol(1)
        time.sleep(2)  # which is longer than it may stand still
        workers = {worker.pid for worker in server.workers}
        assert staff.call("POST", INGEST, {"kwh": 1}, bearer=meter.api_key).status == 201
        threading.Thread(target=_asked, args=(staff,)).start()
        until = time.monotonic() + REPLACED_SECONDS
        while {worker.pid for worker in server.workers} & workers or not server.is_ready():
            assert time.monotonic() < until, server.log_tail()
            time.sleep(0.1)
        assert staff.call("POST", INGEST, {"kwh": 2}, bearer=meter.api_key).status == 201
        log = server.log.read_text()
        assert "Timeout (0:00:01)!" in log
        assert 'still.py", line' in log


def _asked(staff: Staff) -> None:
    with suppress(OSError):  # its process is ended
        staff.call("GET", "/stand-still")
