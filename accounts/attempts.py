"""A limit on what is tried: counted before the outcome is known, so that many tries at once are no way past it."""

from wire.limits import Limit


class Attempts(Limit):
    """`hit` before the attempt; `refund` when it turns out to be none that should count."""

    def refund(self, *key: str) -> None:
        """Takes one count back."""
        limiter, item = self._parts()
        limiter.hit(item, *key, cost=-1)
