"""Messages at the same instant, on SQLite and PostgreSQL: one truth, no 500, nothing twice."""

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from pytest_django import Settings

from stations.models import AppliedMessage, PowerBank, PowerBankReturn, Station, StationSlot, SyncLog
from stations.tests.cast import SETTINGS, Connector, compact, full, make_connector, returned

pytestmark = pytest.mark.usefixtures("write_path")

T0 = int(time.time()) - 3600


@pytest.fixture(autouse=True)
def _stations_are_on(settings: Settings) -> None:
    for name, value in SETTINGS.items():
        setattr(settings, name, value)


@pytest.fixture
def user(write_path: None) -> User:
    return make_connector()


def at_once(user: User, messages: list[Any]) -> list[tuple[int, dict[str, Any]]]:
    """Each message from a thread of its own, released together; status and JSON of each reply."""
    barrier = threading.Barrier(len(messages))
    replies: list[tuple[int, dict[str, Any]]] = [(0, {})] * len(messages)

    def send(number: int) -> None:
        connector = Connector(user)
        barrier.wait(10)
        try:
            reply = connector.send(messages[number])
            replies[number] = (reply.status_code, reply.json())
        finally:
            connection.close()

    threads = [threading.Thread(target=send, args=(number,)) for number in range(len(messages))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return replies


def is_sound() -> bool:
    """What must hold whoever won: a power bank's slot is one of its station's, and no slot has two."""
    for bank in PowerBank.objects.select_related("current_slot"):
        if bank.current_slot is not None and bank.current_slot.station_id != bank.station_id:
            return False
    taken = [bank.current_slot_id for bank in PowerBank.objects.exclude(current_slot=None)]
    return len(taken) == len(set(taken))


def test_copies_of_a_first_sync(user: User) -> None:
    body = compact(full({1: "BANK-A", 2: "BANK-B"}, at=T0))
    replies = at_once(user, [body] * 6)
    assert [status for status, _ in replies] == [200] * 6
    assert sum("replayed" not in answer for _, answer in replies) == 1
    assert len({str(answer["data"]) for _, answer in replies}) == 1
    assert (Station.objects.count(), StationSlot.objects.count(), PowerBank.objects.count()) == (1, 4, 2)
    assert sorted(SyncLog.objects.values_list("outcome", flat=True)) == ["applied"] + ["replayed"] * 5


def test_copies_of_a_return(user: User) -> None:
    Connector(user).send(full({1: "BANK-A"}, at=T0))
    replies = at_once(user, [compact(returned("BANK-A", 3, at=T0 + 1))] * 6)
    assert [status for status, _ in replies] == [200] * 6
    assert sum("replayed" not in answer for _, answer in replies) == 1
    assert PowerBankReturn.objects.count() == 1


def test_stale_and_fresh_at_once(user: User) -> None:
    replies = at_once(user, [full({number + 1: "BANK-A"}, at=T0 + number) for number in (3, 0, 2, 1)])
    assert [status for status, _ in replies] == [200] * 4
    station = Station.objects.get()
    assert station.last_message_at is not None and station.last_message_at.timestamp() == T0 + 3
    slot = PowerBank.objects.get().current_slot
    assert slot is not None and slot.slot_number == 4


def test_two_stations_claim_one_bank(user: User) -> None:
    for number in range(5):
        bank, at = f"BANK-{number}", T0 + 10 * number
        replies = at_once(user, [full({1: bank}, serial="north", at=at + 1), full({2: bank}, serial="south", at=at)])
        assert [status for status, _ in replies] == [200, 200]
        row = PowerBank.objects.select_related("station", "current_slot").get(serial_number=bank)
        assert row.station is not None and row.current_slot is not None
        assert (row.station.serial_number, row.current_slot.slot_number) == ("north", 1)
        assert is_sound()


def test_banks_that_wander_among_stations(user: User) -> None:
    """Every station claims banks of every other, again and again, in any order: no deadlock, no 500."""
    chance = random.Random(7)
    names = [f"BANK-{number}" for number in range(8)]
    for turn in range(6):
        messages = []
        for number in range(4):
            chance.shuffle(names)
            places = dict(zip(chance.sample(range(1, 9), 4), names, strict=False))
            messages.append(full(places, serial=f"station-{number}", at=T0 + turn * 10 + chance.randrange(10), total=8))
        replies = at_once(user, messages)
        assert {status for status, _ in replies} == {200}, replies
        assert is_sound()
    assert AppliedMessage.objects.count() == SyncLog.objects.count() == 24


def test_a_lock_that_is_held_too_long_is_503(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stations.services.LOCK_SECONDS", 0.2)
    connector = Connector(user)
    connector.send(full(at=T0))
    with _another_holds_the_station():
        reply = connector.send(full(at=T0 + 1))
    assert (reply.status_code, reply.json()["error"]) == (503, "UNAVAILABLE")
    assert int(reply["Retry-After"]) >= 1
    assert connector.send(full(at=T0 + 1)).status_code == 200
    lines = SyncLog.objects.order_by("pk").values_list("outcome", "code")
    assert list(lines) == [("applied", ""), ("refused", "UNAVAILABLE"), ("applied", "")]


@contextmanager
def _another_holds_the_station() -> Iterator[None]:
    """A transaction of nobody here, open for the length of the block."""
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with transaction.atomic():
                Station.objects.select_for_update().get()
                held.set()
                done.wait(10)
        finally:
            connection.close()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(5)
    yield
    done.set()
    thread.join(5)
