from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from alerts.tests.fleet import IDLE, NOON, Fleet


@pytest.fixture
def fleet(db: None, settings: Any) -> Iterator[Callable[..., Fleet]]:
    settings.STATUS_IDLE_SECONDS = IDLE.total_seconds()
    made: list[Fleet] = []

    def make(*machines: int, start: datetime = NOON) -> Fleet:
        made.append(Fleet(*machines, start=start))
        return made[-1]

    yield make
    for one in made:
        one.close()
