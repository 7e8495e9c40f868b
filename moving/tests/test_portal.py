"""The meters' portal: meters go on with their keys, encrypted ones too, and their past is theirs."""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import Device, DeviceTelemetry, ProvisioningToken
from device_gateway.secret import hash_secret
from moving.services import move_in
from moving.sources import NoSource, Source, open_source
from moving.tests.conftest import move
from moving.tests.old import FIRST, Old, person
from tests.support.doors import Door

pytestmark = pytest.mark.django_db
INGEST = "/gateway/device-data/ingest"
KEY = os.urandom(32)
SECRETS = {1: "s" * 43, 2: "t" * 43}


@pytest.fixture
def furnished(portal: Old) -> Old:
    portal.add("auth_user", person(7, "vera", email="v@example.com"))
    for number, secret in SECRETS.items():
        portal.add(
            "device_gateway_device",
            {"id": 500 + number, "name": f"Meter {number}", "owner_id": 7, "location": "Line A",
             "last_seen": "2026-01-05 00:00:00", "device_secret": secret if number == 1 else None,
             "device_secret_hash": hash_secret(secret), "created_at": "2026-01-01 00:00:00",
             "encryption_key_b64": base64.b64encode(KEY).decode() if number == 2 else ""},
        )  # fmt: skip
    portal.add("device_gateway_device", {"id": 503, "name": "Unclaimed", "created_at": "2026-01-01 00:00:00"})
    token = {"device_id": 503, "metadata": {"line": 3}, "created_at": "2026-01-01 00:00:00", "issued_by_id": 7}
    later = (timezone.now() + timedelta(days=3)).strftime("%Y-%m-%d %H:%M:%S")
    portal.add(
        "device_gateway_deviceprovisioningtoken",
        {"id": 1, "token_hash": hash_secret("pending-token"), "expires_at": later, **token},
        {"id": 2, "token_hash": hash_secret("used"), "used_at": "2026-01-02 00:00:00", **token},
        {"id": 3, "token_hash": hash_secret("expired"), "expires_at": "2026-01-02 00:00:00", **token},
    )
    reading = {"device_id": 501, "received_at": "2026-01-03 10:00:00"}
    portal.add(
        "device_gateway_devicetelemetry",
        {"id": 1, "payload": {"voltage": 228.4}, **reading},
        {"id": 2, "payload": {"voltage": 229, "timestamp": "2026-01-03 17:00:00"}, **reading},
        {"id": 3, "payload": "[1, 2]", **reading},
        {"id": 4, "payload": '{"a": NaN}', **reading},
        {"id": 5, "payload": {}, "device_id": 999, "received_at": "2026-01-03 10:00:00"},
    )
    return portal


def test_it_works(furnished: Old) -> None:
    report = move(furnished)
    assert report.differences() == []
    assert {name: tuple(vars(table).values()) for name, table in report.tables.items()} == {
        "auth_user": (1, 1, 0, 0),
        "device_gateway_device": (3, 3, 0, 0),
        "device_gateway_deviceprovisioningtoken": (3, 1, 0, 2),
        "device_gateway_devicetelemetry": (5, 3, 0, 2),
    }
    meters = list(Device.objects.order_by("pk").values_list("pk", "device_id", "name", "location", "assigned"))
    assert meters == [
        (501, "dev-501", "Meter 1", "Line A", True),
        (502, "dev-502", "Meter 2", "Line A", True),
        (503, "dev-503", "Unclaimed", "", False),
    ]
    assert {device.owner for device in Device.objects.filter(pk__lt=503)} == {User.objects.get(username="vera")}
    rows = DeviceTelemetry.objects.order_by("pk").values_list("device", "message_id", "payload", "occurred_at")
    received = datetime(2026, 1, 3, 10, tzinfo=UTC)
    assert list(rows) == [
        (501, "moved-portal-1", {"voltage": 228.4}, received),
        (501, "moved-portal-2", {"voltage": 229, "timestamp": "2026-01-03 17:00:00"}, received - timedelta(hours=1)),
        (501, "moved-portal-3", {"value": [1, 2]}, received),
    ]
    state = Device.objects.get(pk=501).state
    assert (state.last_seen, state.latest_payload) == (datetime(2026, 1, 5, tzinfo=UTC), {"value": [1, 2]})
    again = move(furnished)
    assert DeviceTelemetry.objects.count() == 3
    assert again.tables["device_gateway_devicetelemetry"].there == 3
    # The next device of ours gets a number of its own.
    assert Device.objects.create(name="new").pk > 503


