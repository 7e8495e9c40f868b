"""What the first page has to look through all devices for. Of a large fleet that takes seconds: it is found beside
those who look, and kept, with its moment."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db import connection
from django.utils import timezone

from device_gateway.registry.queries import visible_devices
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
"""What nobody has looked at for so long is not shown again: who comes then sees the rest of the page, as the first one
does."""
FIRST_SECONDS: Final = 1.0
"""How long whoever has begun the search waits for it; those after them look again."""
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


def fleet_of(actor: Any, span: Span) -> Fleet | None:
    """The actor's fleet now; of a large one at most as long ago as OLDEST_SECONDS, and None while it is looked through
    for the first time."""
    scope = scope_of(actor)
    return _kept.get((scope, span), lambda: _found(scope, span, timezone.now()), lambda: _is_large(scope))


def _is_large(scope: Scope) -> bool:
    return visible_devices(scope).order_by()[:LARGE].count() >= LARGE


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

    def find(self, find: Callable[[], Fleet]) -> None:
        """One that is not large any more is not kept, nor is the one before it."""
        began = time.monotonic()
        fleet = find()
        self.fleet = fleet if fleet.is_large else None
        self.found_at = time.monotonic()
        self.due = _next_step(self.found_at - began)

    @property
    def is_due(self) -> bool:
        return time.time() >= self.due

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
    """Large fleets, each looked through by one thread at a time, for which nobody waits. A small one is found by
    whoever looks, as it is then."""

    def __init__(self) -> None:
        self._places: dict[tuple[Scope, Span], _Place] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[Scope, Span], find: Callable[[], Fleet], is_large: Callable[[], bool]) -> Fleet | None:
        """What `find` finds, or found; None where that takes longer than FIRST_SECONDS for the first time. `is_large`
        says without delay whether it is to be kept."""
        with self._lock:
            place = self._places.get(key)
        fleet = place.known() if place is not None else None
        if fleet is None and not is_large():
            return find()
        if place is None:
            place = self._new(key)
        is_due = place.is_due or (fleet is None and place.fleet is not None)
        if is_due and place.finding.acquire(blocking=False):
            try:
                threading.Thread(target=_again, args=(place, find), name="large-fleet", daemon=True).start()
            except RuntimeError:
                place.finding.release()  # no thread is to be had now: one of the next looks begins it
            if fleet is None and place.finding.acquire(timeout=FIRST_SECONDS):
                place.finding.release()
                fleet = place.known()
        return fleet

    def _new(self, key: tuple[Scope, Span]) -> _Place:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            while len(self._places) > _MOST:
                del self._places[next(iter(self._places))]
        return place


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
