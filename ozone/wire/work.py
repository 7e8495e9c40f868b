"""Whether anybody still waits for what a thread is doing.

Who runs a request in a thread gives it a Work, and stops that when the client has left: a statement under way is
interrupted, and code between two statements asks by `stop_if_left`.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from ozone.wire.errors import Unavailable

PASS_ON_SECONDS: Final = 0.001
"""After so long a thread that computes passes Python's lock on, where none computes for people: instead of five
milliseconds. A device's reply takes the lock a dozen times. (A fifth of this costs a tenth of the readings.)"""
SOON_SECONDS: Final = 0.0001
"""And where some do. The writer takes the lock for each statement; a follower or a large body would hold it each time.
(Beside the ledger's a quarter more events than with a millisecond, and large batches stored in half the time.)"""
_here = threading.local()


class Computing:
    """How many threads work for people now, or behind their backs. A device's reply stands in line behind each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads = 0

    def __enter__(self) -> None:
        self._change(1)

    def __exit__(self, *_: object) -> None:
        self._change(-1)

    def _change(self, by: int) -> None:
        with self._lock:
            self._threads += by
            sys.setswitchinterval(SOON_SECONDS if self._threads else PASS_ON_SECONDS)


computing: Final = Computing()


class Work:
    """What one client waits for. `interrupt` makes its thread's statement fail; it runs in the stopper's thread."""

    def __init__(self, *, is_dropped: bool = False) -> None:
        """`is_dropped`: when its client leaves it is not done at all, as what changes something would be."""
        self.has_left = False
        self._is_dropped = is_dropped
        self._interrupt: Callable[[], None] | None = None
        self._lock = threading.Lock()

    @property
    def is_off(self) -> bool:
        """Whether it need not be done any more."""
        return self._is_dropped and self.has_left

    @contextmanager
    def in_this_thread(self, interrupt: Callable[[], None]) -> Iterator[None]:
        with self._lock:
            self._interrupt = interrupt
        _here.work = self
        try:
            yield
        finally:
            _here.work = None
            with self._lock:  # an interrupt under way ends before the thread has other work
                self._interrupt = None

    def stop(self) -> None:
        """From any thread that may wait: the client has left."""
        self.has_left = True
        with self._lock:
            if self._is_dropped and self._interrupt is not None:
                self._interrupt()


def stop_if_left() -> None:
    """Raises Unavailable, which nobody will read, where the client of this thread's work has left."""
    work: Work | None = getattr(_here, "work", None)
    if work is not None and work.is_off:
        raise Unavailable("Nobody waits for this any more.")
