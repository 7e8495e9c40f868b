"""Heavy reads: statistics, analytics, history, exports. A few at once of each person and in all; the rest wait a
little, and are then told when to come again.

The server runs what is marked so in threads of its own: `has_marked_path` knows the addresses. Whoever waits here holds
up nobody who signs in or opens a page.
"""

import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from time import monotonic
from typing import Any, Final, TypeVar

from django.http import StreamingHttpResponse
from django.urls import URLPattern, get_resolver

from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests
from ozone.wire.work import stop_if_left

MOST_WAITING: Final = 4
"""How many of one person may wait; more are refused at once."""
RETRY_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.25
"""How often one that waits looks whether its client has left."""

View = TypeVar("View", bound=Callable[..., Any])


class Places:
    """Who reads now, and who waits for a place. One person has at most HEAVY_READS_PERSON, all HEAVY_READS."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._reading: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()

    @contextmanager
    def one(self, person: str) -> Iterator[None]:
        """A place for the length of the block. Raises TooManyRequests after HEAVY_WAIT_SECONDS without one."""
        self.take(person)
        try:
            yield
        finally:
            self.leave(person)

    def take(self, person: str) -> None:
        until = monotonic() + options().HEAVY_WAIT_SECONDS
        with self._changed:
            if not self._is_free(person) and self._waiting[person] >= MOST_WAITING:
                raise _refusal()
            self._waiting[person] += 1
            try:
                while not self._is_free(person):
                    if monotonic() >= until:
                        raise _refusal()
                    self._changed.wait(LOOK_SECONDS)
                    stop_if_left()
                self._reading[person] += 1
            finally:
                self._waiting[person] -= 1
                if not self._waiting[person]:
                    del self._waiting[person]

    def leave(self, person: str) -> None:
        with self._changed:
            self._reading[person] -= 1
            if not self._reading[person]:
                del self._reading[person]
            self._changed.notify_all()

    def _is_free(self, person: str) -> bool:
        return (
            self._reading[person] < options().HEAVY_READS_PERSON and sum(self._reading.values()) < options().HEAVY_READS
        )


places: Final = Places()


def _refusal() -> TooManyRequests:
    return TooManyRequests(RETRY_SECONDS, "Too many heavy reads at once.")


def person_of(caller: Any) -> str:
    """A person, who is the same one by a page and by the API, or a device that reads what it has sent."""
    return f"{caller.__class__.__name__} {caller.pk or getattr(caller, 'device_pk', '')}"


def heavy_stream(caller: Any, make: Callable[[], StreamingHttpResponse]) -> StreamingHttpResponse:
    """A stream that has a place until it is closed. Raises TooManyRequests."""
    places.take(person := person_of(caller))
    try:
        response = make()
    except BaseException:
        places.leave(person)
        raise
    response._resource_closers.append(partial(places.leave, person))  # type: ignore[attr-defined]
    return response


def heavy(view: View) -> View:
    """Marks a view that takes a place; the view itself does that."""
    view.is_heavy = True  # type: ignore[attr-defined]
    return view


def hashes_passwords(view: View) -> View:
    """Marks a view that may hash a password, which takes a fifth of a second of a processor."""
    view.is_hashing = True  # type: ignore[attr-defined]
    return view


def has_marked_path(mark: str) -> Callable[[str], bool]:
    """Whether a path is that of a view with this mark: `is_heavy`, `is_hashing` or `speaks_for_many`."""
    found = "|".join(sorted(set(_marked_patterns(mark, get_resolver().url_patterns, "/"))))
    matches = re.compile(found).fullmatch
    return lambda path: bool(found) and matches(path) is not None


def _marked_patterns(mark: str, patterns: list[Any], before: str) -> Iterator[str]:
    for item in patterns:
        pattern = before + item.pattern.regex.pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z")
        if not isinstance(item, URLPattern):
            yield from _marked_patterns(mark, item.url_patterns, pattern)
        elif any(getattr(view, mark, False) for view in (item.callback, getattr(item.callback, "cls", None))):
            yield re.sub(r"\?P<\w+>", "?:", pattern)
