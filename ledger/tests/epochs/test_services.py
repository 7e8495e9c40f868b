"""What is kept agrees with what happened, and with what all of it would give at once, in whatever steps it came."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final, NamedTuple

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from device_gateway.models import Device
from ledger.epochs import account
from ledger.epochs.services import begin_again, look_through, touched_devices
from ledger.models import Epoch, Line
from telemetry.events.storing import store_once
from telemetry.models import Command, Machine, MachineDevice
from telemetry.statuses.storing import touch_statuses
from telemetry.tests.cast import DAY, NOON, event
from tests.support.length import length

BEGAN: Final = NOON - 20 * DAY
TREATMENTS: Final = ("BASIC", "PREMIUM")
_names: "count[int]" = count(1)


class Told(NamedTuple):
    """A press that reaches the server. `life`: between which resets of its device; `held`: a machine held it."""

    device: int
    minute: int
    treatment: str
    number: int
    life: int
    counts: dict[str, int] | None
    blind: bool = False
    """Its clock was not set yet: only where presses arrive in their order."""


class Truth(NamedTuple):
    presses: list[Told]
    lost: list[Told]
    resets: list[tuple[int, int]]
    """Device, minute."""
    swapped: int
    """The minute in which the second device took the first one's place in the machine."""


@st.composite
def truths(draw: st.DrawFn) -> Truth:
    """What two devices lived through, minutes apart: presses told and lost, resets, and the swap of one for the other
    in their machine."""
    presses: list[Told] = []
    lost: list[Told] = []
    resets: list[tuple[int, int]] = []
    for device in (0, 1):
        counts, life, minute = dict.fromkeys(TREATMENTS, 0), 0, 0
        is_blind = draw(st.booleans())
        for what in draw(st.lists(st.sampled_from(["BASIC", "BASIC", "BASIC", "PREMIUM", "reset"]), max_size=14)):
            minute += draw(st.integers(2, 40))
            if what == "reset":
                resets.append((device, minute))
                counts, life = dict.fromkeys(TREATMENTS, 0), life + 1
                continue
            counts[what] += 1
            told = {name.lower(): value for name, value in counts.items()} if draw(st.booleans()) else None
            is_blind = is_blind and not life and draw(st.integers(0, 3)) > 0
            press = Told(device, minute, what, counts[what], life, told and {"standard": 0, **told}, is_blind)
            (presses if draw(st.integers(0, 2)) else lost).append(press)
    return Truth(presses, lost, resets, draw(st.integers(0, 300)) * 2 + 1)


def missing(truth: Truth, device: int, treatment: str, is_fifo: bool) -> list[int]:
    """The numbers of lost presses that something shows, in the order of time."""
    found: list[int] = []
    began = False
    for life in range(15):
        lived = [
            press for press in truth.presses if (press.device, press.treatment, press.life) == (device, treatment, life)
        ]
        numbers = [press.number for press in lived]
        if not numbers:
            continue
        base = 0 if began or life or _told_zero(truth, device, treatment, min(lived), is_fifo) else min(numbers) - 1
        began = True
        found += [number for number in range(base + 1, max(numbers)) if number not in numbers]
    return found


def _told_zero(truth: Truth, device: int, treatment: str, first: Told, is_fifo: bool) -> bool:
    """By a press whose time is known, before the first one; what was before one without a time nobody knows."""
    if is_fifo and first.blind:
        return False
    told = (
        press
        for press in truth.presses
        if press.device == device and press.minute < first.minute and not (is_fifo and press.blind)
    )
    return any(press.counts[treatment.lower()] == 0 for press in told if press.counts)


def at(minute: int) -> datetime:
    return BEGAN + timedelta(minutes=minute)


