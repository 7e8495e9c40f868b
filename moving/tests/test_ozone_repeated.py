"""What the source has changed between the rehearsal and the day of the move; names that look like keys, and no keys."""

from pathlib import Path
from typing import Any

import pytest

from device_gateway.models import Credential, Device
from device_gateway.secret import hash_secret
from moving.sources import walk
from moving.tests.conftest import move
from moving.tests.old import FIRST, MACS, TOKENS, Old, at, press
from telemetry.models import Machine, MachineDevice, Outlet
from telemetry.models import TelemetryEvent as Event

pytestmark = pytest.mark.django_db


@pytest.fixture
def bound(first: Old) -> Old:
    first.add("telemetry_machine", {"id": 1, "name": "one"})
    first.add("telemetry_device", {"id": 1, "mac": MACS[0], "device_id": "A"})
    first.add(
        "telemetry_machinedevice",
        {"id": 1, "machine_id": 1, "device_id": "A", "is_active": 1, "assigned_date": "2025-01-01 00:00:00"},
    )
    assert move(first).differences() == []
    assert Machine.objects.get().device is not None
    return first


END = "UPDATE telemetry_machinedevice SET is_active = 0, deactivated_date = '2025-03-01 00:00:00'"


def binding() -> tuple[Any, ...]:
    return MachineDevice.objects.values_list("assigned_date", "deactivated_date", "is_active").get()


def test_a_binding_that_the_source_has_ended_since(bound: Old) -> None:
    bound.run(END)
    move(bound, is_dry=True)
    assert binding() == (at("2025-01-01"), None, True)
    for _ in range(2):
        report = move(bound)
        assert (report.differences(), report.tables["telemetry_machinedevice"].there) == ([], 1)
        assert binding() == (at("2025-01-01"), at("2025-03-01"), False)
        assert Machine.objects.get().device is None


def test_a_binding_that_began_here_stays(bound: Old) -> None:
    MachineDevice.objects.update(assigned_date=at("2025-02-01"))
    bound.run(END)
    move(bound)
    assert binding() == (at("2025-02-01"), None, True)
    assert Machine.objects.get().device is not None


def test_a_name_that_looks_like_anothers_key(second: Old) -> None:
    """Machines name a device by its key, events by its name."""
    second.add(
        "telemetry_device",
        {"id": 1, "mac": MACS[0], "device_id": "2", "assigned": 1},
        {"id": 2, "mac": MACS[1], "device_id": "B", "assigned": 1},
    )
    second.add(
        "telemetry_machine",
        {"machine_id": 3, "machine_code": "M", "device_id": 2, "installed_at": "2025-09-01 00:00:00"},
    )
    second.add("telemetry_telemetryevent", press(1, "2", "BASIC", "2025-09-26 06:00:00"))
    assert move(second).differences() == []
    assert str(Machine.objects.get().device.mac) == MACS[1]  # type: ignore[union-attr]
    assert Event.objects.get().device.mac == MACS[0]


def test_a_machine_that_has_another_board_since(second: Old) -> None:
    second.add("telemetry_device", *({"id": n, "mac": mac, "device_id": f"d{n}"} for n, mac in enumerate(MACS[:2], 1)))
    machine = {"machine_id": 3, "machine_code": "M", "device_id": 1, "installed_at": "2025-09-01 00:00:00"}
    second.add("telemetry_machine", machine)
    assert move(second).differences() == []
    second.run("UPDATE telemetry_machine SET device_id = 2")
    for _ in range(2):
        assert move(second).differences() == []
        assert str(Machine.objects.get().device) == str(MachineDevice.objects.get(is_active=True).device)
        assert MachineDevice.objects.get(is_active=True).device.device_id == "d2"


def tokens() -> set[tuple[str, bool]]:
    """Hashes, and whether they are in force."""
    return {(credential.hash, credential.revoked_at is None) for credential in Credential.objects.all()}


