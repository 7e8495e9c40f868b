"""Counters that step to and fro, many presses of one moment: a broken board's, or of somebody who means harm."""

from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.models import Device
from ledger.epochs import account as accounts
from ledger.epochs import reading
from ledger.epochs.services import begin_again, look_into, look_through
from ledger.models import Epoch, Line
from telemetry.events.storing import store_once
from telemetry.models import Machine, MachineDevice
from telemetry.tests.cast import DAY, NOON, event
from tests.support.length import length

MINUTE = timedelta(minutes=1)
_numbers: "count[int]" = count(1)

presses = st.lists(st.tuples(st.sampled_from(["BASIC", "BASIC", "PREMIUM"]), st.integers(1, 12)), max_size=6)
batches = st.lists(st.tuples(st.sampled_from([0, 1, 1, 1, 30]), presses), min_size=1, max_size=10)
"""Minutes since the one before, and what the batch tells."""


def device_of(name: str, *, held: bool) -> Device:
    device = Device.objects.create(device_id=name, name="", created_at=NOON - 100 * DAY)
    if held:
        machine = Machine.objects.create(name=name)
        MachineDevice.objects.create(machine=machine, device=device, assigned_date=NOON - 100 * DAY)
    return device


def shown(device: Device) -> list[Any]:
    of_epochs = Epoch.objects.filter(device=device).order_by("treatment", "number")
    of_lines = Line.objects.filter(device=device).order_by("treatment", "epoch__number", "at", "kind", "first")
    return [
        *of_epochs.values_list("treatment", "number", "cause", "started_at", "ended_at", "base", "last", "presses"),
        *of_lines.values_list("treatment", "epoch__number", "kind", "first", "last", "count", "at"),
    ]


@pytest.mark.thorough
@pytest.mark.django_db
@settings(max_examples=length(15, 400), deadline=None)
@given(batches, st.booleans(), st.sampled_from([2, 7, 5_000]), st.sampled_from([3, 5_000]))
def test_step_by_step_it_is_what_it_is_at_once(told: list[Any], held: bool, at_once: int, of_a_moment: int) -> None:
    device = device_of(f"wild-{next(_numbers)}", held=held)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accounts, "EVENTS_AT_ONCE", at_once)
        patch.setattr(reading, "MOST_OF_A_MOMENT", of_a_moment)
        at = NOON
        for minutes, batch in told:
            at += minutes * MINUTE
            events = [event(device, at, received_at=at, treatment=name, counter=number) for name, number in batch]
            store_once(connection, events)
            look_through(device.pk)
        followed = shown(device)
        patch.setattr(accounts, "EVENTS_AT_ONCE", 5_000)
        begin_again([device.pk])
        look_through(device.pk)
    assert shown(device) == followed


@pytest.mark.django_db
def test_back_at_one_number_twice_in_a_moment() -> None:
    device = device_of("wild", held=True)
    store_once(connection, [event(device, NOON, received_at=NOON, counter=number) for number in (6, 4, 8, 4)])
    look_through(device.pk)
    backs = Line.objects.filter(device=device, kind="back")
    assert [(line.first, line.count) for line in backs] == [(4, 2)]


@pytest.mark.django_db
def test_back_at_a_number_of_the_moment_before() -> None:
    device = device_of("wild", held=True)
    for minute, numbers in ((0, (6, 4, 8)), (1, (4,))):
        at = NOON + minute * MINUTE
        store_once(connection, [event(device, at, received_at=at, counter=number) for number in numbers])
        look_through(device.pk)
    followed = shown(device)
    assert [(line.first, line.count) for line in Line.objects.filter(kind="back").order_by("at")] == [(4, 1), (4, 1)]
    begin_again([device.pk])
    look_through(device.pk)
    assert shown(device) == followed


