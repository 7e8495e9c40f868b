"""How many bytes of bodies this process keeps for requests that are not under way yet: one bound for all of them."""

import threading
from types import TracebackType
from typing import Final

from ozone.wire.conf import options
from ozone.wire.errors import Unavailable


class HeldBytes:
    """Bytes of one request that are kept; let go at the end of the block."""

    def __init__(self, of: "WaitingBodies") -> None:
        self._of = of
        self._size = 0

    def add(self, size: int) -> None:
        """Raises Unavailable where the process keeps too many already."""
        self._of.take(size)
        self._size += size

    def __enter__(self) -> "HeldBytes":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._of.give_back(self._size)


class WaitingBodies:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.size = 0

    def hold(self) -> HeldBytes:
        return HeldBytes(self)

    def take(self, size: int) -> None:
        with self._lock:
            if self.size + size > options().WAITING_BODY_BYTES:
                raise Unavailable("Too many bodies are waiting. Send it again.", code="too_many_bodies")
            self.size += size

    def give_back(self, size: int) -> None:
        with self._lock:
            self.size -= size


waiting_bodies: Final = WaitingBodies()
