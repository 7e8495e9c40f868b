"""Boards are swapped at random while they tell their presses, some of which are withheld."""

import random
from collections import Counter
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import pytest
from django.core.management import call_command
from django.db.models import F
from django.utils import timezone

from device_gateway.tests.conftest import at_once
from ledger.epochs.services import look_through
from ledger.models import Epoch, Line
from ozone.wire.errors import Conflict
from telemetry.commands.services import create
from telemetry.machines.bindings import register_machine
from telemetry.machines.swapping import Keep, swap_board, undo_swap
from telemetry.models import Machine, MachineDevice, Outlet, TelemetryEvent
from telemetry.tests.conftest import Esp32
from tests.support.doors import Door
from tests.support.length import length

BOARDS: Final = 6
MACHINES: Final = 4
TALKING: Final = 2
"""Threads that tell presses, each of every other board."""


class Board(Esp32):
    """One that knows what it never told."""

    def __init__(self, door: Door, number: int) -> None:
        super().__init__(door, mac=f"02:00:00:00:01:{number:02X}")
        self.withheld: list[int] = []
        self.told: list[int] = []

    def tell(self, chance: random.Random) -> None:
        """Mostly a press; or it keeps that to itself, shakes hands, or asks for commands."""
        what = chance.random()
        if what < 0.1:
            self.withheld.append(next(self.numbers))
            return
        if what < 0.3:
            assert (self.shake(token=self.token) if what < 0.2 else self.poll()).status == 200
        event = self.event()
        assert self.door.post("/api/device/events/", event, self.token).status == 200
        self.told.append(event["counter"])


@pytest.mark.parametrize("seed", [4])
def test_no_press_is_lost_and_none_is_at_a_wrong_machine(door: Door, write_path: None, seed: int) -> None:
    outlet = Outlet.objects.create(name="Chai Chee")
    boards = [Board(door, number) for number in range(BOARDS)]
    for board in boards:
        board.enrol()
    machines = [register_machine(device=board.device, outlet=outlet) for board in boards[:MACHINES]]
    for board in boards[MACHINES:]:
        board.assign()
    is_over: list[bool] = []
    swaps = length(40, 1_000)

    def act(number: int) -> None:
        chance = random.Random(seed + number)
        if number == TALKING:
            devices = [board.device for board in boards]
            for _ in range(swaps):
                _swap(chance.choice(machines), devices, chance)
            is_over.append(True)
        while not is_over and number < TALKING:
            for board in boards[number::TALKING]:
                board.tell(chance)

    at_once(TALKING + 1, act, seconds=600)
    assert is_over
    _check_events(boards)
    _check_ledger(boards)
    before = list(Epoch.objects.order_by("pk").values()), list(Line.objects.order_by("pk").values())
    call_command("reconcile")
    assert (list(Epoch.objects.order_by("pk").values()), list(Line.objects.order_by("pk").values())) == before


def _swap(machine: Machine, devices: list[Any], chance: random.Random) -> None:
    """One of the boards, or none; or the last swap taken back, where that may be."""
    if chance.random() < 0.15:
        with suppress(Conflict):
            undo_swap(machine=machine)
            return
    if chance.random() < 0.3:
        fields = {"command_type": chance.choice(["SYNC_TIME", "CLEAR_QUEUE"]), "payload": {}, "expires_in_hours": 1}
        create(device=chance.choice(devices), fields=fields, author=None, now=timezone.now())
    keep = Keep(*(chance.random() < 0.5 for _ in range(3)))
    swap_board(machine=machine, device=chance.choice([*devices, None]), move=True, keep=keep)


def _check_events(boards: list[Board]) -> None:
    spans: dict[int, list[tuple[datetime, datetime | None, int]]] = {}
    for span in MachineDevice.objects.all():
        spans.setdefault(span.device_id, []).append((span.assigned_date, span.deactivated_date, span.machine_id))
    for board in boards:
        device = board.device.pk
        events = TelemetryEvent.objects.filter(device=device).order_by("id")
        assert [event.counter for event in events] == board.told
        for event in events:
            at = event.occurred_at
            holders = [held for start, end, held in spans.get(device, []) if start <= at and (end is None or at < end)]
            assert holders == ([] if event.machine_id is None else [event.machine_id])
    assert sum(len(found) for found in spans.values()) > MACHINES


def _check_ledger(boards: list[Board]) -> None:
    """Every withheld press is named between those that were told, and there is no other line but the unplaced."""
    for board in boards:
        device = board.device.pk
        look_through(device)
        lines = Line.objects.filter(device=device)
        found: dict[str, list[int]] = {"missing": [], "unplaced": []}
        for line in lines.order_by("at", "id"):
            found.setdefault(line.kind, []).extend(range(line.first, line.last + 1))
        if not board.told:
            continue
        unplaced = TelemetryEvent.objects.filter(device=device, machine=None).order_by("id")
        assert sorted(found.pop("unplaced")) == [event.counter for event in unplaced]
        shown = [number for number in board.withheld if board.told[0] < number < board.told[-1]]
        assert found == {"missing": shown}
        epochs = Epoch.objects.filter(device=device)
        assert not epochs.filter(last__lt=F("base")).exists()
        assert sum(epoch.presses for epoch in epochs) == len(board.told)
        assert sum(epoch.difference for epoch in epochs) == len(board.told) + len(shown)
        assert Counter(epoch.cause for epoch in epochs).keys() <= {"first", "swap"}
