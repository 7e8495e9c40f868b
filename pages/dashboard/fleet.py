"""What the first page has to look through all devices for. Of a large fleet that takes seconds: it is kept, with its
moment, and found anew beside those who look."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils import timezone

from pages.dashboard.earned import Morning, Span, morning
from pages.dashboard.screen import Overview, QuietRow, Waiting, held_up, overview, quiet_rows, waiting
from pages.kit.version import Scope, scope_of

LARGE: Final = 50_000
"""Devices that somebody sees; of fewer everything is as it is at the moment of a look."""
REST_SECONDS: Final = 30.0
"""The next search of a large fleet begins with a look after the next such step of the clock: in all processes that
people's looks come to, so that they tell the same."""
REST_SHARE: Final = 10
"""A search that takes long makes the steps longer, twice, four times …: they are so many times as long as it took."""
OLDEST_SECONDS: Final = 600.0
"""What nobody has looked at for so long is not shown again: who comes then waits, as the first one does."""
_MOST: Final = 32
"""Fleets kept, of other people or other days; the one found first makes room."""

logger = logging.getLogger(__name__)


class Fleet(NamedTuple):
    """Of the devices that somebody sees, at `at`."""

    at: datetime
    overview: Overview
    quiet: tuple[tuple[int, QuietRow], ...]
    waiting: tuple[Waiting, ...]
    earned: Morning

    @property
    def is_large(self) -> bool:
        return self.overview.devices >= LARGE


def fleet_of(actor: Any, span: Span) -> Fleet:
    """The actor's fleet now; of a large one at most as long ago as OLDEST_SECONDS."""
    scope = scope_of(actor)
    return _kept.get((scope, span), lambda: _found(scope, span, timezone.now()))


def _found(scope: Scope, span: Span, now: datetime) -> Fleet:
    return Fleet(
        now,
        overview(scope, now),
        tuple(quiet_rows(scope, now)),
        tuple(waiting(now) if scope.is_staff else held_up(scope)),
        morning(scope, span, now),
    )


class _Place:
    """Where one fleet is kept. `finding` is held by whoever looks through it."""

    def __init__(self) -> None:
        self.finding = threading.Lock()
        self.fleet: Fleet | None = None
        self.found_at = self.due = 0.0
        """By the clock that nobody sets; by the one that all nodes share."""

    def find(self, find: Callable[[], Fleet]) -> Fleet:
        """One that is not large any more is not kept, nor is the one before it."""
        began = time.monotonic()
        fleet = find()
        self.fleet = fleet if fleet.is_large else None
        self.found_at = time.monotonic()
        self.due = _next_step(self.found_at - began)
        return fleet

    def known(self) -> Fleet | None:
        is_old = time.monotonic() - self.found_at > OLDEST_SECONDS
        return None if is_old else self.fleet


def _next_step(took: float) -> float:
    """When the next search may begin, by the clock of all nodes; `took`: seconds of the last one."""
    step = REST_SECONDS
    while step < REST_SHARE * took:
        step *= 2
    return (time.time() // step + 1) * step


class Kept:
    """Large fleets, each looked through by one thread at a time; whoever is the first to see one waits for it."""

    def __init__(self) -> None:
        self._places: dict[tuple[Scope, Span], _Place] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[Scope, Span], find: Callable[[], Fleet]) -> Fleet:
        with self._lock:
            place = self._places.get(key)
        if place is None or (fleet := place.known()) is None:
            return self._first(key, find)
        if time.time() >= place.due and place.finding.acquire(blocking=False):
            try:
                threading.Thread(target=_again, args=(place, find), name="large-fleet", daemon=True).start()
            except RuntimeError:
                place.finding.release()  # no thread is to be had now: one of the next looks begins it
        return fleet

    def _first(self, key: tuple[Scope, Span], find: Callable[[], Fleet]) -> Fleet:
        with self._lock:
            place = self._places.setdefault(key, _Place())
        with place.finding:
            fleet = place.known() or place.find(find)
        with self._lock:
            if not fleet.is_large and self._places.get(key) is place:
                del self._places[key]
            while len(self._places) > _MOST:
                del self._places[next(iter(self._places))]
        return fleet


def _again(place: _Place, find: Callable[[], Fleet]) -> None:
    try:
        place.find(find)
    except Exception:
        logger.exception("the fleet could not be looked through; what was found before stays")
        place.due = _next_step(0.0)
    finally:
        place.finding.release()
        connection.close()


_kept: Final = Kept()
