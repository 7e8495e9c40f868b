"""Old readings go while meters send, and the server is killed in the midst of it: none of the new ones is lost, and the
figures of the old ones are what they were, none of them counted twice."""

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
import pytest

from tests.support.ledger import Database
from tests.support.length import length
from tests.support.server import LiveServer, fresh_database, live_server
from tests.support.staff import Device, Staff
from tests.support.traffic import check_stored, traffic

OLD: Final = length(15_000, 30_000)
"""Readings, one a minute: ten days, at night three weeks. Their keys are the first."""
WORKERS: Final[dict[str, Any]] = length({"WORKERS": "1"}, {})
"""By day one process: whether the one that has died is still alive is asked alike, and each takes a second to start."""
FIELDS: Final = "device_id, occurred_at, received_at, payload"
LEFT: Final = f"SELECT count(*) FROM device_gateway_devicetelemetry WHERE id <= {OLD}"

pytestmark = pytest.mark.real_server


def fill(server: LiveServer, device: Device) -> None:
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=60)
    moments = [str(first + timedelta(minutes=number))[:19] for number in range(OLD)]
    moments.append(str(datetime.now(UTC) - timedelta(days=2))[:19])  # to be kept; it has gone on since
    rows = [(device.pk, moment, moment, json.dumps({"kwh": number})) for number, moment in enumerate(moments)]
    if server.database_url.startswith("sqlite"):
        with closing(sqlite3.connect(server.database_url.removeprefix("sqlite:///"))) as connection, connection:
            statement = f"INSERT INTO device_gateway_devicetelemetry ({FIELDS}) VALUES (?, ?, ?, ?)"
            connection.executemany(statement, rows)
    else:
        with psycopg.connect(server.database_url) as postgres, postgres.cursor() as cursor:
            cursor.execute("SET timezone TO 'UTC'")
            with cursor.copy(f"COPY device_gateway_devicetelemetry ({FIELDS}) FROM STDIN".encode()) as copy:
                for row in rows:
                    copy.write_row(row)


def wait(until: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_it_works() -> None:
    with fresh_database() as url, live_server(url, RETENTION_READINGS="30", **WORKERS) as server:
        staff, database = Staff(server.url), Database(server.database_url)

        def left() -> int:
            return int(next(database._read(LEFT))[0])

        meter, *others = staff.enrol(6)
        server.stop()
        fill(server, meter)
        server.start()
        with traffic(server, others, pause=0.3) as load:
            wait(lambda: left() < OLD - 2_000, 60)
            server.kill()
            assert left() > 0  # else nothing was interrupted
            server.start()
            load.wait_for(50)
            wait(lambda: left() == 0, 240)  # the lease of who was killed lapses after nine seconds
            load.wait_for(50)
        check_stored(server, load.journal)
        day = f"/gateway/devices/{meter.pk}/telemetry?bucket=day&fields=kwh"
        days = staff.call("GET", day, bearer=staff.sign_in()).json()["results"]
        figures = [one["fields"]["kwh"] for one in days]
        assert sum(one["count"] for one in days) == sum(one["count"] for one in figures) == OLD + 1
        assert (figures[0]["min"], figures[-2]["max"], figures[-2]["last"]) == (0, OLD - 1, OLD - 1)
        means = [one["mean"] for one in figures[1:-2]]
        assert means == pytest.approx([means[0] + 1440 * number for number in range(len(means))])
