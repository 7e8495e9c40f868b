"""/api/flush/: what it deletes and what it keeps, who may, what it leaves behind, and a backup that cannot be made."""

import logging
import sqlite3
import stat
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.contrib.admin.models import DELETION, LogEntry
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from device_gateway.models import Credential, Device, DeviceState, DeviceTelemetry, ReadingHour
from device_gateway.tests.conftest import at_once, cookie_of, refusal
from ozone.accounts.tokens import issue
from telemetry.commands.services import create
from telemetry.events import flushing
from telemetry.models import (
    Command,
    DailyCount,
    DeviceStatus,
    HourlyCount,
    Machine,
    MachineDevice,
    Outlet,
    QuarantinedEvent,
    TelemetryEvent,
)
from telemetry.tests.conftest import Esp32
from tests.support.doors import Answer, DjangoDoor, Door
from tests.support.postgres import another_connection

PATH = "/api/flush/"
NOW = datetime(2026, 11, 21, 12, 0, 0, 5, tzinfo=UTC)
DRAWN = (apps.get_model("ledger", "Line"), apps.get_model("ledger", "Epoch"))
TOLD = (TelemetryEvent, HourlyCount, DailyCount, *DRAWN, DeviceStatus, DeviceTelemetry, ReadingHour)
KEPT = (Device, Credential, Outlet, Machine, MachineDevice, Command, QuarantinedEvent, User)
INGEST = "/gateway/device-data/ingest"


@pytest.fixture
def root(write_path: None) -> User:
    return User.objects.create_superuser("root")


@pytest.fixture(autouse=True)
def backups() -> Iterator["Backups"]:
    """The files beside the database; gone after the test."""
    found = Backups(Path(connection.settings_dict["NAME"]))
    yield found
    for path in found.paths():
        path.unlink()


class Backups:
    def __init__(self, database: Path) -> None:
        self._database = database

    def paths(self) -> list[Path]:
        if connection.vendor != "sqlite":
            return []
        return sorted(self._database.parent.glob(f"{self._database.name}.before-flush-*"))

    def path(self, now: datetime) -> Path:
        return Path(f"{self._database}.before-flush-{now:%Y%m%dT%H%M%S.%fZ}")


def flush(who: User, door: Door | None = None, headers: Mapping[str, str] | None = None) -> Answer:
    return (door or DjangoDoor()).send("POST", PATH, headers={**cookie_of(who), **(headers or {})})


def counts(*models: Any) -> dict[str, int]:
    return {model._meta.db_table: model.objects.count() for model in models}


@pytest.fixture
def told(esp32: Esp32, neighbour: Esp32, root: User) -> None:
    """Two machines that have told everything that can be told."""
    for one in (esp32, neighbour):
        for _ in range(3):
            assert one.press(wifi_status="home").status == 200
        assert one.door.post(INGEST, [{"kwh": 1}, {"kwh": 2}], one.token).status == 201
        assert one.press(treatment="GOLD").status == 400
        one.poll()
    create(
        device=esp32.device,
        fields={"command_type": "GET_STATUS", "priority": "normal", "payload": {}, "expires_in_hours": 1},
        author=root,
        now=datetime.now(UTC),
    )


def test_it_works(door: Door, told: None, esp32: Esp32, root: User, backups: Backups) -> None:
    DRAWN[1].objects.create(
        device=esp32.device, treatment="BASIC", number=1, cause="first", started_at=NOW, base=0, last=1, presses=1
    )
    ReadingHour.objects.create(device=esp32.device, start=NOW, count=1, fields={})
    kept, deleted = counts(*KEPT), counts(*TOLD)
    assert [*deleted.values()] == [6, 2, 2, 0, 1, 2, 4, 1]
    heard = list(DeviceState.objects.order_by("pk").values_list("last_seen", "last_poll"))
    answer = flush(root, door)
    backup = backups.paths()[0].name if connection.vendor == "sqlite" else None
    assert (answer.status, answer.json()) == (200, {"status": "flushed", "deleted": deleted, "backup": backup})
    assert counts(*TOLD) == dict.fromkeys(deleted, 0)
    assert counts(*KEPT) == kept
    assert all(kept.values())
    states = DeviceState.objects.order_by("pk")
    assert list(states.values_list("last_seen", "last_poll")) == heard
    assert set(states.values_list("latest_occurred_at", "latest_received_at", "latest_payload")) == {(None, None, None)}


