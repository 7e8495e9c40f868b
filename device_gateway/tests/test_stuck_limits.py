"""While the server that counts for several processes says nothing, devices are served as ever."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pytest_django import Settings

from device_gateway.tests.conftest import CLAIM, INGEST, Meter
from ozone.wire import limits
from ozone.wire.limits import MemoryWindows
from tests.support.doors import Door


class Stuck(MemoryWindows):
    """Does not answer until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.answers = threading.Event(), threading.Event()

    def hit(self, *args: Any, **named: Any) -> bool:
        self.asked.set()
        assert self.answers.wait(10)
        return super().hit(*args, **named)


@pytest.fixture
def stuck(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    settings.LIMITS_STORAGE, settings.LEGACY_INGEST = "redis://elsewhere", "on"
    stuck, own = Stuck(), MemoryWindows()
    find = lambda storage, _: own if storage.startswith("memory") else stuck  # noqa: E731
    find.cache_clear = lambda: None  # type: ignore[attr-defined]
    monkeypatch.setattr(limits, "_limiter", find)
    yield stuck
    stuck.answers.set()


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/api/handshake", {"mac": "02:00:00:00:00:01"}, 200),
        (CLAIM, {"token": "unknown"}, 400),
        (CLAIM, {"token": 7}, 400),
    ],
)
def test_nobody_waits_for_who_waits_for_it(
    door: Door, meter: Meter, stuck: Stuck, path: str, body: Any, status: int
) -> None:
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(door.post, path, body)
        assert stuck.asked.wait(10)
        assert meter.send(door).status == 201
        assert door.post(INGEST, {}, "unknown").status == 401
        assert door.post("/api/iot", {"mode": "BASIC", "macaddr": "02:00:00:00:00:02", "count1": 1}).status == 200
        assert not waiting.done()
        stuck.answers.set()
        assert waiting.result(10).status == status
