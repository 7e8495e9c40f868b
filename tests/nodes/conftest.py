"""Two application nodes on one PostgreSQL, each a server with a process of its own; for the run on PostgreSQL only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.server import LiveServer, fresh_database, live_server
from tests.support.staff import Staff

collect_ignore_glob = [] if os.environ.get("DATABASE_URL", "").startswith("postgres") else ["test_*"]


@contextmanager
def two_nodes(url: str, **settings: str) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Both on the database of that URL, without limits that one machine's tests would meet."""
    named: dict[str, Any] = {
        "WORKERS": "1",
        "LIMIT_HANDSHAKES": "100000/1",
        "LIMIT_DEVICE_WRITES": "100000/1",
        **settings,
    }
    with live_server(url, **named) as first, live_server(url, **named) as second:
        yield first, second


@pytest.fixture(scope="session")
def nodes() -> Iterator[tuple[LiveServer, LiveServer]]:
    with fresh_database() as url:
        assert url is not None
        with two_nodes(url) as both:
            yield both


@pytest.fixture(scope="session")
def staff(nodes: tuple[LiveServer, LiveServer]) -> Staff:
    """Signed in at the first node."""
    staff = Staff(nodes[0].url)
    staff.sign_in()
    return staff


def enrol(staff: Staff, mac: str) -> str:
    """The token of an assigned machine of that MAC; a busy server is asked again, as devices do."""
    answer = staff.call("POST", "/api/handshake/", {"mac": mac})
    while answer.status == 503:
        answer = staff.call("POST", "/api/handshake/", {"mac": mac})
    assert answer.status == 200, answer.body
    changed = staff.call("PATCH", f"/api/devices/{mac}/", {"assigned": True}, bearer=staff.sign_in())
    assert changed.status == 200, changed.body
    return str(answer.json()["token"])
