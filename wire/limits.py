"""Rate limits per key, in the memory of this process or in Redis (LIMITS_STORAGE); past one: 429 with Retry-After.

The hot limit, a device's own writes, is not here: docs/decisions/0003 says why.
"""

import time
from functools import lru_cache

from limits import RateLimitItemPerSecond
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from wire.conf import option
from wire.errors import TooManyRequests


def rate(name: str) -> tuple[int, int]:
    """The option's two numbers: how many, in how many seconds. Raises ValueError."""
    return _parse(option(name))


@lru_cache(maxsize=64)
def _parse(text: str) -> tuple[int, int]:
    amount, seconds = text.split("/")
    return int(amount), int(seconds)


@lru_cache(maxsize=4)
def _limiter(storage: str) -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(storage_from_string(storage))


@lru_cache(maxsize=64)
def _item(name: str, amount: int, seconds: int) -> RateLimitItemPerSecond:
    return RateLimitItemPerSecond(amount, seconds, namespace=f"ozone-{name.lower()}")


class Limit:
    """One limit of the contract, by the name of its option."""

    def __init__(self, name: str, sentence: str) -> None:
        self.name = name
        self.sentence = sentence

    def _parts(self) -> tuple[FixedWindowRateLimiter, RateLimitItemPerSecond]:
        return _limiter(option("LIMITS_STORAGE")), _item(self.name, *rate(self.name))

    def check(self, *key: str) -> None:
        """Raises TooManyRequests when the key has used up its share; counts nothing."""
        limiter, item = self._parts()
        if not limiter.test(item, *key):
            self._refuse(limiter, item, key)

    def count(self, *key: str) -> None:
        """Counts one against the key, and refuses nothing."""
        limiter, item = self._parts()
        limiter.hit(item, *key)

    def hit(self, *key: str) -> None:
        """Counts one, or raises TooManyRequests."""
        limiter, item = self._parts()
        if not limiter.hit(item, *key):
            self._refuse(limiter, item, key)

    def clear(self, *key: str) -> None:
        limiter, item = self._parts()
        limiter.clear(item, *key)

    def _refuse(self, limiter: FixedWindowRateLimiter, item: RateLimitItemPerSecond, key: tuple[str, ...]) -> None:
        raise TooManyRequests(limiter.get_window_stats(item, *key).reset_time - time.time(), self.sentence)
