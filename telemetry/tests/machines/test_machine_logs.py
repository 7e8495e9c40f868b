"""/api/machines/<id>/logs/: treatments and counter resets with the counters of that moment; what is new since."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from device_gateway.models import Device
from device_gateway.tests.conftest import get, refusal
from ozone.wire.times import iso
from telemetry.events.storing import store_once
from telemetry.machines.bindings import assign_device, unassign_device
from telemetry.machines.logs import MOST_RESETS, MOST_TREATMENTS
from telemetry.models import Command, MachineDevice, Outlet
from telemetry.tests.cast import DAY, HOUR, NOON, SECOND, Person, Site, counters, event, press
from telemetry.tests.conftest import Esp32
from tests.support.doors import Door


@pytest.fixture
def logs(site: Site) -> str:
    MachineDevice.objects.update(assigned_date=NOON - DAY)
    return f"/api/machines/{site.machine.pk}/logs/"


def reset(device: Device, at: datetime, after: dict[str, int] | None = None, **fields: Any) -> Command:
    told = {"counters": after or counters(0, 0, 0), "status": "executed", **fields}
    return Command.objects.create(
        device=device, command_type="RESET_COUNTERS", created_at=at, expires_at=at + DAY, executed_at=at, **told
    )


def shown(reply: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Treatments, the last first: which, and basic, standard, premium then."""
    return [(row["treatment"][0], tuple(row["counters"].values())) for row in reply["treatment_logs"]]


def test_it_works(site: Site, logs: str) -> None:
    told = counters(1, 0, 0)
    stored = press(site.device, NOON, event_id="a", counter=1, current_counters=told, wifi_status="home", rssi=-60)
    done = reset(site.device, NOON + SECOND, description="Monthly", message="fine", response_data={"ok": 1})
    (row,) = site.olga.read(logs)["treatment_logs"]
    assert row == {
        "id": stored.pk,
        "device_id": "esp32-001",
        "event_id": "a",
        "event": "treatment",
        "event_type": "BASIC",
        "treatment": "BASIC",
        "counter": 1,
        "count_basic": 1,
        "count_standard": 0,
        "count_premium": 0,
        "occurred_at": "2026-03-01T12:00:00Z",
        "received_at": "2026-03-01T12:00:00Z",
        "device_timestamp": "2026-03-01T12:00:00+00:00",
        "clock_suspect": False,
        "wifi_status": "home",
        "source": "device",
        "payload": row["payload"],
        "counters": told,
    }
    assert row["payload"]["rssi"] == -60
    assert site.olga.read(logs)["reset_commands"] == [
        {
            "id": str(done.command_id),
            "command_id": str(done.command_id),
            "device_id": "esp32-001",
            "description": "Monthly",
            "message": "fine",
            "status": "executed",
            "response_data": {"ok": 1},
            "created_at": iso(NOON + SECOND),
            "executed_at": iso(NOON + SECOND),
            "counters": counters(0, 0, 0),
        }
    ]


def test_a_machine_that_has_done_nothing(site: Site, logs: str) -> None:
    empty = site.olga.read(logs)
    assert empty == {"treatment_logs": [], "reset_commands": [], "cursor": empty["cursor"]}
    assert site.olga.read(f"{logs}?after={empty['cursor']}") == empty