@pytest.mark.django_db(transaction=True)
def test_meters_go_on_with_their_old_keys(furnished: Old, door: Door) -> None:
    move(furnished)
    assert door.post(INGEST, {"voltage": 1}, SECRETS[1]).status == 201
    nonce = os.urandom(12)
    sealed = AESGCM(KEY).encrypt(nonce, json.dumps({"voltage": 2}).encode(), None)
    b64 = lambda raw: base64.b64encode(raw).decode()  # noqa: E731
    envelope = {"algorithm": "AESGCM", "nonce": b64(nonce), "ciphertext": b64(sealed)}
    assert door.post(INGEST, envelope, SECRETS[2]).status == 201
    assert Device.objects.get(pk=502).state.latest_payload == {"voltage": 2}
    assert door.post(INGEST, {"plain": 1}, SECRETS[2]).json()["code"] == "encryption_required"


@pytest.mark.django_db(transaction=True)
def test_a_pending_token_can_be_claimed(furnished: Old, door: Door) -> None:
    move(furnished)
    row = ProvisioningToken.objects.get()
    assert (row.issuer_name, row.metadata, row.state_at(timezone.now())) == ("vera", {"line": 3}, "Pending")
    claimed = door.post("/api/devices/claim", {"token": "pending-token"})
    assert (claimed.status, claimed.json()["device_id"]) == (201, 503)
    assert door.post(INGEST, {"voltage": 1}, claimed.json()["api_key"]).status == 201
    assert door.post("/api/devices/claim", {"token": "used"}).status == 400


def test_old_readings_must_stay_until_it_is_over(furnished: Old, settings: Settings) -> None:
    """Deleted, they would come again with the next pass, and count twice among what is left of them."""
    settings.RETENTION_READINGS = 30
    with pytest.raises(NoSource, match="RETENTION_READINGS is set"):
        move(furnished)
    assert not Device.objects.exists()
    assert move(furnished, is_dry=True).differences() == []


def test_keys_need_somewhere_to_go(furnished: Old, settings: Settings) -> None:
    settings.DEVICE_DATA_KEY = []
    with pytest.raises(NoSource, match="set DEVICE_DATA_KEY first"):
        move(furnished)
    assert not Device.objects.exists()


