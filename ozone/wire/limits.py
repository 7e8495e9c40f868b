"""Rate limits per key, in the memory of this process or in Redis (LIMITS_STORAGE); past one: 429 with Retry-After.

A limit counts in windows, or flows: a leaky bucket, for what the contract names by the second. In memory they run on
the monotonic clock, which nobody sets, and take a bounded number of entries. The hot limit, a device's own writes, has
its bucket elsewhere: docs/decisions/0003 says why.
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
from limits.strategies import FixedWindowRateLimiter, MovingWindowRateLimiter

from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests, Unavailable

logger = logging.getLogger("ozone.wire")

OUTAGE_SECONDS: Final = 5.0
MOST_KEYS: Final = 10_000
"""How many keys of one limit are remembered, some 2 MB; past it the oldest makes room."""

_ROUNDING: Final = 1e-6
"""Seconds that a sum of many shares of a second may be off."""


@lru_cache(maxsize=64)
def rate(text: str) -> tuple[int, int]:
    """The two numbers of an option such as `20/60`: how many, in how many seconds, both at least 1.

    Raises ValueError.
    """
    amount, seconds = map(int, text.split("/"))
    if min(amount, seconds) < 1:
        raise ValueError(f"{text!r} is no rate")
    return amount, seconds


def draw(paid_off: float, now: float, amount: int, seconds: float, cost: int = 1) -> tuple[float, float]:
    """One more from a leaky bucket that holds `amount` and fills within `seconds`.

    The bucket is one number: the moment by which all that was drawn is paid off at the steady rate. Returns that moment
    as it is then, and the seconds to wait; 0: it was drawn.
    """
    after = max(paid_off, now) + cost * seconds / amount
    wait = after - now - seconds
    return (paid_off, wait) if wait > _ROUNDING else (after, 0.0)


class Counts(Protocol):
    """What has been counted against each key of each limit."""

    def test(self, item: RateLimitItemPerSecond, *key: str) -> bool:
        """Whether one more would be within the limit."""

    def hit(self, item: RateLimitItemPerSecond, *key: str, cost: int = 1) -> bool:
        """Counts `cost`; whether that was within the limit."""

    def clear(self, item: RateLimitItemPerSecond, *key: str) -> None:
        """Forgets the key."""

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        """Seconds until another would be within the limit again."""


class Memory:
    """By key, a number and the moment from which on nothing is counted against it any more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Of one limit they are in the order of their beginning, or of their last hit: nearly that of their ends.
        self._limits: dict[RateLimitItemPerSecond, dict[tuple[str, ...], tuple[int, float]]] = {}

    def clear(self, item: RateLimitItemPerSecond, *key: str) -> None:
        with self._lock:
            self._limits.get(item, {}).pop(key, None)

    def _found(self, item: RateLimitItemPerSecond, key: tuple[str, ...]) -> tuple[int, float]:
        return self._limits.get(item, {}).get(key, _NOTHING)

    def __len__(self) -> int:
        return sum(map(len, self._limits.values()))


class MemoryWindows(Memory):
    """Windows of fixed length, each beginning with the first hit of its key."""

    def test(self, item: RateLimitItemPerSecond, *key: str) -> bool:
        count, until = self._found(item, key)
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

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        return self._found(item, key)[1] - monotonic()


class MemoryBuckets(Memory):
    """As many at once as the limit says, and then as many a second as it comes to."""

    def test(self, item: RateLimitItemPerSecond, *key: str) -> bool:
        return self.wait(item, *key) == 0

    def hit(self, item: RateLimitItemPerSecond, *key: str, cost: int = 1) -> bool:
        now = monotonic()
        with self._lock:
            buckets = self._limits.setdefault(item, {})
            _, before = buckets.pop(key, _NOTHING)
            paid_off, wait = draw(before, now, item.amount, item.get_expiry(), cost)
            _make_room(buckets, now)
            buckets[key] = (0, paid_off)
        return wait == 0

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        return draw(self._found(item, key)[1], monotonic(), item.amount, item.get_expiry())[1]


_NOTHING: Final = (0, float("-inf"))


def _make_room(counted: dict[tuple[str, ...], tuple[int, float]], now: float) -> None:
    """Forgets what has ended, and of what has not the first beyond the bound."""
    while counted:
        first = next(iter(counted))
        if counted[first][1] > now and len(counted) < MOST_KEYS:
            return
        del counted[first]


class SharedWindows(FixedWindowRateLimiter):
    """In a storage of several processes, which has a clock of its own."""

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        return self.get_window_stats(item, *key).reset_time - time.time()


class SharedFlows(MovingWindowRateLimiter):
    """The same for what flows. The library has no bucket: what moves is the window, in which never are more."""

    def wait(self, item: RateLimitItemPerSecond, *key: str) -> float:
        return self.get_window_stats(item, *key).reset_time - time.time()


_MEMORY: Final = "memory"


def are_shared() -> bool:
    """Whether who asks a limit may have to wait for another server, for a quarter of a second: not an event loop."""
    return not options().LIMITS_STORAGE.startswith(_MEMORY)


@lru_cache(maxsize=4)
def _limiter(storage: str, flows: bool) -> Counts:
    if storage.startswith(_MEMORY):
        return MemoryBuckets() if flows else MemoryWindows()
    waits = {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
    return (SharedFlows if flows else SharedWindows)(storage_from_string(storage, wrap_exceptions=True, **waits))


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
    `flows`: 200/10 are 200 at once and 20 a second from then on, not 200 in each ten seconds. `is_own`: it is counted
    in this process whatever LIMITS_STORAGE says; devices' readings and events wait for no other server.
    """

    def __init__(
        self, name: str, text: Callable[[], str], sentence: str, *, flows: bool = False, is_own: bool = False
    ) -> None:
        self.name = name
        self.text = text
        self.sentence = sentence
        self.flows = flows
        self.is_own = is_own

    def _parts(self) -> tuple[Counts, RateLimitItemPerSecond]:
        storage = _MEMORY if self.is_own else options().LIMITS_STORAGE
        return _limiter(storage, self.flows), _item(self.name, *rate(self.text()))

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

    def _refuse(self, limiter: Counts, item: RateLimitItemPerSecond, key: tuple[str, ...]) -> None:
        raise TooManyRequests(limiter.wait(item, *key), self.sentence)