class TestCounters:
    def test_those_that_are_not_told_are_those_before(self, site: Site, logs: str) -> None:
        press(site.device, NOON, treatment="BASIC", counter=7, current_counters=counters(7, 4, 2))
        press(site.device, NOON + 1 * SECOND, treatment="PREMIUM", counter=3)
        press(site.device, NOON + 2 * SECOND, treatment="STANDARD", counter=5)
        reset(site.device, NOON + 3 * SECOND)
        press(site.device, NOON + 4 * SECOND, treatment="BASIC", counter=1)
        reset(site.device, NOON + 5 * SECOND, counters(0, 9, 0))
        press(site.device, NOON + 6 * SECOND, treatment="PREMIUM", counter=1)
        press(site.device, NOON + 7 * SECOND, treatment="PREMIUM", counter=2, current_counters=counters(0, 0, 2))
        reply = site.olga.read(logs)
        assert shown(reply) == [
            ("P", (0, 0, 2)),
            ("P", (0, 9, 1)),
            ("B", (1, 0, 0)),
            ("S", (7, 5, 3)),
            ("P", (7, 4, 3)),
            ("B", (7, 4, 2)),
        ]
        assert [tuple(row["counters"].values()) for row in reply["reset_commands"]] == [(0, 9, 0), (0, 0, 0)]

    def test_of_each_device_its_own(self, site: Site, logs: str) -> None:
        press(site.device, NOON, treatment="BASIC", counter=7)
        MachineDevice.objects.filter(device=site.other_device).delete()
        MachineDevice.objects.filter(device=site.device).update(is_active=False, deactivated_date=NOON + SECOND)
        MachineDevice.objects.create(
            machine=site.machine, device=site.other_device, outlet=site.outlet, assigned_date=NOON + SECOND
        )
        press(site.other_device, NOON + 2 * SECOND, treatment="PREMIUM", counter=3)
        assert shown(site.olga.read(logs)) == [("P", (0, 0, 3)), ("B", (7, 0, 0))]

    def test_a_late_upload_stands_where_it_happened(self, site: Site, logs: str) -> None:
        press(site.device, NOON, treatment="BASIC", counter=1)
        press(site.device, NOON + 2 * HOUR, treatment="BASIC", counter=3)
        press(site.device, NOON + 2 * HOUR - 5 * 60 * SECOND, treatment="BASIC", counter=2, received_at=NOON + 3 * HOUR)
        assert shown(site.olga.read(logs)) == [("B", (3, 0, 0)), ("B", (2, 0, 0)), ("B", (1, 0, 0))]

    def test_one_with_a_suspect_clock_stands_where_it_arrived(self, site: Site, logs: str) -> None:
        press(site.device, NOON, treatment="BASIC", counter=1)
        stored = press(site.device, NOON - 100 * DAY, treatment="BASIC", counter=2, received_at=NOON + HOUR)
        assert stored.clock_suspect
        assert shown(site.olga.read(logs)) == [("B", (2, 0, 0)), ("B", (1, 0, 0))]

    @pytest.mark.alike
    def test_before_the_oldest_that_is_shown(self, site: Site, logs: str) -> None:
        press(site.device, NOON, treatment="PREMIUM", counter=6)
        later = [event(site.device, NOON + SECOND, treatment="BASIC", counter=n) for n in range(MOST_TREATMENTS)]
        store_once(connection, later)
        rows = shown(site.olga.read(logs))
        assert len(rows) == MOST_TREATMENTS
        assert {(which, premium) for which, (_, _, premium) in rows} == {("B", 6)}


class TestResets:
    def test_only_what_was_executed_while_the_machine_had_the_device(self, site: Site, logs: str) -> None:
        start, end = NOON, NOON + HOUR
        MachineDevice.objects.filter(device=site.device).update(
            assigned_date=start, deactivated_date=end, is_active=False
        )
        executed = [start - SECOND, start, end - SECOND, end]
        for at in executed:
            reset(site.device, at)
        for status in ("pending", "sent", "failed", "timeout", "cancelled"):
            reset(site.device, start + SECOND, status=status)
        reset(site.other_device, start + SECOND)
        Command.objects.create(
            device=site.device, command_type="GET_STATUS", status="executed", executed_at=start, expires_at=end
        )
        rows = site.olga.read(logs)["reset_commands"]
        assert [row["executed_at"] for row in rows] == [iso(end - SECOND), iso(start)]

    @pytest.mark.alike
    def test_no_more_than_the_newest(self, site: Site, logs: str) -> None:
        for number in range(MOST_RESETS + 1):
            reset(site.device, NOON + number * SECOND)
        rows = site.olga.read(logs)["reset_commands"]
        assert len(rows) == MOST_RESETS
        assert rows[-1]["executed_at"] == iso(NOON + SECOND)

    @pytest.mark.alike
    def test_as_the_device_told_its_counters(self, door: Door, esp32: Esp32, staff: str, machine: Any) -> None:
        esp32.press("PREMIUM", counter=5)
        path = f"/api/device/{esp32.mac}/commands/create/"
        for result in ({}, {"current_counters": counters(0, 1, 0)}):
            assert door.post(path, {"command_type": "RESET_COUNTERS"}, staff).status == 201
            (command,) = esp32.commands()
            assert esp32.report(command["command_id"], success=True, **result).status == 200
        log = get(door, f"/api/machines/{machine.pk}/logs/", staff).json()
        assert [row["counters"] for row in log["reset_commands"]] == [counters(0, 1, 0), counters(0, 0, 0)]