@pytest.mark.django_db
@pytest.mark.parametrize("anew", [5_000, 1])
def test_steps_that_contradict_each_other_come_to_an_end(monkeypatch: pytest.MonkeyPatch, anew: int) -> None:
    """Of a clock that never was set among presses without a time: in the same steps it would be the same again."""
    device = device_of("wild", held=False)
    for minutes, words, counter in ((5, None, 1), (5, "2012-06-23", 8), (6, "2012-06-23", 6), (36, "2012-06-23", 6)):
        at = NOON + minutes * MINUTE
        store_once(connection, [event(device, at, ts=words, treatment="BASIC", counter=counter)])
    late = event(device, NOON + 68 * MINUTE, ts=(NOON - 400 * DAY).isoformat(), treatment="BASIC", counter=5)
    store_once(connection, [late])
    monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 1)
    monkeypatch.setattr(accounts, "MOST_ANEW", anew)
    assert any(look_into(device.pk) for _ in range(20))
    if anew > 1:  # else it has gone on with what contradicts itself
        followed = shown(device)
        monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 5_000)
        begin_again([device.pk])
        look_through(device.pk)
        assert shown(device) == followed


@pytest.mark.django_db
def test_what_came_with_a_press_without_a_time_is_gone_on_with() -> None:
    """Of a batch with a press that tells no time, and one of a clock that never was set: that one may be the last."""
    device = device_of("wild", held=True)
    came = NOON + MINUTE
    told: tuple[dict[str, Any], ...] = (
        {"ts": None},
        {"ts": (came - MINUTE / 5).isoformat()},
        {"ts": "2012-06-23T12:00:00+00:00"},
    )
    batch = [
        event(device, came, treatment="BASIC", counter=counter, event_id=f"e{counter}", **fields)
        for counter, fields in zip((1, 3, 4), told, strict=True)
    ]
    store_once(connection, batch)
    look_through(device.pk)
    store_once(connection, [event(device, NOON + 30 * MINUTE, treatment="BASIC", counter=9)])
    look_through(device.pk)
    followed = shown(device)
    assert Epoch.objects.filter(device=device).order_by("number").values_list("presses", flat=True).last() == 3
    begin_again([device.pk])
    look_through(device.pk)
    assert shown(device) == followed


@pytest.mark.django_db
def test_of_one_moment_so_many_presses_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are told of one second, neither they nor the press after them takes longer to look into."""
    monkeypatch.setattr(reading, "MOST_OF_A_MOMENT", 20)
    device = device_of("wild", held=True)
    looked_at: list[int] = []
    placed = accounts.placed

    def watch(events: Any) -> list[Any]:
        presses = list(events)
        looked_at.append(len(presses))
        return placed(presses)

    monkeypatch.setattr(accounts, "placed", watch)
    second = (NOON + MINUTE).isoformat()
    store_once(connection, [event(device, NOON, counter=1)])
    for batch in range(10):
        told = [(batch * 50 + place + 2, f"e{batch}-{place}") for place in range(50)]
        at = NOON + 2 * MINUTE + batch * MINUTE
        store_once(connection, [event(device, at, ts=second, counter=number, event_id=name) for number, name in told])
    look_through(device.pk)
    store_once(connection, [event(device, NOON + 60 * MINUTE, counter=600)])
    look_through(device.pk)
    assert looked_at and max(looked_at) < 25
    followed = shown(device)
    (epoch,) = Epoch.objects.filter(device=device)
    assert (epoch.last, epoch.presses) == (600, 22)  # the other presses are missing: it says so
    assert [(line.kind, line.count) for line in Line.objects.filter(device=device)] == [("missing", 578)]
    begin_again([device.pk])
    look_through(device.pk)
    assert shown(device) == followed


@pytest.mark.django_db
def test_of_those_whose_time_nobody_knows_the_first_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many came before the last that a step is about has come."""
    monkeypatch.setattr(reading, "MOST_OF_A_MOMENT", 3)
    device = device_of("wild", held=True)
    for number in range(1, 31):
        at = NOON + number * MINUTE
        store_once(connection, [event(device, at, ts="2012-06-23T12:00:00+00:00", counter=number)])
    facts = reading.facts_of(device.pk)
    assert facts is not None
    assert [told.number for told in reading.read_lost(facts, NOON, NOON + DAY)] == [1, 2, 3, 4, 5, 6]
