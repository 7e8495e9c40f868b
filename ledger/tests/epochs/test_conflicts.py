"""Lines of events that came under the id of another: a device may send any number of them, and each is undecided."""

from datetime import timedelta
from random import Random

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device
from ledger.epochs import keeping
from ledger.epochs.services import begin_again, look_into, look_through
from ledger.lines.models import Kind
from ledger.models import Epoch, Line
from telemetry.events.services import discard_refused
from telemetry.events.storing import store_once
from telemetry.models import Command, Machine, MachineDevice, QuarantinedEvent
from telemetry.statuses.storing import touch_statuses
from telemetry.tests.cast import DAY, HOUR, NOON, event


@pytest.fixture
def device(db: None) -> Device:
    """In a machine for long. It has pressed once."""
    device = Device.objects.create(device_id="esp32-001", name="", created_at=NOON - 100 * DAY)
    machine = Machine.objects.create(name="M1")
    MachineDevice.objects.create(machine=machine, device=device, assigned_date=NOON - 100 * DAY)
    store_once(connection, [event(device, NOON, received_at=NOON, counter=1, event_id="used")])
    return device


def again(device: Device, counters: range, hours: float) -> None:
    """As many under its id as there are counters, so many hours after it."""
    at = NOON + hours * HOUR
    store_once(connection, [event(device, at, received_at=at, counter=one, event_id="used") for one in counters])


def reset(device: Device, hours: float) -> None:
    at = NOON + hours * HOUR
    Command.objects.create(
        device=device, command_type="RESET_COUNTERS", status="executed", expires_at=at, executed_at=at,
        counters={"basic": 0, "standard": 0, "premium": 0},
    )  # fmt: skip
    touch_statuses(connection, {device.pk: at})
    at += timedelta(minutes=1)
    store_once(connection, [event(device, at, received_at=at, counter=1)])


def lines() -> list[tuple[int, int]]:
    """By epoch and counter."""
    of_conflicts = Line.objects.filter(kind=Kind.CONFLICT)
    return list(of_conflicts.order_by("epoch__number", "first").values_list("epoch__number", "first"))


def test_each_is_in_the_epoch_that_was_in_force(device: Device) -> None:
    """At once, or by a look after each of what happened."""
    for hour in range(3):
        again(device, range(10 * hour + 10, 10 * hour + 12), hour + 0.5)
        if hour == 1:
            look_through(device.pk)
        reset(device, hour + 0.7)
    look_through(device.pk)
    found = lines()
    assert found == [(1, 10), (1, 11), (2, 20), (2, 21), (3, 30), (3, 31)]
    kept = set(Line.objects.values_list("pk", flat=True))
    begin_again([device.pk])
    look_through(device.pk)
    assert set(Line.objects.values_list("pk", flat=True)) == kept
    Line.objects.all().delete()
    begin_again([device.pk])
    look_through(device.pk)
    assert lines() == found


@pytest.mark.parametrize("seed", range(4))
def test_whatever_happens_in_whatever_order(device: Device, seed: int) -> None:
    """Looks in between, and presses of the past. What is asked at the end is what the contract says, and no more."""
    chance = Random(seed)
    counter = 100
    for _ in range(14):
        at = chance.uniform(-5, 20)
        match chance.choice(["conflict", "conflict", "reset", "press", "look"]):
            case "conflict":
                counter += 1
                again(device, range(counter, counter + 1), at)
            case "reset":
                reset(device, at)
            case "press":
                told = NOON + at * HOUR
                store_once(connection, [event(device, told, received_at=told, counter=chance.randrange(1, 9))])
            case _:
                look_into(device.pk)
    look_through(device.pk)
    epochs = list(Epoch.objects.filter(device=device).order_by("number"))
    waiting = QuarantinedEvent.objects.filter(state="open")
    expected = []
    for came in waiting.values_list("first_at", flat=True):
        begun = [epoch for epoch in epochs if epoch.started_at <= came]
        expected.append(((begun[-1:] or epochs[:1])[0].number, came))
    found = Line.objects.filter(kind=Kind.CONFLICT).values_list("epoch__number", "at")
    assert sorted(found) == sorted(expected)
    assert expected


def test_one_from_before_the_first_press_is_in_the_first_epoch(device: Device) -> None:
    again(device, range(10, 11), -2)
    look_through(device.pk)
    assert lines() == [(1, 10)]


def test_many_take_no_more_statements_than_a_few_and_none_beside_their_writing(device: Device) -> None:
    """Each had some inside the transaction, and with some thousand of one device all others were refused."""

    def statements(counters: range, hours: float) -> list[str]:
        again(device, counters, hours)
        with CaptureQueriesContext(connection) as seen:
            assert look_into(device.pk)
        return [query["sql"] for query in seen.captured_queries]

    look_through(device.pk)
    few = statements(range(10, 12), 1)
    many = statements(range(100, 200), 2)
    assert len(many) == len(few)
    written = next(place for place, sql in enumerate(many) if sql.startswith("UPDATE"))
    assert [sql for sql in many[written:] if sql.startswith("SELECT")] == []
    assert len(lines()) == 102


def test_of_very_many_the_first_ones_have_lines(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "MOST_CONFLICTS", 3)
    for counter in (10, 11, 12, 13, 14, 20, 21, 22):
        again(device, range(counter, counter + 1), counter / 10)
    for _ in range(2):
        look_through(device.pk)
        assert [counter for _, counter in lines()] == [10, 11, 12]
        begin_again([device.pk])
    for row in QuarantinedEvent.objects.order_by("id")[:4]:
        discard_refused(device=device, number=row.pk)
    look_through(device.pk)
    assert [counter for _, counter in lines()] == [14, 20, 21]
