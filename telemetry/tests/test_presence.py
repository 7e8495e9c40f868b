"""Presence in its three forms, at each threshold and a second either side."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from django.db import connection
from django.db.models import QuerySet
from pytest_django.fixtures import Settings

from device_gateway.models import Device, DeviceState
from device_gateway.states import last_heard, later_of
from ozone.intake.sql import moment
from telemetry import presence as rules
from telemetry.models import Machine
from telemetry.presence import (
    Presence,
    is_polling,
    moments,
    presence,
    presence_is,
    presence_order,
)
from tests.support.kept import Kept

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ONLINE, IDLE, POLLING = timedelta(minutes=16), timedelta(hours=1), timedelta(seconds=90)
AHEAD = timedelta(minutes=-1)
"""A clock of another process may be ahead; further than this one was wrong."""

STEPS = (-SECOND, 0 * SECOND, SECOND)
SILENCES = [
    timedelta(hours=-3),
    AHEAD - SECOND,
    AHEAD,
    -SECOND,
    0 * SECOND,
    *(edge + step for edge in (POLLING, ONLINE, IDLE) for step in STEPS),
]
HEARD = [(poll, seen) for poll in (None, *SILENCES) for seen in (None, 0 * SECOND, ONLINE + SECOND, IDLE + SECOND)]
HEARD += [(None, seen) for seen in SILENCES]


def expected(poll: timedelta | None, seen: timedelta | None) -> str:
    silence = seen if poll is None else poll
    if silence is None or silence > IDLE or silence < AHEAD:
        return "offline"
    return "online" if silence <= ONLINE else "idle"


def before_noon(silence: timedelta | None) -> datetime | None:
    return None if silence is None else NOON - silence


@dataclass
class States:
    """A device in a machine for each combination of silences, by its number."""

    silences: dict[int, tuple[timedelta | None, timedelta | None]]

    @classmethod
    def make(cls) -> "States":
        made = {}
        for poll, seen in HEARD:
            device = Device.objects.create(name="unit", assigned=True)
            DeviceState.objects.filter(device=device).update(last_poll=before_noon(poll), last_seen=before_noon(seen))
            Machine.objects.create(name="machine", device=device)
            made[device.pk] = (poll, seen)
        return cls(made)


_KEPT: Final = Kept(States.make)


@pytest.fixture
def states(db: None) -> dict[int, tuple[timedelta | None, timedelta | None]]:
    return _KEPT.lay().silences


def in_sql(expression: str) -> dict[int, Any]:
    given = {name: moment(connection, at) for name, at in moments(NOON).items() if f"%({name})s" in expression}
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT device_id, {expression} FROM device_gateway_devicestate", given)
        return dict(cursor.fetchall())


def in_queries(rows: "QuerySet[Any]", key: str, device: str = "") -> dict[int, str]:
    said: dict[int, str] = {}
    for status in Presence:
        found = rows.filter(presence_is(status, NOON, device)).values_list(key, flat=True)
        assert said.keys().isdisjoint(found)
        said |= dict.fromkeys(found, status.value)
    return said


def test_the_three_forms_say_the_same(states: dict[int, Any]) -> None:
    wanted = {device: expected(*silences) for device, silences in states.items()}
    assert set(wanted.values()) == {"online", "idle", "offline"}
    for state in DeviceState.objects.all():
        assert presence(state.last_poll, state.last_seen, NOON) == wanted[state.device_id]
    assert in_queries(Device.objects.all(), "pk") == wanted
    assert in_queries(Machine.objects.all(), "device", "device__") == wanted
    assert in_sql(rules.PRESENCE_SQL) == wanted


@pytest.mark.each_case
@pytest.mark.thorough
@pytest.mark.parametrize(("online", "idle"), [(0, 0), (30, 30), (5, 3600), (3600, 5)])
def test_whatever_the_thresholds(states: dict[int, Any], settings: Settings, online: int, idle: int) -> None:
    """Also where an operator has them the wrong way round: nobody is idle then."""
    settings.STATUS_ONLINE_SECONDS, settings.STATUS_IDLE_SECONDS = online, idle
    wanted = {s.device_id: presence(s.last_poll, s.last_seen, NOON).value for s in DeviceState.objects.all()}
    assert in_queries(Device.objects.all(), "pk") == wanted == in_sql(rules.PRESENCE_SQL)


def test_last_heard_is_the_newest_word(states: dict[int, Any]) -> None:
    """Whichever of poll and message came later; in Python and in queries."""
    told = [silences for silences in states.values() if None not in silences]
    assert {poll < seen for poll, seen in told} == {True, False}
    wanted = {}
    for device, silences in states.items():
        known = [silence for silence in silences if silence is not None]
        wanted[device] = before_noon(min(known)) if known else None
    for state in DeviceState.objects.all():
        assert later_of(state.last_poll, state.last_seen) == wanted[state.device_id]
    assert dict(Device.objects.annotate(heard=last_heard()).values_list("pk", "heard")) == wanted
    machines = Machine.objects.annotate(heard=last_heard("device__")).values_list("device", "heard")
    assert dict(machines) == wanted


def test_the_order_of_presence(states: dict[int, Any]) -> None:
    places = dict(Device.objects.annotate(place=presence_order(NOON)).values_list("pk", "place"))
    assert places == {
        device: ["online", "idle", "offline"].index(expected(*silences)) for device, silences in states.items()
    }


def test_polling(states: dict[int, Any]) -> None:
    wanted = {device: poll is not None and AHEAD <= poll <= POLLING for device, (poll, _) in states.items()}
    assert len(set(wanted.values())) == 2
    for state in DeviceState.objects.all():
        assert is_polling(state.last_poll, NOON) == wanted[state.device_id]
