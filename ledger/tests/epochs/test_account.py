"""Where a look begins, and how much it reads: what is far back is not read anew with every press."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from django.db import connection

from device_gateway.models import Device
from ledger.epochs import account as accounts
from ledger.epochs import services
from ledger.epochs.account import Start, account
from ledger.epochs.keeping import Changes
from ledger.epochs.reading import DeviceFacts, facts_of, read_between
from ledger.epochs.services import begin_again, look_into, look_through
from ledger.lines.services import settle
from ledger.models import Epoch, Line
from telemetry.events.storing import store_once
from telemetry.models import Command, Machine, MachineDevice, TelemetryEvent
from telemetry.statuses.storing import touch_statuses
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, event

MINUTE = timedelta(minutes=1)


@pytest.fixture
def device(db: None) -> Device:
    """In a machine for long."""
    device = Device.objects.create(device_id="esp32-001", name="", created_at=NOON - 100 * DAY)
    machine = Machine.objects.create(name="M1")
    MachineDevice.objects.create(machine=machine, device=device, assigned_date=NOON - 100 * DAY)
    return device


def tell(device: Device, at: datetime, number: int, treatment: str = "BASIC", **members: Any) -> None:
    """Some seconds after it was pressed."""
    told = event(device, at, received_at=at + 3 * SECOND, counter=number, treatment=treatment, **members)
    store_once(connection, [told])


def reset(device: Device, at: datetime) -> None:
    Command.objects.create(
        device=device, command_type="RESET_COUNTERS", status="executed", expires_at=at, executed_at=at,
        counters={"basic": 0, "standard": 0, "premium": 0},
    )  # fmt: skip
    touch_statuses(connection, {device.pk: at})


def facts(device: Device) -> DeviceFacts:
    found = facts_of(device.pk)
    assert found is not None
    return found


def start(device: Device, since: datetime, treatment: str = "BASIC") -> Start | None:
    (found,) = (one for one in account(facts(device), since).accounts if one.treatment == treatment)
    return found.start


def kept(device: Device) -> list[str]:
    """Epochs and lines; made anew they are the same."""
    look_through(device.pk)
    followed = shown()
    begin_again([device.pk])
    look_through(device.pk)
    assert shown() == followed
    return followed


def shown() -> list[str]:
    epochs = [f"{one.cause} {one.base}–{one.last}" for one in Epoch.objects.order_by("treatment", "number")]
    return epochs + [f"{line.kind} {line.numbers}" for line in Line.objects.order_by("treatment", "at")]


def test_presses_told_twice(device: Device) -> None:
    for place, number in enumerate((5, 5, 6, 6, 7, 7, 8, 8)):
        tell(device, NOON + place * HOUR, number)
    look_through(device.pk)
    found = start(device, NOON + 6 * HOUR)
    assert found is not None and (found.number, found.at) == (7, NOON + 4 * HOUR)
    tell(device, NOON + 8 * HOUR, 10)
    assert kept(device) == ["first 4–10", "twice 5", "twice 6", "twice 7", "twice 8", "missing 9"]


def test_a_line_goes_with_its_epoch(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was the first epoch is the second one, as an earlier press shows, and what is later is not read yet."""
    monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 2)
    for minutes, number in ((66, 1), (113, 3)):
        tell(device, NOON + minutes * MINUTE, number)
    assert kept(device) == ["first 0–3", "missing 2"]
    for minutes, number in ((12, 7), (41, 8)):
        tell(device, NOON + minutes * MINUTE, number)
    look_through(device.pk)
    assert [(line.epoch.number, line.numbers) for line in Line.objects.all()] == [(2, "2")]
    assert kept(device) == ["first 6–8", "restart 0–3", "missing 2"]


