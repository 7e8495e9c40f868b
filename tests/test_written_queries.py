"""A query that is written out once finds what it would find if it were written anew."""

from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q, QuerySet
from django.db.models.sql.compiler import SQLCompiler
from django.test.utils import CaptureQueriesContext

from device_gateway.models import Device
from ozone.intake.sql import read_moment
from ozone.intake.written import Among, written

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def _made_within_an_hour(numbers: Collection[int], name: str, now: datetime) -> "QuerySet[Any, Any]":
    devices = Device.objects.filter(Q(Among("pk", numbers)) | Q(name=name), created_at__gt=now - HOUR)
    return devices.filter(created_at__lte=now).order_by("pk").values_list("device_id", "created_at")


@pytest.fixture
def ask(db: None) -> Callable[..., list[tuple[Any, ...]]]:
    Device.objects.bulk_create(
        [Device(device_id=f"d{at}", name=f"n{at}", created_at=NOON + at * HOUR / 2) for at in range(6)]
    )
    return written(_made_within_an_hour)


def test_each_time_with_its_own_values(ask: Callable[..., list[tuple[Any, ...]]]) -> None:
    numbers = dict(Device.objects.values_list("device_id", "pk"))
    found = ask([numbers["d0"], numbers["d2"], numbers["d3"]], "n1", NOON + HOUR)
    assert [(name, read_moment(at)) for name, at in found] == [("d1", NOON + HOUR / 2), ("d2", NOON + HOUR)]
    assert [name for name, _ in ask(numbers=[], name="n4", now=NOON + 2 * HOUR)] == ["d4"]
    assert [name for name, _ in ask({*numbers.values(), *range(-2_000, 0)}, "", NOON)] == ["d0"]
    assert ask([], "", NOON) == []


def test_it_is_written_out_once(ask: Callable[..., list[tuple[Any, ...]]], monkeypatch: pytest.MonkeyPatch) -> None:
    ask([1], "n0", NOON)
    monkeypatch.delattr(SQLCompiler, "as_sql")
    with CaptureQueriesContext(connection) as captured:
        assert [name for name, _ in ask([], "n1", NOON + HOUR)] == ["d1"]
    assert len(captured) == 1
