"""Conditions that are looked up, not waited for: of all at once, or of some devices at a time.

What is found and not open yet is opened; what is open and not found any more is over. A look at some devices says
nothing of others.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet

from alerts.conditions.found import Condition, Found, Moment, Watched
from alerts.conditions.silence import AT_ONCE, is_waited_for, watched_after
from alerts.conditions.table import CONDITIONS
from alerts.incidents.flips import end_incidents, has_stayed_away, open_incidents
from alerts.incidents.maintenance import Windows
from alerts.incidents.models import Incident
from ozone.intake.written import Among, written

EVERY: Final = 60.0
"""Seconds after which all conditions are looked up again, at the soonest."""

_WHOLE: Final = [condition for condition in CONDITIONS.values() if condition.find]
_SWEPT: Final = [condition for condition in CONDITIONS.values() if condition.sweep]


class _Open(NamedTuple):
    """An incident that is open."""

    pk: int
    subject_key: str
    facts: Any
    is_calm: bool
    may_end: bool


class Standing:
    """What one process remembers: where it is in its round."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._looked = float("-inf")
        self._round: Iterator[None] | None = None
        self._began = float("-inf")
        self._seen: dict[tuple[str, str], float] = {}
        """Of conditions that must last: when each was found first."""
        self._moment: Moment
        self._monotonic = 0.0

    def step(self, moment: Moment, monotonic: float) -> bool:
        """One look, of one condition, so many seconds after the one before; whether another is to come at once."""
        if monotonic - self._looked < self._pace:
            return False
        self._looked = monotonic
        if self._round is None:
            if monotonic - self._began < EVERY:
                return False
            self._began = monotonic
            self._round = self._looks()
        self._moment, self._monotonic = moment, monotonic
        try:
            next(self._round)
        except StopIteration:
            self._round = None
        except BaseException:
            self._round = None  # the next round begins anew: one failing look does not end all others
            raise
        return self._round is not None and not self._pace

    def _looks(self) -> Iterator[None]:
        for condition in _WHOLE:
            assert condition.find is not None
            self._settle(condition, condition.find(self._moment), None)
            yield
        self._drop_unwatched()
        yield
        place = 0
        while watched := watched_after(place):
            place = watched[-1].device
            for condition in _SWEPT:
                for first in range(0, len(watched), condition.at_once):
                    self._sweep(condition, watched[first : first + condition.at_once])
                    yield

    def _sweep(self, condition: Condition, watched: Sequence[Watched]) -> None:
        assert condition.sweep is not None
        found = condition.sweep([one for one in watched if one.is_waited_for], self._moment)
        self._settle(condition, found, [one.device for one in watched])

    def _settle(self, condition: Condition, found: Sequence[Found], devices: Collection[int] | None) -> None:
        now = self._moment.now
        rows = _open(condition.kind, now) if devices is None else _open_of(condition.kind, now, devices)
        there = {one.subject_key: one for one in found if one.is_new}
        unknown = {one.subject_key for one in found if not one.is_new}
        known = {key: _Open(pk, key, json.loads(facts), *flags) for pk, key, facts, *flags in rows}
        over = [one for key, one in known.items() if key not in there and key not in unknown]
        end_incidents([one.pk for one in over if one.may_end], now)
        for key, incident in known.items():
            if key in there and incident.facts != there[key].facts:
                Incident.objects.filter(pk=incident.pk, ended_at=None).update(facts=dict(there[key].facts))
        new = [one for key, one in there.items() if key not in known or known[key].is_calm]
        new = self._lasting(condition, new)
        if condition.is_passing and new:
            told = Incident.objects.filter(kind=condition.kind, subject_key__in=[one.subject_key for one in new])
            once = set(told.values_list("subject_key", flat=True))
            new = [one for one in new if one.subject_key not in once]
        if new:
            open_incidents(new, self._moment, Windows(now))

    def _lasting(self, condition: Condition, new: Sequence[Found]) -> list[Found]:
        """Those that were found long enough ago for the first time. One that is not found in a round begins anew."""
        if not condition.lasting:
            return list(new)
        keys = {(condition.kind, one.subject_key) for one in new}
        for key in [key for key in self._seen if key[0] == condition.kind and key not in keys]:
            del self._seen[key]
        seconds = condition.lasting.total_seconds()
        return [
            one
            for one in new
            if self._monotonic - self._seen.setdefault((condition.kind, one.subject_key), self._monotonic) >= seconds
        ]

    def _drop_unwatched(self) -> None:
        """Of devices that nobody waits for any more no condition is true."""
        kinds = [condition.kind for condition in _SWEPT]
        nobody_waits = Q(device=None) | ~is_waited_for("device__")
        gone = Incident.objects.filter(nobody_waits, kind__in=kinds, ended_at=None)
        end_incidents(gone.values_list("id", flat=True)[:AT_ONCE], self._moment.now)


@written
def _open(kind: str, now: datetime) -> "QuerySet[Any, Any]":
    return _columns(Incident.objects.filter(kind=kind, ended_at=None), now)


@written
def _open_of(kind: str, now: datetime, devices: Collection[int]) -> "QuerySet[Any, Any]":
    return _columns(Incident.objects.filter(Among("device", devices), kind=kind, ended_at=None), now)


def _columns(incidents: "QuerySet[Incident]", now: datetime) -> "QuerySet[Any, Any]":
    """Those of `_Open`."""
    flags = {"is_calm": Q(calm_since__isnull=False), "may_end": Q(calm_since=None) | has_stayed_away(now)}
    told = {name: ExpressionWrapper(flag, BooleanField()) for name, flag in flags.items()}
    return incidents.annotate(**told).order_by().values_list("id", "subject_key", "facts", *flags)
