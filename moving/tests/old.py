"""Databases of the earlier systems, made for tests: the tables as they are found, with what real ones hold wrongly."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

TOKENS = ("first-machines-own-token-0123456789", "second-machines-token-0123456789", "third-machines-token-0123456789")
MACS = ("EC:E3:34:46:2B:C0", "EC:E3:34:46:2B:C1", "EC:E3:34:46:2B:C2")

AUTH_USER = """CREATE TABLE auth_user (id integer PRIMARY KEY, password text, last_login text, is_superuser bool,
    username text UNIQUE, first_name text, last_name text, email text, is_staff bool, is_active bool,
    date_joined text)"""
USER = """CREATE TABLE telemetry_user (id integer PRIMARY KEY, password text, last_login text, is_superuser bool,
    username text UNIQUE, first_name text, last_name text, email text, is_staff bool, is_active bool, date_joined text,
    role text)"""
DEVICE = """CREATE TABLE telemetry_device (id integer PRIMARY KEY, mac text, device_id text, token text, assigned bool,
    firmware text, last_seen text, notes text)"""
EVENT = """CREATE TABLE telemetry_telemetryevent (id integer PRIMARY KEY, device_id text, event_type text, event text,
    treatment text, counter integer, event_id text UNIQUE, count_basic integer, count_standard integer,
    count_premium integer, occurred_at text, device_timestamp text, wifi_status text, payload text)"""
STATUS = """CREATE TABLE telemetry_devicestatus (id integer PRIMARY KEY, device_id text, last_seen text,
    wifi_connected bool, rtc_available bool, sd_card_available bool, current_count_basic integer,
    current_count_standard integer, current_count_premium integer, uptime_seconds integer, device_timestamp text"""
USAGE = """CREATE TABLE telemetry_usagestatistics (id integer PRIMARY KEY, device_id text, date text,
    basic_count integer, standard_count integer, premium_count integer)"""
FIRST = (
    AUTH_USER,
    DEVICE,
    EVENT,
    STATUS + ")",
    USAGE,
    """CREATE TABLE telemetry_outlet (id integer PRIMARY KEY, name text UNIQUE, location text, address text,
    contact_person text, contact_phone text, is_active bool, average_intage_services real, number_of_machines integer,
    total_sva integer)""",
    """CREATE TABLE telemetry_machine (id integer PRIMARY KEY, name text, machine_type text, is_active bool,
    installed_date text, last_maintenance text, notes text, outlet_id integer)""",
    """CREATE TABLE telemetry_machinedevice (id integer PRIMARY KEY, machine_id integer, device_id text, is_active bool,
    assigned_date text, deactivated_date text, notes text)""",
)
SECOND = (
    USER,
    DEVICE,
    EVENT,
    STATUS + ", last_poll text)",
    USAGE,
    """CREATE TABLE telemetry_outlet (outlet_id integer PRIMARY KEY, outlet_name text, pic_sm text, sm_number text,
    total_sva integer, avg_intake_service real, num_machines integer, region text)""",
    """CREATE TABLE telemetry_machine (machine_id integer PRIMARY KEY, machine_code text, device_id integer,
    outlet_id integer, installed_at text, is_active bool)""",
    """CREATE TABLE telemetry_command (id integer PRIMARY KEY, command_id text, command_type text, priority text,
    payload text, description text, status text, created_at text, sent_at text, executed_at text, response_data text,
    error_message text, retry_count integer, expires_at text, created_by_id integer, device_id integer)""",
)
PORTAL = (
    AUTH_USER,
    """CREATE TABLE device_gateway_device (id integer PRIMARY KEY, name text, owner_id integer, location text,
    latest_payload text, last_seen text, device_secret text, device_secret_hash text, encryption_key_b64 text,
    created_at text, source_device_id text)""",
    """CREATE TABLE device_gateway_deviceprovisioningtoken (id integer PRIMARY KEY, device_id integer, token_hash text,
    expires_at text, used_at text, metadata text, created_at text, issued_by_id integer)""",
    """CREATE TABLE device_gateway_devicetelemetry (id integer PRIMARY KEY, device_id integer, payload text,
    received_at text)""",
)


class Old:
    """A database of an earlier system."""

    def __init__(self, path: Path, tables: Sequence[str]) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as connection:
            for statement in tables:
                connection.execute(statement)

    def add(self, table: str, *rows: dict[str, Any]) -> None:
        self.fill(table, rows)

    def fill(self, table: str, rows: Iterable[dict[str, Any]]) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for row in rows:
                names = ", ".join(row)
                values = [json.dumps(value) if isinstance(value, (dict, list)) else value for value in row.values()]
                connection.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", values)

    def run(self, sql: str, *values: Any) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(sql, values)


def person(number: int, username: str, password: str = "!", **more: Any) -> dict[str, Any]:
    row = {"id": number, "username": username, "password": password, "is_superuser": 0, "is_staff": 0, "is_active": 1}
    return {**row, "first_name": "", "last_name": "", "email": "", "date_joined": "2025-01-01 00:00:00", **more}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def press(number: int, device: str, kind: str, inserted: str, **more: Any) -> dict[str, Any]:
    return {"id": number, "device_id": device, "event_type": kind, "occurred_at": inserted, **more}