def test_a_device_goes_on_as_if_it_were_new(told: None, esp32: Esp32, root: User) -> None:
    assert flush(root).status == 200
    assert esp32.press("STANDARD", counter=7).json()["ack"] is True
    assert esp32.door.post(INGEST, {"kwh": 3}, esp32.token).status == 201
    assert [row.counter for row in esp32.events()] == [7]
    assert esp32.status.counts == {"basic": 0, "standard": 7, "premium": 0}
    assert esp32.device.latest_payload == {"kwh": 3}
    for model in (HourlyCount, DailyCount):
        assert list(model.objects.values_list("basic", "standard", "premium")) == [(0, 1, 0)]
    assert [command["command_type"] for command in esp32.commands()] == ["GET_STATUS"]


@pytest.mark.alike
def test_an_event_that_was_let_go_still_is(told: None, esp32: Esp32, root: User) -> None:
    row = QuarantinedEvent.objects.get(device=esp32.device)
    row.state = QuarantinedEvent.State.DISCARDED
    row.save()
    assert flush(root).status == 200
    retry = esp32.door.post("/api/device/events/", row.body.encode(), esp32.token)
    assert (retry.status, retry.json()["ack"]) == (200, True)


@pytest.mark.alike
def test_again(told: None, root: User, backups: Backups) -> None:
    first, second = flush(root), flush(root)
    assert first.json()["deleted"]["telemetry_telemetryevent"] == 6
    assert (second.status, second.json()["deleted"]) == (200, {model._meta.db_table: 0 for model in TOLD})
    assert len(backups.paths()) == (2 if connection.vendor == "sqlite" else 0)


def test_two_at_once(told: None, root: User) -> None:
    expected = counts(*TOLD)
    answers = at_once(2, lambda _: flush(root))
    assert [answer.status for answer in answers] == [200, 200]
    sums = {table: sum(answer.json()["deleted"][table] for answer in answers) for table in expected}
    assert (sums, counts(*TOLD)) == (expected, dict.fromkeys(expected, 0))


