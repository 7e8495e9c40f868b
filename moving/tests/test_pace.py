"""How a move spares the server beside it: what is set while it goes on, and set back after it."""

import gc
from collections.abc import Mapping

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from pytest_django import Settings

from moving.pace import forced_at_the_end, step
from moving.tests.conftest import move
from moving.tests.old import MACS, TOKENS, Old, press
from telemetry.events.payloads import Event
from telemetry.events.storing import store_past

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]


def pragma(name: str) -> int:
    with connection.cursor() as cursor:
        return int(cursor.execute(f"PRAGMA {name}").fetchall()[0][0])


@pytest.fixture(autouse=True)
def _on_sqlite() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL's writers do not wait for each other")


class CutOff(Exception):
    """Whatever ends a move."""


def test_steps_do_not_wait_for_the_disk() -> None:
    full, normal = 2, 1
    before = pragma("user_version")

    def cut_off() -> None:
        with forced_at_the_end():
            with step():
                assert pragma("synchronous") == normal
            raise CutOff

    with pytest.raises(CutOff):
        cut_off()
    assert (pragma("synchronous"), pragma("user_version")) == (full, before)


def test_nothing_is_collected_while_everybody_waits() -> None:
    with step():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(CutOff), step():
        raise CutOff
    assert gc.isenabled()


def test_a_step_writes_few_devices_each_in_its_order(
    first: Old, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of three devices that take turns, and none of the queries is kept in memory."""
    settings.DEBUG = True
    monkeypatch.setattr("moving.steps.histories.WRITTEN_AT_ONCE", 4)
    for number, mac in enumerate(MACS, 1):
        row = {"id": number, "mac": mac, "device_id": f"D{number}", "token": TOKENS[number - 1], "assigned": 1}
        first.add("telemetry_device", row)
    first.add(
        "telemetry_telemetryevent",
        *(press(n, f"D{n % 3 + 1}", "BASIC", f"2025-06-02 01:00:{n:02}", count_basic=n) for n in range(24)),
    )
    steps: list[list[tuple[int, int]]] = []

    def store(connection: BaseDatabaseWrapper, events: Mapping[tuple[int, str], Event]) -> set[tuple[int, str]]:
        steps.append([(event.device_id, event.counter or 0) for event in events.values()])
        return store_past(connection, events)

    monkeypatch.setattr("moving.steps.histories.store_past", store)
    connection.queries_log.clear()
    report = move(first)
    assert not [query for query in connection.queries_log if "telemetryevent" in query["sql"]]
    assert report.tables["telemetry_telemetryevent"].added == 24
    assert [len({device for device, _ in step}) for step in steps] == [1] * 6
    assert sorted(number for step in steps for _, number in step) == list(range(24))
    for step_ in steps:
        assert step_ == sorted(step_)