class Fleet:
    def __init__(self, truth: Truth) -> None:
        number = next(_names)
        self.truth = truth
        self.is_fifo = False
        self.machine = Machine.objects.create(name=f"M{number}")
        self.devices = [
            Device.objects.create(device_id=f"fleet-{number}-{place}", name="", created_at=BEGAN - 100 * DAY)
            for place in (0, 1)
        ]
        first, second = self.devices
        swapped = at(truth.swapped)
        MachineDevice.objects.create(
            machine=self.machine, device=first, assigned_date=BEGAN - DAY, deactivated_date=swapped, is_active=False
        )
        MachineDevice.objects.create(machine=self.machine, device=second, assigned_date=swapped)

    def steps(self, chance: random.Random) -> Iterator[Any]:
        """Everything that reaches the server, some of it twice, in any order, a few at a time."""
        all_of_it: list[Any] = [*self.truth.presses, *self.truth.resets]
        all_of_it += chance.sample(self.truth.presses, len(self.truth.presses) // 3)
        self.is_fifo = chance.random() < 0.3
        if not self.is_fifo:
            chance.shuffle(all_of_it)
        while all_of_it:
            some = chance.randint(1, 6)
            yield all_of_it[:some]
            all_of_it = all_of_it[some:]

    def tell(self, some: list[Any], arrival: datetime) -> None:
        presses = [one for one in some if isinstance(one, Told)]
        store_once(connection, [self._event(press, arrival) for press in presses])
        for device, minute in (one for one in some if not isinstance(one, Told)):
            when = at(minute)
            Command.objects.create(
                device=self.devices[device], command_type="RESET_COUNTERS", status="executed", expires_at=when,
                executed_at=when, counters={"basic": 0, "standard": 0, "premium": 0},
            )  # fmt: skip
            touch_statuses(connection, {self.devices[device].pk: when})

    def _event(self, press: Told, arrival: datetime) -> Any:
        name = f"{press.device}-{press.treatment}-{press.life}-{press.number}"
        more: dict[str, Any] = {"current_counters": press.counts} if press.counts else {}
        if self.is_fifo and press.blind:
            more["ts"] = "2025-01-01T00:00:16Z"
        return event(
            self.devices[press.device], at(press.minute), received_at=arrival, event_id=name,
            treatment=press.treatment, counter=press.number, **more,
        )  # fmt: skip

    def kept(self) -> list[Any]:
        epochs = Epoch.objects.filter(device__in=self.devices).order_by("device", "treatment", "number")
        lines = Line.objects.filter(device__in=self.devices).order_by(
            "device", "treatment", "epoch__number", "at", "first"
        )
        return [
            *epochs.values_list(
                "device", "treatment", "number", "cause", "machine", "started_at", "ended_at", "base", "last", "presses"
            ),
            *lines.values_list(
                "device", "treatment", "epoch__number", "kind", "first", "last", "count", "at", "machine"
            ),
        ]


@pytest.mark.thorough
@pytest.mark.django_db
@settings(max_examples=length(15, 1500), deadline=None)
@given(truths(), st.randoms(use_true_random=False), st.sampled_from([(2, 0), (5, 0), (5_000, 1_500), (5_000, 3)]))
def test_it_works(truth: Truth, chance: random.Random, bounds: tuple[int, int]) -> None:
    account.EVENTS_AT_ONCE, account.ROWS_AT_ONCE = bounds  # type: ignore[misc]
    account.FEWER_AT_ONCE = 2  # type: ignore[misc]
    fleet = Fleet(truth)
    numbers = [device.pk for device in fleet.devices]
    for place, some in enumerate(fleet.steps(chance)):
        fleet.tell(some, NOON + timedelta(seconds=place))
        if chance.random() < 0.5:
            for number in numbers:
                look_through(number)
    for number in numbers:
        look_through(number)
    assert not touched_devices().filter(device__in=numbers).exists()
    followed = fleet.kept()
    begin_again(numbers)
    for number in numbers:
        look_through(number)
    assert fleet.kept() == followed
    for place, number in enumerate(numbers):
        for treatment in TREATMENTS:
            _check(truth, place, number, treatment, fleet.is_fifo)


def _check(truth: Truth, place: int, device: int, treatment: str, is_fifo: bool) -> None:
    lines = Line.objects.filter(device=device, treatment=treatment).order_by("epoch__number", "at", "first")
    named = [number for line in lines if line.kind == "missing" for number in range(line.first, line.last + 1)]
    assert named == missing(truth, place, treatment, is_fifo)
    assert {line.kind for line in lines} <= {"missing", "unplaced"}
    told = [press for press in truth.presses if (press.device, press.treatment) == (place, treatment)]
    epochs = Epoch.objects.filter(device=device, treatment=treatment)
    assert sum(epoch.presses for epoch in epochs) == len(told)
    assert sum(epoch.difference for epoch in epochs) == len(told) + len(named)


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    bounds = account.EVENTS_AT_ONCE, account.ROWS_AT_ONCE, account.FEWER_AT_ONCE
    yield
    account.EVENTS_AT_ONCE, account.ROWS_AT_ONCE, account.FEWER_AT_ONCE = bounds  # type: ignore[misc]