def test_another_under_way(
    told: None, root: User, backups: Backups, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """Each copies a whole SQLite database first: eight at once were eight copies, and held up who writes."""
    settings.HEAVY_WAIT_SECONDS = 0.05
    has_begun, may_go_on = threading.Event(), threading.Event()

    def look() -> None:
        has_begun.set()
        assert may_go_on.wait(20)

    monkeypatch.setattr(flushing, "objections", [look])
    before = counts(*TOLD, LogEntry)

    def one(number: int) -> Answer:
        if number == 0:
            return flush(root)
        assert has_begun.wait(20)
        try:
            answer = flush(root)
            assert (counts(*TOLD, LogEntry), backups.paths()) == (before, [])
            return answer
        finally:
            may_go_on.set()

    first, second = at_once(2, one)
    assert (first.status, first.json()["deleted"]["telemetry_telemetryevent"]) == (200, 6)
    assert (*refusal(second), second.headers["retry-after"]) == (429, "too_many_requests", "60")
    assert "Another flush is under way." in second.json()["detail"]
    assert flush(root).status == 200


def test_in_many_steps(
    esp32: Esp32, neighbour: Esp32, root: User, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr(flushing, "ROWS", (2, 3))
    monkeypatch.setattr(flushing, "DEVICES", 1)
    for one in (esp32, neighbour):
        for hour in range(7):
            assert one.press(ts=(datetime.now(UTC) - timedelta(minutes=9 - hour)).isoformat()).status == 200
        assert one.door.post(INGEST, [{"kwh": n} for n in range(7)], one.token).status == 201
    expected = counts(*TOLD)
    answer = flush(root)
    assert (answer.json()["deleted"], counts(*TOLD)) == (expected, dict.fromkeys(expected, 0))
    assert len(pauses) > sum(expected.values()) / 3
    assert min(pauses[1:]) > 0  # devices write between any two


@pytest.mark.django_db(transaction=True)
def test_it_waits_for_no_writer(told: None, esp32: Esp32, neighbour: Esp32) -> None:
    """A writer may hold one device and be about to take another: who waits for it with that other in hand closes a
    circle."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    held, free = esp32.device.pk, neighbour.device.pk
    with another_connection() as writer, connection.cursor() as cursor:
        writer.execute("SELECT 1 FROM telemetry_devicestatus WHERE device_id = %s FOR UPDATE", [held])
        writer.execute("SELECT 1 FROM device_gateway_devicestate WHERE device_id = %s FOR UPDATE", [held])
        cursor.execute("SET lock_timeout = 2000")
        for forget in (flushing._forget_events, flushing._forget_readings):
            left = {held, free}
            with transaction.atomic():
                forget(left, 100)
            assert left == {held}
        cursor.execute("SET lock_timeout = 0")
    for model in (TelemetryEvent, HourlyCount, DeviceStatus, DeviceTelemetry):
        assert set(model._default_manager.values_list("device_id", flat=True)) == {held}


@pytest.mark.both_doors
class TestWho:
    @pytest.mark.alike
    def test_superusers_only(self, told: None, root: User) -> None:
        before = counts(*TOLD)
        assert refusal(DjangoDoor().send("POST", PATH)) == (401, "signed_out")
        assert refusal(flush(User.objects.create_user("vera"))) == (403, "forbidden")
        assert refusal(flush(User.objects.create_user("olga", is_staff=True))) == (403, "forbidden")
        assert counts(*TOLD) == before

    @pytest.mark.alike
    def test_not_by_a_token(self, told: None, root: User, backups: Backups) -> None:
        before = counts(*TOLD)
        headers = {"Authorization": f"Bearer {issue(root, as_staff=True)[0]}"}
        assert refusal(DjangoDoor().send("POST", PATH, headers=headers)) == (403, "session_required")
        assert refusal(DjangoDoor().send("POST", PATH, headers=headers | cookie_of(root))) == (403, "session_required")
        assert (counts(*TOLD), backups.paths()) == (before, [])

    def test_not_from_another_site(self, told: None, root: User) -> None:
        before = counts(*TOLD)
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
            assert refusal(flush(root, headers=headers)) == (403, "cross_site")
        assert counts(*TOLD) == before
        assert flush(root, headers={"Origin": "http://testserver"}).status == 200

    @pytest.mark.alike
    def test_in_development_either(self, told: None, settings: Any) -> None:
        settings.DEBUG = True
        answer = DjangoDoor().send("POST", PATH, headers={"Host": "localhost"}, peer="127.0.0.1")
        assert refusal(answer) == (401, "signed_out")

    @pytest.mark.parametrize("slash", ["", "/"])
    def test_the_other_methods(self, door: Door, slash: str) -> None:
        answer = door.send("GET", f"/api/flush{slash}")
        assert (refusal(answer), answer.headers["allow"]) == ((405, "method_not_allowed"), "POST")


def test_it_leaves_a_trace(told: None, root: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="telemetry"):
        answer = flush(root)
    deleted, backup = answer.json()["deleted"], answer.json()["backup"]
    assert [record.getMessage() for record in caplog.records if record.name == "telemetry"] == [
        f"flush: begun by root (account {root.pk}), backup {backup}",
        f"flush: ended, deleted {deleted}",
    ]
    entry = LogEntry.objects.get()
    assert (entry.user, entry.action_flag, entry.object_repr) == (root, DELETION, "all telemetry")
    assert entry.get_change_message() == f"Deleted {deleted}. Backup: {backup}"
    browser = Client()
    browser.force_login(root)
    assert "all telemetry" in browser.get("/admin/").content.decode()


@pytest.mark.sqlite_only
class TestBackup:
    def test_all_that_was_there(self, told: None, root: User, backups: Backups) -> None:
        expected = counts(*TOLD, *KEPT)
        with time_machine.travel(NOW, tick=False):
            name = flush(root).json()["backup"]
        (path,) = backups.paths()
        assert (path, path.name) == (backups.path(NOW), name)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert [other.name for other in path.parent.glob(f"{path.name}-*")] == []
        with closing(sqlite3.connect(path)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            found = {table: copy.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in expected}
        assert found == expected
        for leftover in path.parent.glob(f"{path.name}-*"):
            leftover.unlink()

    def test_without_one_nothing_is_deleted(self, told: None, root: User, backups: Backups) -> None:
        before = counts(*TOLD, LogEntry)
        backups.path(NOW).write_bytes(b"somebody's")
        with time_machine.travel(NOW, tick=False):
            answer = flush(root)
        assert (refusal(answer), counts(*TOLD, LogEntry)) == ((503, "backup_failed"), before)
        assert str(backups.path(NOW).parent) not in answer.json()["detail"]
        assert backups.path(NOW).read_bytes() == b"somebody's"
