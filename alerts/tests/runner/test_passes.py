"""What a pass costs: nothing that grows with the fleet where nothing is due, and no write of a device that speaks."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from alerts.conditions.models import Watch
from alerts.tests.fleet import IDLE, MINUTE, SECOND, Fleet

Make = Callable[..., Fleet]


def times() -> dict[int, datetime]:
    return {
        watch.device_id: watch.alert_after for watch in Watch.objects.exclude(alert_after=None) if watch.alert_after
    }


def queries_of(some: Fleet) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        some.look()
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.parametrize("number", [2, 40])
def test_where_nothing_is_due_two_queries_are_asked(fleet: Make, number: int) -> None:
    some = fleet(number, 1)
    some.go_on(MINUTE)
    some.truth += SECOND
    assert [sql.split()[0] for sql in queries_of(some)] == ["SELECT", "SELECT"]
    some.truth += 5 * SECOND
    assert len(queries_of(some)) == 3  # and whether anything is open
    some.truth += 5 * SECOND
    assert len(queries_of(some)) == 5  # and the beat


def test_a_device_that_speaks_is_looked_at_once_in_its_threshold(fleet: Make) -> None:
    some = fleet(3)
    some.go_on(MINUTE)
    before = times()
    some.go_on(IDLE - 2 * MINUTE)
    assert times() == before
    some.go_on(3 * MINUTE)
    after = times()
    assert after.keys() == before.keys()
    assert all(after[device] - before[device] >= IDLE - MINUTE for device in after)
