"""When the server closes an idle connection, and that nobody who sends at a likely period meets the close."""

import http.client
import random
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from ozontelemetry.server import IDLE_SECONDS
from tests.support.server import LiveServer, live_server
from tests.support.staff import Staff

PERIOD = 60.0
"""Seconds between two readings of the published sketch; its replies take some of them."""
METERS = 40
INGEST = "/api/device-data/ingest"

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]  # no database is asked


def test_a_sketch_that_sends_every_sixty_seconds() -> None:
    """The jitter with which the server's former 60 s lost 13 to 43 % of the readings."""
    chance = random.Random(60)
    jitters = [chance.uniform(-0.155, 0.155) for _ in range(METERS)]
    with live_server() as server, ThreadPoolExecutor(METERS + 1) as pool:
        key = Staff(server.url).enrol(1)[0].api_key
        closed = pool.submit(_silent_for, server)
        statuses = list(pool.map(lambda jitter: _two_readings(server, key, PERIOD + jitter), jitters))
        assert statuses == [(201, 201)] * METERS
        assert abs(closed.result() - IDLE_SECONDS) < 2


def _two_readings(server: LiveServer, key: str, apart: float) -> tuple[int, int]:
    """Their statuses; 0 for one that got no reply. As the sketch: one connection, looked at before it is used again."""
    statuses = []
    connection = http.client.HTTPConnection(server.host, server.port, timeout=5)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    for pause in (apart, 0.0):
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()
        try:
            connection.request("POST", INGEST, b'{"w": 1}', headers)
            reply = connection.getresponse()
            reply.read()
            statuses.append(reply.status)
        except OSError:
            statuses.append(0)
        time.sleep(pause)
    connection.close()
    return statuses[0], statuses[1]


def _silent_for(server: LiveServer) -> float:
    """Seconds after a reply until the server closes a connection on which nothing more comes."""
    with socket.create_connection((server.host, server.port), timeout=IDLE_SECONDS * 2) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        idle.recv(4096)
        began = time.monotonic()
        assert idle.recv(4096) == b""
        return time.monotonic() - began
