"""Two runners at once, both failing now and then: whatever happens is told once."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import pytest
from django.db import OperationalError, transaction

from alerts.incidents.happening import ENDED, OPENED, Happening, announcing
from alerts.incidents.models import Incident
from alerts.runner.passing import Passing
from alerts.tests.fleet import IDLE, MINUTE, Fleet
from tests.support.length import IS_LONG

ROUNDS = 60 if IS_LONG else 3


class Killed(Exception):
    """In the middle of what it does."""


class Ears:
    """What was told, as it was committed; a runner is killed in one of four of its transactions."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, int]] = []
        self._chance = Random(3)
        self._lock = threading.Lock()
        self.kills = 0

    def __call__(self, happenings: Sequence[Happening]) -> None:
        with self._lock:
            is_killed = self._chance.random() < 0.25
            self.kills += is_killed
        said = [(one.type, one.incident.pk, one.incident.times) for one in happenings]
        transaction.on_commit(lambda: self.told.extend(said))
        if is_killed:
            raise Killed


@pytest.fixture
def ears(transactional_db: None, settings: Any) -> Iterator[Ears]:
    settings.STATUS_IDLE_SECONDS = IDLE.total_seconds()
    ears = Ears()
    announcing.append(ears)
    yield ears
    announcing.remove(ears)


@pytest.mark.thorough
def test_nothing_is_told_twice_and_nothing_lost(ears: Ears) -> None:
    some = Fleet(3, 3, 1, 1)
    runners = [Passing(pace=0), Passing(pace=0)]
    dead = [*some.devices[:3], some.devices[3], some.devices[6]]
    try:
        for _ in range(ROUNDS):
            some.go_on_by(runners, 14, dead)
            some.go_on_by(runners, 10, [])
            some.truth += 2 * 60 * MINUTE  # long enough for another one, and the server was down meanwhile
            some.go_on_by(runners, 2, [])
    finally:
        some.close()
    assert {type(failure) for failure in some.failures} <= {Killed, OperationalError}
    times = Counter(ears.told)
    assert ears.kills > ROUNDS
    assert [what for what, number in times.items() if number > 1] == []
    told = Incident.objects.filter(told_at__isnull=False)
    assert {pk for kind, pk, _ in times if kind == OPENED} == set(told.values_list("pk", flat=True))
    assert {pk for kind, pk, _ in times if kind == ENDED} == set(told.values_list("pk", flat=True))
    assert Counter(told.values_list("kind", flat=True)) == {"outlet_silent": ROUNDS, "silent": 2 * ROUNDS}
    assert not Incident.objects.filter(ended_at=None).exists()
