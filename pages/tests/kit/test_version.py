"""When a page has to look again because a device fell silent: by index, at the very moment."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from device_gateway.models import Device, DeviceState
from ozone.intake.sql import moment
from pages.kit.version import SOURCES, version
from telemetry.presence import moments

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
ONLINE, IDLE, POLLING = timedelta(minutes=16), timedelta(hours=1), timedelta(seconds=90)


def heard(**times: timedelta) -> None:
    device = Device.objects.create(assigned=True)
    found = {name: NOON - ago for name, ago in times.items()}
    assert DeviceState.objects.filter(device=device).update(**found)


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("source", "threshold", "times"),
    [
        ("presence", ONLINE, {"last_seen": ONLINE}),
        ("presence", ONLINE, {"last_poll": ONLINE, "last_seen": IDLE * 2}),
        ("presence", IDLE, {"last_seen": IDLE}),
        ("presence", IDLE, {"last_poll": IDLE, "last_seen": timedelta()}),
        ("polling", POLLING, {"last_poll": POLLING}),
    ],
)
def test_another_version_when_one_crosses_a_threshold(
    source: str, threshold: timedelta, times: dict[str, timedelta]
) -> None:
    for ago in (timedelta(seconds=1), ONLINE + POLLING, IDLE + POLLING):
        heard(last_seen=ago)
        heard(last_poll=ago, last_seen=ago)
    heard(**times)
    before = version(NOON - MOMENT, [source])
    assert version(NOON, [source]) == before
    assert version(NOON + MOMENT, [source]) != before


@pytest.mark.parametrize("polls", [True, False])
def test_another_version_when_one_is_heard(polls: bool) -> None:
    heard(last_seen=timedelta(seconds=9), last_poll=timedelta(seconds=1))
    heard(last_seen=IDLE, **({"last_poll": IDLE} if polls else {}))
    before = version(NOON, ["presence"])
    DeviceState.objects.filter(last_seen=NOON - IDLE).update(last_seen=NOON - timedelta(milliseconds=1))
    assert version(NOON, ["presence"]) != before


@pytest.mark.parametrize(
    ("source", "indexes"),
    [("presence", {"state_polled", "state_seen", "state_seen_too"}), ("polling", {"state_polled"})],
)
def test_however_many_devices_there_are(source: str, indexes: set[str]) -> None:
    query = SOURCES[source]
    given = {name: moment(connection, at) for name, at in moments(NOON).items() if f"%({name})s" in query}
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Of an empty table each index costs the same.
            devices = Device.objects.bulk_create([Device(device_id=f"d{number}") for number in range(500)])
            times = [NOON - timedelta(minutes=number) for number in range(500)]
            DeviceState.objects.bulk_create(
                DeviceState(device=device, last_poll=at if number % 2 else None, last_seen=at)
                for number, (device, at) in enumerate(zip(devices, times, strict=True))
            )
            cursor.execute("ANALYZE device_gateway_devicestate")
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + query, given)
        plan = "\n".join(str(row) for row in cursor.fetchall())
    assert {word for word in re.findall(r"\w+", plan) if word.startswith("state_")} == indexes
    assert "SCAN device" not in plan and "Seq Scan" not in plan
