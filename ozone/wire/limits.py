"""Rate limits per key, in the memory of this process or in Redis (LIMITS_STORAGE); past one: 429 with Retry-After.

In memory they run on the monotonic clock, which nobody sets, and take a bounded number of entries. The hot limit, a
device's own writes, is not here: docs/decisions/0003 says why.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic
from typing import Final, Protocol

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests, Unavailable

logger = logging.getLogger("ozone.wire")

OUTAGE_SECONDS: Final = 5.0
MOST_KEYS: Final = 10_000
"""How many keys of one limit are remembered, some 2 MB; past it the oldest makes room."""


@lru_cache(maxsize=64)
def rate(text: str) -> tuple[int, int]:
    """The two numbers of an option such as `20/60`: how many, in how many seconds, both at least 1.

    Raises ValueError.
    """
    amount, seconds = map(int, text.split("/"))
    if min(amount, seconds) < 1:
        raise ValueError(f"{text!r} is no rate")
    return amount, seconds


class Windows(Protocol):
    """Counts in windows of fixed length, each beginning with the first hit of its key."""

    def test(self, item: RateLimitItemPerSecond, *key: str) -> bool:
        """Whether one more would be within the limit."""

    def hit(self, item: RateLimitItemPerSecond, *key: str, cost: int = 1) -> bool:
        """Counts `cost`; whether that was within the limit."""

    def clear(self, item: RateLimitItemPerSecond, *key: str) -> None:
        """Forgets the key."""

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        """Seconds until the key's window ends."""


class MemoryWindows:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Windows of one limit are equally long: in the order of their beginning they end.
        self._limits: dict[RateLimitItemPerSecond, dict[tuple[str, ...], tuple[int, float]]] = {}

    def test(self, item: RateLimitItemPerSecond, *key: str) -> bool:
        count, until = self._limits.get(item, {}).get(key, _NOTHING)
        return until <= monotonic() or count < item.amount

    def hit(self, item: RateLimitItemPerSecond, *key: str, cost: int = 1) -> bool:
        now = monotonic()
        with self._lock:
            windows = self._limits.setdefault(item, {})
            count, until = windows.get(key, _NOTHING)
            if until <= now:
                windows.pop(key, None)
                _make_room(windows, now)
                count, until = 0, now + item.get_expiry()
            windows[key] = (max(count + cost, 0), until)
        return count + cost <= item.amount

    def clear(self, item: RateLimitItemPerSecond, *key: str) -> None:
        with self._lock:
            self._limits.get(item, {}).pop(key, None)

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        return self._limits.get(item, {}).get(key, _NOTHING)[1] - monotonic()

    def __len__(self) -> int:
        return sum(map(len, self._limits.values()))


_NOTHING: Final = (0, float("-inf"))


def _make_room(windows: dict[tuple[str, ...], tuple[int, float]], now: float) -> None:
    """Forgets what has ended, and of what has not the first beyond the bound."""
    while windows:
        first = next(iter(windows))
        if windows[first][1] > now and len(windows) < MOST_KEYS:
            return
        del windows[first]


class SharedWindows(FixedWindowRateLimiter):
    """In a storage of several processes, which has a clock of its own."""

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        return self.get_window_stats(item, *key).reset_time - time.time()


@lru_cache(maxsize=4)
def _limiter(storage: str) -> Windows:
    if storage.startswith("memory"):
        return MemoryWindows()
    # Whoever asks may be an event loop or the writer.
    waits = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
    return SharedWindows(storage_from_string(storage, wrap_exceptions=True, **waits))


@lru_cache(maxsize=64)
def _item(name: str, amount: int, seconds: int) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(amount, seconds, namespace=f"ozone-{name}")


class _Outage:
    """Until when the storage is taken for away: one caller in a while finds out, the others do not wait for it."""

    until = 0.0


@contextmanager
def _storage() -> Iterator[None]:
    if monotonic() < _Outage.until:
        raise _unavailable()
    try:
        yield
    except StorageError as error:
        _Outage.until = monotonic() + OUTAGE_SECONDS
        logger.warning("limits: the storage does not answer: %s", error.storage_error)
        raise _unavailable() from None


def _unavailable() -> Unavailable:
    return Unavailable("The server cannot count requests now. Try again.", code="limits_unavailable")


class Limit:
    """One limit of the contract. Raises Unavailable when the storage is away.

    `name`: what it is counted under, of no other limit. `text`: gives its option as it is now, such as `20/60`.
    """

    def __init__(self, name: str, text: Callable[[], str], sentence: str) -> None:
        self.name = name
        self.text = text
        self.sentence = sentence

    def _parts(self) -> tuple[Windows, RateLimitItemPerSecond]:
        return _limiter(options().LIMITS_STORAGE), _item(self.name, *rate(self.text()))

    def check(self, *key: str) -> None:
        """Raises TooManyRequests when the key has used up its share; counts nothing."""
        limiter, item = self._parts()
        with _storage():
            if not limiter.test(item, *key):
                self._refuse(limiter, item, key)

    def count(self, *key: str) -> None:
        """Counts one against the key, and refuses nothing."""
        limiter, item = self._parts()
        with _storage():
            limiter.hit(item, *key)

    def hit(self, *key: str) -> None:
        """Counts one, or raises TooManyRequests."""
        limiter, item = self._parts()
        with _storage():
            if not limiter.hit(item, *key):
                self._refuse(limiter, item, key)

    def refund(self, *key: str) -> None:
        """Takes back one that was counted before its outcome was known."""
        limiter, item = self._parts()
        with _storage():
            limiter.hit(item, *key, cost=-1)

    def clear(self, *key: str) -> None:
        limiter, item = self._parts()
        with _storage():
            limiter.clear(item, *key)

    def _refuse(self, limiter: Windows, item: RateLimitItemPerSecond, key: tuple[str, ...]) -> None:
        raise TooManyRequests(limiter.wait(item, *key), self.sentence)
