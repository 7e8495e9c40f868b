"""How a move spares the server beside it: what is set while it goes on, and set back after it."""

import gc

import pytest
from django.db import connection
from pytest_django import Settings

from device_gateway.leading import MOVE, Lease
from moving.pace import forced_at_the_end, step
from moving.tests.conftest import move
from moving.tests.old import MACS, TOKENS, Old, press
from telemetry.events.storing import Past

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


def test_the_server_writes_between_two_steps(monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> None:
    monkeypatch.setattr("ozone.intake.pauses.LEAST", 0.005)
    for _ in range(2):
        with step():
            pass
    assert pauses[1] == pytest.approx(0.005)


def test_nothing_is_collected_while_everybody_waits() -> None:
    with step():
        assert not gc.isenabled()
    assert gc.isenabled()
    with pytest.raises(CutOff), step():
        raise CutOff
    assert gc.isenabled()


def test_it_is_known_that_a_move_is_under_way(first: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    first.add("telemetry_device", {"id": 1, "mac": MACS[0], "device_id": "D1", "token": TOKENS[0], "assigned": 1})
    first.add("telemetry_telemetryevent", press(1, "D1", "BASIC", "2025-06-02 01:00:00"))
    seen: list[bool] = []

    class Seen(Past):
        def store(self) -> set[tuple[int, str]]:
            seen.append(Lease.is_taken(MOVE))
            return super().store()

    monkeypatch.setattr("moving.steps.histories.Past", Seen)
    move(first, is_dry=True)
    assert not Lease.objects.filter(name=MOVE).exists()
    move(first)
    assert seen == [True]
    assert not Lease.is_taken(MOVE)


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

    class Seen(Past):
        def store(self) -> set[tuple[int, str]]:
            steps.append([(event.device_id, event.counter or 0) for event in self._events.values()])
            return super().store()

    monkeypatch.setattr("moving.steps.histories.Past", Seen)
    connection.queries_log.clear()
    report = move(first)
    assert not [query for query in connection.queries_log if "telemetryevent" in query["sql"]]
    assert report.tables["telemetry_telemetryevent"].added == 24
    assert [len({device for device, _ in step}) for step in steps] == [1] * 6
    assert sorted(number for step in steps for _, number in step) == list(range(24))
    for step_ in steps:
        assert step_ == sorted(step_)