class TestTokens:
    @pytest.fixture
    def moved(self, first: Old) -> Old:
        rows = ({"id": n, "mac": mac, "device_id": f"d{n}", "assigned": 0} for n, mac in enumerate(MACS[:2], 1))
        first.add("telemetry_device", *rows)
        self.change(first, 1, "old", "2025-06-01 00:00:00")
        move(first)
        assert tokens() == {(hash_secret("old"), True)}
        return first

    @staticmethod
    def change(old: Old, device: int, token: str, seen: str | None) -> None:
        statement = "UPDATE telemetry_device SET assigned = 1, token = ?, last_seen = ? WHERE id = ?"
        old.run(statement, token, seen, device)

    def test_another_one_since(self, moved: Old) -> None:
        self.change(moved, 1, "new", "2025-06-02 00:00:00")
        move(moved, is_dry=True)
        assert tokens() == {(hash_secret("old"), True)}
        for _ in range(2):
            assert move(moved).differences() == []
            assert tokens() == {(hash_secret("old"), False), (hash_secret("new"), True)}

    @pytest.mark.parametrize("seen", ["2025-06-02 00:00:00", None])
    def test_it_has_used_the_one_that_it_has_here(self, moved: Old, seen: str | None) -> None:
        Credential.objects.update(last_used_at=at("2025-06-03"))
        self.change(moved, 1, "new", seen)
        assert "uses the one that it has here" in move(moved).by_row[-1]["why"]
        assert tokens() == {(hash_secret("old"), True)}

    def test_one_that_was_revoked_here_does_not_come_back(self, moved: Old) -> None:
        Credential.objects.update(revoked_at=at("2025-06-03"))
        move(moved)
        assert tokens() == {(hash_secret("old"), False)}

    def test_assigned_since(self, moved: Old) -> None:
        self.change(moved, 2, "second", None)
        move(moved)
        assert list(Device.objects.order_by("device_id").values_list("assigned", flat=True)) == [True, True]
        assert tokens() == {(hash_secret("old"), True), (hash_secret("second"), True)}
        Device.objects.filter(device_id="d2").update(assigned=False)
        move(moved)
        assert Device.objects.get(device_id="d2").assigned is False


@pytest.mark.each_case
@pytest.mark.parametrize("told", [float("inf"), float("-inf"), "NaN", "many", None])
def test_a_number_that_is_none(first: Old, told: Any) -> None:
    first.add("telemetry_outlet", {"id": 1, "name": "North", "average_intage_services": told})
    assert move(first).differences() == []
    assert Outlet.objects.get().average_intage_services is None


def test_tables_that_have_lost_their_keys(tmp_path: Path) -> None:
    """As in a copy by CREATE TABLE … AS, where rows came together that had one number."""
    copy = Old(tmp_path / "copy.sqlite3", [statement.replace(" PRIMARY KEY", "") for statement in FIRST])
    copy.add("telemetry_device", {"id": 1, "mac": MACS[0], "device_id": "A", "token": TOKENS[0], "assigned": 1})
    copy.add("telemetry_machine", {"id": 8, "name": "M"})
    copy.add("telemetry_machinedevice", {"id": 1, "machine_id": 8, "device_id": "A", "assigned_date": "2025-06-01"})
    copy.fill(
        "telemetry_telemetryevent",
        (press(n // 3, "A", "BASIC", f"2025-06-02 01:{n // 60:02}:{n % 60:02}") for n in range(2100)),
    )
    report = move(copy)
    assert report.differences() == []
    assert report.tables["telemetry_telemetryevent"].added == Event.objects.count() == 2100
    assert [binding.machine.name for binding in MachineDevice.objects.all()] == ["M"]
    again = move(copy)
    assert (again.differences(), again.tables["telemetry_telemetryevent"].there) == ([], 2100)


def test_rows_that_were_not_read_are_missed(first: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    first.add("telemetry_device", *({"id": n, "mac": mac, "device_id": f"D{n}"} for n, mac in enumerate(MACS)))
    monkeypatch.setattr("moving.pace.walk", lambda *where: (rows[1:] for rows in walk(*where)))
    assert move(first).differences() == ["telemetry_device: 3 rows in the source, 2 read"]
