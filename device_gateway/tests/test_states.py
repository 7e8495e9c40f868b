"""When any device was heard last: the answer, and that none but it is read."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device, DeviceState
from device_gateway.states import newest_heard

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def heard(*, seen: int | None = None, polled: int | None = None) -> None:
    """A device, so many minutes before noon."""
    state = DeviceState.objects.filter(device=Device.objects.create())
    times = {"last_seen": seen, "last_poll": polled}
    state.update(**{name: None if ago is None else NOON - ago * MINUTE for name, ago in times.items()})


def test_whatever_it_said_and_not_after_the_moment() -> None:
    assert newest_heard(NOON) is None
    heard()
    assert newest_heard(NOON) is None
    heard(polled=-1, seen=-1)
    heard(seen=-1)
    assert newest_heard(NOON) is None
    heard(polled=9, seen=8)  # a message after its poll
    assert newest_heard(NOON) == NOON - 8 * MINUTE
    heard(polled=7, seen=8)
    assert newest_heard(NOON) == NOON - 7 * MINUTE
    heard(polled=6)
    assert newest_heard(NOON) == NOON - 6 * MINUTE
    heard(seen=5)
    assert newest_heard(NOON) == NOON - 5 * MINUTE
    heard(seen=0)
    assert newest_heard(NOON) == NOON
    heard(polled=-1, seen=4)  # its poll is of a clock that was ahead, its message is not
    assert newest_heard(NOON - MINUTE) == NOON - 4 * MINUTE


def test_by_index() -> None:
    for ago in range(100):
        heard(seen=ago, polled=ago)
        heard(seen=ago)
    with CaptureQueriesContext(connection) as queries:
        newest_heard(NOON)
    plans = []
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # of a table without rows or figures each way costs the same
            cursor.execute("ANALYZE device_gateway_devicestate")
            cursor.execute("SET LOCAL enable_seqscan = off")
            cursor.execute("SET LOCAL enable_bitmapscan = off")
        for query in queries.captured_queries:
            cursor.execute(("EXPLAIN QUERY PLAN " if connection.vendor == "sqlite" else "EXPLAIN ") + query["sql"])
            plans.append("\n".join(str(row) for row in cursor.fetchall()))
    assert [set(re.findall(r"state_\w+", plan)) for plan in plans] == [
        {"state_polled"}, {"state_seen"}, {"state_seen_too"},
    ]  # fmt: skip
