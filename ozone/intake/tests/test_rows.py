"""Many rows in one statement, in both dialects."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connection, transaction

from ozone.intake.sql import MAX_CHUNK, BulkInsert, moment

COLUMNS = {"id": "integer", "text": "text"}


@pytest.mark.parametrize("count", [0, 1, 2, 3, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK + 37])
def test_any_number_of_rows(tables: None, count: int) -> None:
    insert = BulkInsert("intake_test", COLUMNS)
    rows = [(number, f"text {number}") for number in range(count)]
    with transaction.atomic():
        assert insert.run(connection, rows) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, text FROM intake_test ORDER BY id")
        assert cursor.fetchall() == rows


def test_only_what_was_really_inserted_is_returned(tables: None) -> None:
    insert = BulkInsert("intake_test", COLUMNS, "ON CONFLICT DO NOTHING", returning=("text", "id"))
    with transaction.atomic():
        first = insert.run(connection, [(1, "a"), (2, "b"), (3, "c")])
        again = insert.run(connection, [(2, "b"), (3, "z"), (4, "d"), (5, "a")])
    assert sorted(first) == [("a", 1), ("b", 2), ("c", 3)]
    assert again == [("d", 4)]


@pytest.mark.parametrize("zone", [UTC, timezone.utc])  # noqa: UP017
@pytest.mark.parametrize("microsecond", [0, 5, 250_000])
def test_a_moment_is_what_the_models_read(transactional_db: Any, zone: timezone, microsecond: int) -> None:
    from django.contrib.auth.models import User

    user = User.objects.create_user("vera")
    when = datetime(2025, 9, 16, 12, 34, 56, microsecond, tzinfo=zone)
    place = "?" if connection.vendor == "sqlite" else "%s"
    connection.connection.cursor().execute(
        f"UPDATE auth_user SET last_login = {place} WHERE id = {place}", (moment(connection, when), user.pk)
    )
    user.refresh_from_db()
    assert user.last_login == when
    assert User.objects.filter(last_login=when).exists()
    assert not User.objects.filter(last_login__gt=when).exists()
    assert User.objects.filter(last_login__gt=when - timedelta(microseconds=1)).exists()


def test_no_moment(transactional_db: Any) -> None:
    assert moment(connection, None) is None
