"""Rate limits per key, in the memory of this process or in Redis (LIMITS_STORAGE); past one: 429 with Retry-After.

The hot limit, a device's own writes, is not here: docs/decisions/0003 says why.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from limits import RateLimitItemPerSecond
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests, Unavailable

logger = logging.getLogger("ozone.wire")

OUTAGE_SECONDS: Final = 5.0


@lru_cache(maxsize=64)
def rate(text: str) -> tuple[int, int]:
    """The two numbers of an option such as `20/60`: how many, in how many seconds, both at least 1.

    Raises ValueError.
    """
    amount, seconds = map(int, text.split("/"))
    if min(amount, seconds) < 1:
        raise ValueError(f"{text!r} is no rate")
    return amount, seconds


@lru_cache(maxsize=4)
def _limiter(storage: str) -> FixedWindowRateLimiter:
    # The time-outs are Redis's: whoever asks may be an event loop or the writer.
    waits: dict[str, Any] = (
        {} if storage.startswith("memory") else {"socket_timeout": 0.25, "socket_connect_timeout": 0.25}
    )
    return FixedWindowRateLimiter(storage_from_string(storage, wrap_exceptions=True, **waits))


@lru_cache(maxsize=64)
def _item(name: str, amount: int, seconds: int) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(amount, seconds, namespace=f"ozone-{name}")


class _Outage:
    """Until when the storage is taken for away: one caller in a while finds out, the others do not wait for it."""

    until = 0.0


@contextmanager
def _storage() -> Iterator[None]:
    if time.monotonic() < _Outage.until:
        raise _unavailable()
    try:
        yield
    except StorageError as error:
        _Outage.until = time.monotonic() + OUTAGE_SECONDS
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

    def _parts(self) -> tuple[FixedWindowRateLimiter, RateLimitItemPerSecond]:
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

    def _refuse(self, limiter: FixedWindowRateLimiter, item: RateLimitItemPerSecond, key: tuple[str, ...]) -> None:
        raise TooManyRequests(limiter.get_window_stats(item, *key).reset_time - time.time(), self.sentence)
