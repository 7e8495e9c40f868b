"""`backup` and `restore`: whole, private, compared; and nothing is overwritten or half there."""

import fcntl
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from device_gateway.models import Device
from moving.backups.files import beside
from moving.tests.filled import run
from tests.support import needs
from tests.support.estate import settle
from tests.support.server import migrated_file

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("write_path"), pytest.mark.thorough]


@pytest.fixture(autouse=True)
def _its_programs() -> None:
    if connection.vendor == "postgresql" and needs.postgresql() is None:
        pytest.skip("pg_dump is not here")


def take(folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    call_command("backup", folder)
    assert "Not in it: DJANGO_SECRET_KEY and DEVICE_DATA_KEY." in capsys.readouterr().out
    (about,) = folder.glob("ozone-*.json")
    return about.with_suffix("")


def test_a_backup_is_restored_and_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settle("kept", None)
    backup = take(tmp_path, capsys)
    assert sorted(tmp_path.iterdir()) == [backup, beside(backup)], "and nothing half written"
    assert [path.stat().st_mode & 0o777 for path in (backup, beside(backup))] == [0o600, 0o600]
    Device.objects.update(name="changed since")
    call_command("restore", backup, verify=True)
    assert "The backup is good" in capsys.readouterr().out
    assert sorted(tmp_path.iterdir()) == [backup, beside(backup)], "the scratch database is gone"
    assert set(Device.objects.values_list("name", flat=True)) == {"changed since"}
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_database WHERE datname LIKE 'ozone_restore_%'")
            assert cursor.fetchone() == (0,)


def test_what_differs_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    settle("kept", None)
    backup = take(tmp_path, capsys)
    about = json.loads(beside(backup).read_text())
    devices = about["contents"]["tables"]["device_gateway_device"]
    about["contents"]["tables"] |= {"device_gateway_device": devices + 1, "gone": 3}
    about["contents"]["newest"]["telemetry_telemetryevent"] = "number 99 of device 1, received at noon"
    about["contents"]["migrations"].append("telemetry.9999_of_tomorrow")
    beside(backup).write_text(json.dumps(about))
    settings.DEVICE_DATA_KEY = ("c29tZWJvZHkgZWxzZSdzIGtleSwgMzIgYnl0ZXMgbG8=",)
    settings.SECRET_KEY = "another one"
    with pytest.raises(CommandError, match="not good"):
        call_command("restore", backup, verify=True)
    said = capsys.readouterr().err
    for sentence in (
        f"device_gateway_device: {devices + 1} rows were backed up, {devices} are there.",
        "gone: 3 rows were backed up, no are there.",
        "telemetry_telemetryevent: the newest was number 99 of device 1, received at noon, and is number",
        "made by another release: telemetry.9999_of_tomorrow are not known here.",
        "DEVICE_DATA_KEY is not the one that the backup's server had",
        "DJANGO_SECRET_KEY is not the one that the backup's server had",
    ):
        assert sentence in said


def test_one_bit_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    backup = take(tmp_path, capsys)
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    backup.write_bytes(content)
    with pytest.raises(CommandError, match="SHA-256 differs"):
        call_command("restore", backup, verify=True)
    beside(backup).unlink()
    with pytest.raises(CommandError, match="is missing, which says what"):
        call_command("restore", backup, verify=True)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "mine"
    for there in (target, beside(target)):
        there.write_text("kept")
        with pytest.raises(CommandError, match="is there already, and is not overwritten"):
            call_command("backup", target)
        assert [path.read_text() for path in tmp_path.iterdir()] == ["kept"]
        there.unlink()
    with pytest.raises(CommandError, match="There is no folder"):
        call_command("backup", tmp_path / "nowhere" / "mine")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 4096, 4096))
    with pytest.raises(CommandError, match=r"no room|nothing was written"):
        call_command("backup", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_backup_left_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("dead.lock", "dead.part", "dead.part-wal", "alive.lock", "alive.part"):
        (tmp_path / f".ozone-{name}").touch()
    with (tmp_path / ".ozone-alive.lock").open() as another:
        fcntl.flock(another, fcntl.LOCK_EX)
        backup = take(tmp_path, capsys)
    left = {path.name for path in tmp_path.iterdir()} - {backup.name, beside(backup).name}
    assert left == {".ozone-alive.lock", ".ozone-alive.part"}


def people(database: Path) -> list[tuple[str]]:
    with closing(sqlite3.connect(database)) as made:
        return made.execute("SELECT username FROM auth_user").fetchall()


@pytest.mark.sqlite_only
def test_restored_in_place_while_nobody_has_it_open(tmp_path: Path) -> None:
    database, backup = tmp_path / "db.sqlite3", tmp_path / "backup"
    url = f"sqlite:///{database}"
    shutil.copy(migrated_file(), database)
    with closing(sqlite3.connect(database)) as filling, filling:
        filling.execute("INSERT INTO auth_user VALUES (1, '!', NULL, 0, 'vera', '', '', 0, 1, '2025-01-01', '')")
    assert run(url, "backup", str(backup)).returncode == 0
    with closing(sqlite3.connect(database)) as server:
        server.execute("UPDATE auth_user SET username = 'since'")
        server.commit()
        done = run(url, "restore", str(backup), "--replace")
        assert (done.returncode, "is open: stop the server first" in done.stderr) == (1, True), done.stderr
        assert people(database) == [("since",)]
    done = run(url, "restore", str(backup))
    assert (done.returncode, "With --replace it is kept aside" in done.stderr) == (1, True), done.stderr
    done = run(url, "restore", str(backup), "--replace")
    assert (done.returncode, "need a new token" in done.stdout) == (0, True), done.stderr
    assert people(database) == [("vera",)]
    (aside,) = tmp_path.glob("db.sqlite3.before-restore-*Z")
    assert people(aside) == [("since",)]
    assert database.stat().st_mode & 0o777 == 0o600
    other = run("postgres://nobody@127.0.0.1:1/none", "restore", str(backup))
    assert "This is a backup of sqlite, and DATABASE_URL names postgresql." in other.stderr
