"""How the counts by hour and day lie in their tables."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from telemetry.figures.rollups import Attribution, Tally

TABLES = ("telemetry_hourlycount", "telemetry_dailycount")


def count_a_press() -> None:
    tally = Tally()
    tally.add(Attribution(1, 2, 3), "BASIC", datetime(2025, 9, 16, 12, 34, tzinfo=UTC))
    tally.store(connection)


def updates() -> dict[str, int]:
    """By this connection since PostgreSQL last gathered them: of each table all, and those that changed no index."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_stat_get_xact_tuples_updated(oid), pg_stat_get_xact_tuples_hot_updated(oid)"
            " FROM pg_class WHERE relname = ANY(%s)",
            [list(TABLES)],
        )
        return {
            f"{table} {kind}": number
            for table, *both in cursor.fetchall()
            for kind, number in zip("ah", both, strict=True)
        }


@pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="it is PostgreSQL that keeps versions")
def test_a_count_that_grows_changes_no_index(db: Any) -> None:
    count_a_press()
    before = updates()
    count_a_press()
    count_a_press()
    assert updates() == {name: number + 2 for name, number in before.items()}


@pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="it is PostgreSQL that keeps versions")
def test_the_next_version_has_room_beside_it(db: Any) -> None:
    """A page of 8 KB that is full holds some hundred counts, and the first of them that grows goes to another page."""
    tally, noon = Tally(), datetime(2025, 9, 16, 12, tzinfo=UTC)
    for days in range(300):
        tally.add(Attribution(1, 2, 3), "BASIC", noon + timedelta(days=days))
    tally.store(connection)
    before = updates()
    for days in range(0, 200, 5):
        more = Tally()
        more.add(Attribution(1, 2, 3), "BASIC", noon + timedelta(days=days))
        more.store(connection)
    assert updates() == {name: number + 40 for name, number in before.items()}
