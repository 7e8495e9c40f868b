"""Two nodes start for the first time, at once, on one empty database: both serve, and there is one operator."""

import time
from contextlib import ExitStack

import psycopg
import pytest

from tests.support.length import length
from tests.support.server import READY_SECONDS, fresh_database, live_server
from tests.support.staff import Staff

pytestmark = pytest.mark.real_server


@pytest.mark.parametrize("round_", range(length(1, 10)))
def test_both_serve(round_: int) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(fresh_database())
        assert url is not None
        nodes = [stack.enter_context(live_server(url, start=False, by_serve=True, WORKERS="1")) for _ in range(2)]
        for node in nodes:
            node.launch()
        until = time.monotonic() + READY_SECONDS
        while not all(node.is_ready() for node in nodes):
            assert all(node.is_running for node in nodes), [node.log_tail() for node in nodes]
            assert time.monotonic() < until
            time.sleep(0.05)
        assert Staff(nodes[round_ % 2].url).sign_in()
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM auth_user").fetchone() == (1,)
        assert sorted("First operator account" in node.log.read_text() for node in nodes) == [False, True]