def test_a_run_that_begins_later_is_not_gone_on_with(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was the second epoch is the third, and its line still in the row of the second when a look goes on."""
    monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 2)
    MachineDevice.objects.all().delete()
    for hours in (2, 4):
        tell(device, NOON + hours * HOUR, 1)
    look_through(device.pk)
    tell(device, NOON + HOUR, 1)
    look_through(device.pk)
    lines = Line.objects.order_by("epoch__number", "at").values_list("epoch__number", "kind", "at")
    assert list(lines) == [(place, "unplaced", NOON + hours * HOUR) for place, hours in ((1, 1), (2, 2), (3, 4))]
    assert kept(device) == ["first 0–1", "restart 0–1", "restart 0–1", *["unplaced 1"] * 3]


def test_what_is_gone_leaves_no_line(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the step that comes to it meets no press of its treatment any more."""
    monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 2)
    for hours, number, treatment in ((0, 1, "BASIC"), (1, 2, "BASIC"), (2, 1, "PREMIUM"), (8, 9, "BASIC")):
        tell(device, NOON + hours * HOUR, number, treatment)
    assert kept(device) == ["first 0–9", "first 0–1", "missing 3–8"]
    TelemetryEvent.objects.filter(counter=9).delete()
    touch_statuses(connection, {device.pk: NOON})
    look_through(device.pk)
    assert not Line.objects.exists()
    assert kept(device) == ["first 0–2", "first 0–1"]


def wild(device: Device, moments: int, presses: int) -> None:
    """A counter that steps to and fro, many presses of one moment: a broken board's, or of somebody who means harm."""
    chance = random.Random(1)
    for place in range(moments):
        at = NOON + place * SECOND
        told = [event(device, at, received_at=at, counter=chance.getrandbits(30)) for _ in range(presses)]
        store_once(connection, told)


def test_a_step_goes_on_past_a_moment_of_many_presses(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "EVENTS_AT_ONCE", 2)
    wild(device, moments=3, presses=5)
    assert account(facts(device), NOON).until == NOON + SECOND
    assert account(facts(device), NOON + SECOND).until == NOON + 2 * SECOND
    assert account(facts(device), NOON + 2 * SECOND).until is None


