"""`python -m bench.history EVENTS [OUTLETS]`: a year of events of 1,000 devices at 50 outlets, unless told, with their
counts by hour and day, in the database of DATABASE_URL.

Made inside the database by its own SQL: a client would take longer to send ten million rows than to measure them. Every
day has as many events, between 8 and 20 o'clock; each device has its share of every day's.
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import django
from django.core.management import call_command

DEVICES, OUTLETS, DAYS = 1_000, 50, 365
OPENS, OPEN_SECONDS = 8 * 3600, 12 * 3600

_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})",
    "postgresql": "WITH n(i) AS (SELECT generate_series(0::bigint, {count} - 1))",
}
_TIME = {"sqlite": "datetime({seconds}, 'unixepoch')", "postgresql": "to_timestamp({seconds})"}
_EVENTS = """
INSERT INTO telemetry_telemetryevent (device_id, event_id, event, event_type, treatment, counter, occurred_at,
  received_at, device_timestamp, clock_suspect, wifi_status, source, payload, machine_id, outlet_id)
{numbers},
placed AS (
  SELECT i, (i * 617 + i / {per_day}) % {devices} AS place,
    {start} + i / {per_day} * 86400 + {opens} + i % {per_day} * {open_seconds} / {per_day} AS at,
    CASE WHEN i * 7919 % 10 < 6 THEN 'BASIC' WHEN i * 7919 % 10 < 9 THEN 'STANDARD' ELSE 'PREMIUM' END AS treatment
  FROM n)
SELECT {first_device} + place, 'A-' || (10000000 + i), 'treatment', treatment, treatment, i / {devices}, {occurred},
  {received}, {occurred_text}, {false}, 'home', 'device', '{{"rssi": -61}}', {first_machine} + place,
  {first_outlet} + place % {outlets}
FROM placed
"""
_COUNTS = """
INSERT INTO telemetry_{table} (device_id, machine_id, outlet_id, starts_at, basic, standard, premium)
SELECT device_id, machine_id, outlet_id, {starts_at}, {sums} FROM {source} GROUP BY 1, 2, 3, 4
"""
_START_OF = {
    "sqlite": {"hour": "substr({}, 1, 13) || ':00:00'", "day": "substr({}, 1, 10) || ' 00:00:00'"},
    "postgresql": {"hour": "date_trunc('hour', {}, 'UTC')", "day": "date_trunc('day', {}, 'UTC')"},
}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    from django.db import connection

    outlets = int(sys.argv[2]) if len(sys.argv) > 2 else OUTLETS
    first = _make_places(outlets)
    vendor = connection.vendor
    per_day = max(100, int(sys.argv[1]) // DAYS)
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = int((midnight - timedelta(days=DAYS)).timestamp())
    occurred = _TIME[vendor].format(seconds="at")
    events = _EVENTS.format(
        numbers=_NUMBERS[vendor].format(count=per_day * DAYS),
        per_day=per_day,
        devices=DEVICES,
        outlets=outlets,
        start=start,
        opens=OPENS,
        open_seconds=OPEN_SECONDS,
        occurred=occurred,
        received=_TIME[vendor].format(seconds="at + 3"),
        occurred_text=occurred if vendor == "sqlite" else f"{occurred}::text",
        false="0" if vendor == "sqlite" else "false",
        **first,
    )
    pressed = [f"SUM(CASE WHEN treatment = '{name}' THEN 1 ELSE 0 END)" for name in ("BASIC", "STANDARD", "PREMIUM")]
    hour, day = (_START_OF[vendor][unit] for unit in ("hour", "day"))
    with connection.cursor() as cursor:
        if vendor == "sqlite":
            # Written once, not to a log first. Whoever opens it next has a log again.
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -800000"):
                cursor.execute(f"PRAGMA {pragma}")
        indexes = _drop_indexes(cursor, vendor)
        cursor.execute(events)
        cursor.execute(
            _COUNTS.format(
                table="hourlycount",
                starts_at=hour.format("occurred_at"),
                sums=", ".join(pressed),
                source="telemetry_telemetryevent",
            )
        )
        cursor.execute(
            _COUNTS.format(
                table="dailycount",
                starts_at=day.format("starts_at"),
                sums="SUM(basic), SUM(standard), SUM(premium)",
                source="telemetry_hourlycount",
            )
        )
        for statement in indexes:
            cursor.execute(statement)
        if vendor == "postgresql":
            cursor.execute("ANALYZE")


def _make_places(number: int) -> dict[str, int]:
    """Devices, so many outlets, and a machine for each device; the first id of each."""
    from device_gateway.models import Device, DeviceName, DeviceState
    from telemetry.models import Machine, MachineDevice, Outlet

    since = datetime.now(UTC) - timedelta(days=DAYS + 30)
    outlets = Outlet.objects.bulk_create(Outlet(name=f"Outlet {place}") for place in range(number))
    devices = Device.objects.bulk_create(
        [Device(name=f"ESP32 {n}", device_id=f"bench-{n}", assigned=True, created_at=since) for n in range(DEVICES)]
    )
    DeviceName.objects.bulk_create(DeviceName(name=str(device.device_id), device=device) for device in devices)
    DeviceState.objects.bulk_create(DeviceState(device=device) for device in devices)
    machines = Machine.objects.bulk_create(
        Machine(name=f"Machine {n}", outlet=outlets[n % number], device=device) for n, device in enumerate(devices)
    )
    MachineDevice.objects.bulk_create(
        MachineDevice(machine=machine, device=machine.device, outlet=machine.outlet, assigned_date=since)
        for machine in machines
    )
    return {"first_device": devices[0].pk, "first_machine": machines[0].pk, "first_outlet": outlets[0].pk}


def _drop_indexes(cursor: Any, vendor: str) -> list[str]:
    """Drops the indexes of the three tables that no constraint needs; returns the statements that make them again,
    at once and faster.
    """
    tables = ("telemetry_telemetryevent", "telemetry_hourlycount", "telemetry_dailycount")
    named = ", ".join(f"'{table}'" for table in tables)
    if vendor == "sqlite":
        cursor.execute(
            f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ({named})"
        )
    else:
        cursor.execute(
            f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({named})"
            " AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
    found = cursor.fetchall()
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    return [statement for _, statement in found]


if __name__ == "__main__":
    main()
