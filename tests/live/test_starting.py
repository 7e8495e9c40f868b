"""Told to end while it starts, at whatever moment: the server ends, in order and without a word."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.length import IS_LONG
from tests.support.server import END_SECONDS, LiveServer, fresh_database, live_server

pytestmark = [pytest.mark.real_server, pytest.mark.alike]


SLOW = """
import asyncio, pathlib, time
from granian.asgi import LifespanProtocol
from granian.server import mp

send = LifespanProtocol.send

async def stalling(self, message):
    await send(self, message)
    asyncio.get_running_loop().call_soon(time.sleep, 0.5)

LifespanProtocol.send = stalling

make_scheduler = mp._new_cbscheduler

def slowly(*arguments, **named):
    pathlib.Path({mark!r}).touch()
    time.sleep(1)
    return make_scheduler(*arguments, **named)

mp._new_cbscheduler = slowly
pathlib.Path({begun!r}).touch()
"""
"""Between two runs of its event loop a worker hears no signal. That takes a millisecond; here a second, after half a
second in which the first run stalls. All this is read before the first line of ours, and on a busy machine takes long;
Python's own Ctrl-C until then is not ours."""


@pytest.fixture(scope="module")
def mark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is there when a worker is between two runs of its event loop."""
    folder = tmp_path_factory.mktemp("slow")
    (folder / "sitecustomize.py").write_text(SLOW.format(mark=str(folder / "mark"), begun=str(folder / "begun")))
    return folder / "mark"


@pytest.fixture(scope="module")
def server(mark: Path) -> Iterator[LiveServer]:
    """It has served, and serves again after all that."""
    with fresh_database() as url, live_server(url, by_serve=True, PYTHONPATH=str(mark.parent)) as server:
        server.stop()
        yield server
        server.start()


@pytest.mark.parametrize(
    ("moment", "ctrl_c"),
    [
        pytest.param(moment, ctrl_c, id=f"{moment}, {'Ctrl-C' if ctrl_c else 'SIGTERM'}")
        for number, moment in enumerate([0.3, 0.6, 1.2, 1.8, "its worker is born", "its loop pauses"])
        for ctrl_c in (False, True)
        # By day each of the times once, for the one or the other.
        if IS_LONG or isinstance(moment, str) or ctrl_c is bool(number % 2)
    ],
)
def test_told_to_end(server: LiveServer, mark: Path, moment: float | str, ctrl_c: bool) -> None:
    said = len(server.log.read_text())
    begun = mark.with_name("begun")
    for file in (mark, begun):
        file.unlink(missing_ok=True)
    server.launch()
    while not begun.exists():
        assert server.is_running
        time.sleep(0.001)
    if isinstance(moment, float):
        time.sleep(moment)
    else:
        # Newly born, a worker has its parent's handlers of signals, which do nothing in it.
        while not (mark.exists() if moment == "its loop pauses" else server.workers):
            assert server.is_running
            time.sleep(0.001)
    server.tell_to_end(ctrl_c)
    assert server.wait() < END_SECONDS
    log = server.log.read_text()[said:]
    assert "refused to gracefully stop" not in log  # nor was it killed after five seconds
    assert "Traceback" not in log