def test_of_wild_counters_little_is_written_at_once(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing is compared while others wait."""
    monkeypatch.setattr(accounts, "FEWER_AT_ONCE", 50)
    monkeypatch.setattr(accounts, "ROWS_AT_ONCE", 100)
    wild(device, moments=6, presses=60)
    written: list[int] = []
    read: list[str] = []
    watched: list[str] = []
    is_over = False

    def watch(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("UPDATE") and "touched_from" in sql:
            watched.append(sql)
        elif watched and sql.startswith("SELECT") and ("ledger_epoch" in sql or "ledger_line" in sql):
            read.append(sql)
        return execute(sql, params, many, context)

    while not is_over:
        before = Epoch.objects.count() + Line.objects.count()
        watched.clear()
        with connection.execute_wrapper(watch):
            is_over = look_into(device.pk)
        assert watched
        written.append(Epoch.objects.count() + Line.objects.count() - before)
    assert len(written) == 6 and max(written) <= 120, written
    assert read == []
    in_steps = kept(device)
    monkeypatch.setattr(accounts, "ROWS_AT_ONCE", 10_000)
    assert kept(device) == in_steps


class Meanwhile(Changes):
    """Something happens between what is made out and what is written; once."""

    happens: ClassVar[Callable[[], object]]

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        happens, Meanwhile.happens = Meanwhile.happens, int
        happens()


@pytest.fixture
def lost_one(device: Device, monkeypatch: pytest.MonkeyPatch) -> Device:
    """1 and 3; then 4, of which the ledger does not know yet."""
    for number in (1, 3):
        tell(device, NOON + number * MINUTE, number)
    look_through(device.pk)
    monkeypatch.setattr(services, "Changes", Meanwhile)
    return device


def test_settled_while_it_is_made_out(lost_one: Device) -> None:
    line = Line.objects.get()
    Meanwhile.happens = lambda: settle(
        line=line.pk, reason="lost", count=None, note="", actor=None, now=NOON + HOUR
    )  # fmt: skip
    touch_statuses(connection, {lost_one.pk: NOON})
    tell(lost_one, NOON + 4 * MINUTE, 5)
    assert services.look_into(lost_one.pk) is False
    look_through(lost_one.pk)
    assert [(found.numbers, found.settlement is not None) for found in Line.objects.order_by("first")] == [
        ("2", True),
        ("4", False),
    ]


@pytest.mark.django_db(transaction=True)
def test_forgotten_while_it_is_made_out(lost_one: Device) -> None:
    Meanwhile.happens = lambda: Epoch.objects.all().delete()
    tell(lost_one, NOON + 5 * MINUTE, 5)
    assert services.look_into(lost_one.pk) is True
    begin_again([lost_one.pk])
    assert kept(lost_one) == ["first 0–5", "missing 2", "missing 4"]


def test_where_an_epoch_ended(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a device that is reset all day long what was yesterday is not read with every press."""
    monkeypatch.setattr(accounts, "_CANDIDATES", (2,))
    for number in (1, 2, 3):
        tell(device, NOON - DAY + number * HOUR, number)
    for place in range(6):
        reset(device, NOON + place * 6 * MINUTE)
        tell(device, NOON + (place * 6 + 3) * MINUTE, 1)
    look_through(device.pk)
    found = start(device, NOON + 33 * MINUTE)
    assert found is not None and (found.epoch.number, found.number, found.at) == (1, 3, NOON - DAY + 3 * HOUR)
    assert kept(device) == ["first 0–3", *["reset 0–1"] * 6]


def test_of_zeros_the_first(device: Device) -> None:
    """What is seldom chosen is told as 0 with every press of the others."""
    own = {"standard": 0, "premium": 0}
    tell(device, NOON, 1, "PREMIUM")
    reset(device, NOON + 2 * MINUTE)
    for number in range(1, 10):
        tell(device, NOON + number * HOUR, number, current_counters={"basic": number, **own})
    look_through(device.pk)
    tell(device, NOON + 10 * HOUR, 2, "PREMIUM")
    told = read_between(facts(device), "PREMIUM", NOON - DAY, NOON + 11 * HOUR)
    assert [(one.at, one.treatment) for one in told] == [
        (NOON, "PREMIUM"), (NOON + HOUR, "BASIC"), (NOON + 10 * HOUR, "PREMIUM")
    ]  # fmt: skip
    assert start(device, NOON + 10 * HOUR, "PREMIUM") is None
    assert kept(device) == ["reset 0–9", "first 0–1", "reset 0–2", "missing 1"]


def test_a_zero_of_another_moment_stands_for_none(device: Device) -> None:
    """Counters beside a press that waited in a queue are those of later: they do not hide the next zero."""
    tell(device, NOON, 4, "PREMIUM")
    zero = {"standard": 0, "premium": 0}
    tell(device, NOON + HOUR, 7, current_counters={"basic": 9, **zero})
    tell(device, NOON + 2 * HOUR, 8, current_counters={"basic": 8, **zero})
    tell(device, NOON + 3 * HOUR, 9, current_counters={"basic": 9, **zero})
    told = read_between(facts(device), "PREMIUM", NOON, NOON + DAY)
    assert [one.number for one in told] == [4, 7, 8]
    tell(device, NOON + 4 * HOUR, 5, "PREMIUM")
    assert kept(device) == ["first 6–9", "first 3–4", "zero 0–5", "missing 1–4"]


def test_a_press_without_a_time_may_lie_between_zeros(device: Device) -> None:
    tell(device, NOON, 4, "PREMIUM")
    for hours in (1, 2, 3):
        tell(device, NOON + hours * HOUR, hours, current_counters={"basic": hours, "standard": 0, "premium": 0})
    lost = event(device, NOON, received_at=NOON + 5 * HOUR, counter=1, treatment="PREMIUM", ts="2025-01-01T00:00:16Z")
    store_once(connection, [lost])
    told = read_between(facts(device), "PREMIUM", NOON, NOON + DAY)
    assert sorted(one.number or 0 for one in told) == [1, 1, 2, 3, 4]
