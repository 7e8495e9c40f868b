"""What a pass costs: nothing that grows with the fleet where nothing is due, and no write of a device that speaks."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from alerts.conditions.models import Beat, Watch
from alerts.deliveries import announcing
from alerts.deliveries.models import Delivery
from alerts.incidents import happening
from alerts.incidents.happening import Happening
from alerts.incidents.models import Maintenance
from alerts.runner import standing
from alerts.tests.fleet import HOUR, IDLE, MINUTE, NOON, SECOND, Fleet
from alerts.tests.telling import channel

Make = Callable[..., Fleet]


def times() -> dict[int, datetime]:
    return {
        watch.device_id: watch.alert_after for watch in Watch.objects.exclude(alert_after=None) if watch.alert_after
    }


def queries_of(some: Fleet) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        some.look()
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.alike
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


def test_a_pass_writes_no_query_out_anew(fleet: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where something is due and something is open: to write it out takes longer than to ask it."""
    some = fleet(3, 1)
    some.go_on(2 * IDLE + MINUTE, without=some.devices[:1])
    due = some.truth = min(times().values()) + SECOND
    some.hear(some.devices[1:])
    monkeypatch.setattr(standing, "EVERY", float("inf"))
    made: list[str] = []
    ask = QuerySet._fetch_all

    def noted(rows: "QuerySet[Any]") -> None:
        if rows._result_cache is None and rows.model is not Beat:  # which is asked every ten seconds
            made.append(str(rows.query))
        ask(rows)

    monkeypatch.setattr(QuerySet, "_fetch_all", noted)
    some.runner(due, (due - NOON).total_seconds())
    monkeypatch.undo()
    assert min(times().values()) > due
    assert made == []


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


def test_many_that_are_told_at_once_are_told_in_several_transactions(
    fleet: Make, monkeypatch: pytest.MonkeyPatch, django_user_model: Any
) -> None:
    """A maintenance of all is over: with two channels of staff four deliveries are two happenings."""
    monkeypatch.setattr(announcing, "ROWS", 4)
    some = fleet(5, 4)
    staff = django_user_model.objects.create_user("sue", is_staff=True)
    for name in ("one", "two"):
        channel(staff, some.now, target=f"{name}@example.com")
    some.go_on(MINUTE)
    window = Maintenance.objects.create(start=some.now, end=some.now + HOUR)
    some.go_on(IDLE + 3 * MINUTE, without=some.devices[::2])
    assert some.told == []
    at_once: list[int] = []
    hear: Callable[[Sequence[Happening]], None] = lambda happenings: at_once.append(len(happenings))  # noqa: E731
    happening.announcing.append(hear)
    window.delete()
    some.truth += 10 * SECOND
    some.look()
    assert at_once == [2, 2, 1]
    some.go_on(MINUTE)
    happening.announcing.remove(hear)
    assert at_once[3:] == [2, 2, 1]
    told = Delivery.objects.values_list("type", "channel")
    assert Counter(kind for kind, _ in told) == {"incident.opened": 10, "incident.ended": 10}
