"""Pauses of whoever writes much, in one transaction after another: what devices send is written in them.

SQLite has one writer. The devices' waits for a transaction that is under way, and where the next one follows at once it
soon waits for that, too, and all of its replies with it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from ozone.intake.turns import waited

LEAST: Final = 0.005
"""Seconds: the writer looks every few milliseconds whether SQLite is free."""


class Pauses:
    """Of one piece of work, in one thread; each is `times` as long as the step before it, less its wait for SQLite."""

    def __init__(self, times: float = 1.0) -> None:
        self._times = times
        self._next = 0.0

    @contextmanager
    def step(self) -> Iterator[None]:
        """A step, which begins when the pause after the one before is over."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        began = time.monotonic() - waited()
        try:
            yield
        finally:
            ended = time.monotonic()
            self._next = ended + max(LEAST, self._times * (ended - waited() - began))