@pytest.mark.alike
class TestAfter:
    def test_only_what_is_new(self, site: Site, logs: str) -> None:
        press(site.device, NOON, treatment="BASIC", counter=1, current_counters=counters(1, 8, 0))
        reset(site.device, NOON - SECOND)
        first = site.olga.read(logs)
        nothing = {"treatment_logs": [], "reset_commands": [], "cursor": first["cursor"]}
        assert site.olga.read(f"{logs}?after={first['cursor']}") == nothing
        press(site.device, NOON + SECOND, treatment="PREMIUM", counter=1)
        second = site.olga.read(f"{logs}?after={first['cursor']}")
        assert (shown(second), second["reset_commands"]) == ([("P", (1, 8, 1))], [])
        reset(site.device, NOON + 2 * SECOND)
        third = site.olga.read(f"{logs}?after={second['cursor']}")
        assert (shown(third), len(third["reset_commands"])) == ([], 1)
        press(site.device, NOON + 3 * SECOND, treatment="PREMIUM", counter=1)
        fourth = site.olga.read(f"{logs}?after={third['cursor']}")
        assert (shown(fourth), fourth["reset_commands"]) == ([("P", (0, 0, 1))], [])

    def test_a_reader_who_was_away_misses_none(self, site: Site, logs: str) -> None:
        cursor = site.olga.read(logs)["cursor"]
        store_once(connection, [event(site.device, NOON + n * SECOND, counter=n) for n in range(MOST_TREATMENTS + 20)])
        seen: list[int] = []
        for expected in (MOST_TREATMENTS, 20, 0):
            reply = site.olga.read(f"{logs}?after={cursor}")
            assert len(reply["treatment_logs"]) == expected
            seen += [row["counter"] for row in reversed(reply["treatment_logs"])]
            cursor = reply["cursor"]
        assert sorted(seen) == list(range(MOST_TREATMENTS + 20))

    def test_without_it_the_newest(self, site: Site, logs: str) -> None:
        store_once(connection, [event(site.device, NOON + n * SECOND, counter=n) for n in range(MOST_TREATMENTS)])
        press(site.device, NOON + DAY, counter=9999)
        rows = site.olga.read(logs)["treatment_logs"]
        assert (len(rows), rows[0]["counter"]) == (MOST_TREATMENTS, 9999)

    @pytest.mark.parametrize(
        "cursor", ["x", "1", "-1", "1-", "1-2-3", "9" * 17 + "-1", "1-" + "9" * 19, "1.5-2", "%00"]
    )
    @pytest.mark.sqlite_only
    def test_what_is_no_cursor(self, site: Site, logs: str, cursor: str) -> None:
        answer = site.olga.get(f"{logs}?after={cursor}")
        assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["after"])


class TestWho:
    def test_an_owner_sees_only_what_her_device_did(self, site: Site, logs: str) -> None:
        # Another's device was in the machine before hers.
        MachineDevice.objects.filter(device=site.device).update(assigned_date=NOON)
        MachineDevice.objects.filter(device=site.other_device).update(
            machine=site.machine, assigned_date=NOON - DAY, deactivated_date=NOON, is_active=False
        )
        press(site.other_device, NOON - HOUR, treatment="STANDARD", counter=4)
        reset(site.other_device, NOON - HOUR)
        press(site.device, NOON + HOUR, treatment="BASIC", counter=1)
        assert shown(site.olga.read(logs)) == [("B", (1, 0, 0)), ("S", (0, 4, 0))]
        hers = site.vera.read(logs)
        assert (shown(hers), hers["reset_commands"]) == ([("B", (1, 0, 0))], [])
        assert refusal(site.mallory.get(logs)) == (404, "unknown_machine")
        assert refusal(site.nobody.get(logs)) == (401, "signed_out")

    def test_the_machine_is_not_hers_any_more(self, site: Site, logs: str) -> None:
        press(site.device, NOON, counter=1)
        unassign_device(machine=site.machine)
        assert refusal(site.vera.get(logs)) == (404, "unknown_machine")
        assign_device(machine=site.other_machine, device=site.device, move=True)
        assert shown(site.vera.read(f"/api/machines/{site.other_machine.pk}/logs/")) == []


def test_any_number_of_rows_is_as_many_queries(site: Site, logs: str, django_assert_num_queries: Any) -> None:
    def budget(who: Person, number: int) -> None:
        with django_assert_num_queries(number):
            who.read(logs)

    for number in range(3):
        press(site.device, NOON + number * SECOND, counter=number, current_counters=counters(number, 0, 0))
    for who in (site.olga, site.vera):
        budget(who, 5)  # the account, its groups, the machine, treatments, resets
    for number in range(60):
        press(site.device, NOON + timedelta(minutes=number), counter=number)
        reset(site.device, NOON + timedelta(minutes=number))
    Outlet.objects.create(name="Another")
    for who in (site.olga, site.vera):
        budget(who, 6)  # and the treatments before those shown