class TestCommand:
    def test_the_report_is_a_file_for_its_owner(self, furnished: Old, tmp_path: Any, capsys: Any) -> None:
        path = tmp_path / "report.json"
        call_command("move_in", str(furnished.path), "--report", str(path), "--time-zone", "Asia/Kuala_Lumpur")
        report = json.loads(path.read_text())
        assert (report["generation"], report["dry_run"], report["differences"]) == ("portal", False, [])
        assert {
            "table": "device_gateway_devicetelemetry",
            "row": "5",
            "why": "Its device 999 is not in the source.",
        } in (report["rows"])
        assert path.stat().st_mode & 0o777 == 0o600
        shown = capsys.readouterr().out
        assert "device_gateway_devicetelemetry" in shown and "Every row and remark" in shown
        for secret in (*SECRETS.values(), hash_secret(SECRETS[1])):
            assert secret not in shown + path.read_text()

    def test_what_is_no_source(self, tmp_path: Any, first: Old) -> None:
        empty = tmp_path / "empty.sqlite3"
        empty.touch()
        text = tmp_path / "notes.txt"
        text.write_text("no database " * 200)
        for source, sentence in (
            (tmp_path / "nowhere", "There is no file"),
            (text, "cannot be read as a SQLite database"),
            (empty, "those of no earlier system"),
        ):
            with pytest.raises(CommandError, match=sentence):
                call_command("move_in", str(source))
        with pytest.raises(CommandError, match="is no time zone"):
            call_command("move_in", str(first.path), "--time-zone", "Mars/Olympus")
        with pytest.raises(CommandError, match="ISO 8601"):
            call_command("move_in", str(first.path), "--since", "soon")

    def test_our_own_database_is_none(self, tmp_path: Any) -> None:
        ours = Old(tmp_path / "ours.sqlite3", (*FIRST, "CREATE TABLE device_gateway_devicestate (device_id integer)"))
        with pytest.raises(CommandError, match="a database of this system"):
            call_command("move_in", str(ours.path))


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a source on PostgreSQL needs one")
@pytest.mark.django_db(transaction=True)
def test_a_source_on_postgresql(furnished: Old) -> None:
    """The portal's other database: times with zones, JSON as values."""
    with on_postgresql(furnished) as source:
        report = move_in(source, zone=ZoneInfo("Asia/Kuala_Lumpur"), progress=lambda *_: None)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            source.query("DELETE FROM device_gateway_device RETURNING id")
    assert report.differences() == []
    assert report.tables["device_gateway_devicetelemetry"].added == 3
    first, second, _ = DeviceTelemetry.objects.order_by("pk")
    assert (first.payload, first.received_at) == ({"voltage": 228.4}, datetime(2026, 1, 3, 10, tzinfo=UTC))
    assert second.occurred_at == datetime(2026, 1, 3, 9, tzinfo=UTC)
    assert Device.objects.create(name="new").pk > 503


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a source on PostgreSQL needs one")
@pytest.mark.django_db(transaction=True)
def test_a_table_on_postgresql_whose_rows_have_no_names(furnished: Old) -> None:
    with (
        on_postgresql(
            furnished,
            "ALTER TABLE old.device_gateway_devicetelemetry DROP CONSTRAINT device_gateway_devicetelemetry_pkey",
            "UPDATE old.device_gateway_devicetelemetry SET id = 1",
        ) as source,
        pytest.raises(NoSource, match="device_gateway_devicetelemetry has no primary key"),
    ):
        move_in(source, zone=ZoneInfo("Asia/Kuala_Lumpur"), progress=lambda *_: None)
    assert not Device.objects.exists()


@contextmanager
def on_postgresql(old: Old, *changes: str) -> Iterator[Source]:
    """A source whose tables are a schema `old` of the test's database, for as long; changed so before it is opened."""
    to_postgres(old, "old")
    settings = connection.settings_dict
    url = f"postgresql://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"
    with connection.cursor() as cursor:
        for change in changes:
            cursor.execute(change)
    source = open_source(f"{url}?options=-csearch_path%3Dold")
    try:
        yield source
    finally:
        source.close()
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA old CASCADE")


def to_postgres(old: Old, schema: str) -> None:
    """Copies the tables of a SQLite source into a schema of the test's database, typed as Django types them."""
    types = {"payload": "jsonb", "metadata": "jsonb", "received_at": "timestamptz", "created_at": "timestamptz"}
    source = open_source(str(old.path))
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA {schema}")
        for table, columns in source.columns.items():
            typed = [f"{name} {types.get(name, 'bigint' if name.endswith('id') else 'text')}" for name in columns]
            cursor.execute(f"CREATE TABLE {schema}.{table} ({', '.join(typed)}, PRIMARY KEY (id))")
            for row in source.query(f"SELECT * FROM {table}"):
                if row.get("payload") == '{"a": NaN}':
                    row["payload"] = '"text alone"'  # jsonb takes no NaN
                    row["device_id"] = 998
                values = ", ".join(["%s"] * len(row))
                cursor.execute(f"INSERT INTO {schema}.{table} VALUES ({values})", list(row.values()))
    source.close()


def test_an_unreachable_postgresql_tells_no_password() -> None:
    with pytest.raises(NoSource) as caught:
        open_source("postgresql://someone:s3cret@127.0.0.1:1/none")
    assert "s3cret" not in str(caught.value)
