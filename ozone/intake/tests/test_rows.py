"""Many rows in one statement, in both dialects."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import DataError, connection, transaction

from ozone.intake.rows import fetch_locked, insert_missing, prepare_insert, present, upsert
from ozone.intake.sql import MAX_CHUNK, BulkInsert, moment, table_of, within
from ozone.intake.tests.conftest import Item


@pytest.mark.each_case
@pytest.mark.parametrize("count", [0, 1, 2, 3, MAX_CHUNK - 1, MAX_CHUNK, MAX_CHUNK + 1, 2 * MAX_CHUNK + 37])
def test_any_number_of_rows(tables: None, count: int) -> None:
    insert = BulkInsert(Item, ("id", "text"))
    rows = [(number, f"text {number}") for number in range(count)]
    with transaction.atomic():
        assert insert.run(connection, rows) == []
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, text FROM intake_test ORDER BY id")
        assert cursor.fetchall() == rows


def test_only_what_was_really_inserted_is_returned(tables: None) -> None:
    insert = BulkInsert(Item, ("id", "text"), "ON CONFLICT DO NOTHING", returning=("text", "id"))
    with transaction.atomic():
        first = insert.run(connection, [(1, "a"), (2, "b"), (3, "c")])
        again = insert.run(connection, [(2, "b"), (3, "z"), (4, "d"), (5, "a")])
    assert sorted(first) == [("a", 1), ("b", 2), ("c", 3)]
    assert again == [("d", 4)]


def test_what_is_not_named_gets_the_models_default(tables: None) -> None:
    with transaction.atomic():
        BulkInsert(Item, ("id", "text")).run(connection, [(1, "a"), (2, "b")])
    assert [(item.facts, item.parent) for item in Item._default_manager.all()] == [({}, None)] * 2


@pytest.mark.each_case
@pytest.mark.parametrize("text", ["", "NULL", 'a "b" \\ {c, d}', "\n\t", "ä ☃ 𝄞", "%s ?"])
def test_any_text(tables: None, text: str) -> None:
    with transaction.atomic():
        BulkInsert(Item, ("id", "text", "facts")).run(connection, [(1, text, json.dumps({text: [text, None]}))])
    item = Item._default_manager.get()
    assert (item.text, item.facts) == (text, {text: [text, None]})


@pytest.mark.parametrize("row", [(2**80, "a"), (1, "\ud800")])
def test_what_no_database_holds(tables: None, row: tuple[int, str]) -> None:
    with pytest.raises(DataError), transaction.atomic(), connection.wrap_database_errors:
        BulkInsert(Item, ("id", "text")).run(connection, [row])


@pytest.mark.each_case
@pytest.mark.parametrize("count", [1, 3, MAX_CHUNK + 37])
def test_rows_of_a_model(tables: None, count: int) -> None:
    items = [Item(pk=number, text=f"text {number}", facts={"a": [number]}) for number in range(count)]
    assert insert_missing(items[: count // 2 + 1], unique=("text",)) == count // 2 + 1
    assert insert_missing(items, unique=("text",)) == count - count // 2 - 1
    told = [Item(pk=count + place, text=item.text, facts=None, number=5) for place, item in enumerate(items)]
    upsert(told, unique=("text",), update=("number",))
    assert [item.pk for item in told] == list(range(count))
    with transaction.atomic():
        kept = fetch_locked(Item, "number = %s", [5])
    assert [(item.pk, item.text, item.facts) for item in kept] == [(item.pk, item.text, item.facts) for item in items]
    assert present(Item, "text", ["text 0", "nothing"]) == {"text 0"}
    assert present(Item, "text", []) == set()


def test_rows_made_out_before_their_transaction(tables: None) -> None:
    items = [Item(pk=number, text=f"text {number}", facts={"a": [number]}) for number in range(MAX_CHUNK + 3)]
    insert = prepare_insert(items, unique="text", late="number")
    with transaction.atomic():
        insert(7)
    found = Item._default_manager.order_by("pk").values_list("pk", "text", "facts", "number")
    assert list(found) == [(item.pk, item.text, item.facts, 7) for item in items]
    assert {item.number for item in items} == {7}
    assert not any(item._state.adding for item in items)


@pytest.mark.each_case
@pytest.mark.parametrize(
    ("columns", "values", "found"),
    [
        ("id", [], []),
        ("text", [], []),
        ("id", [2], [2]),
        ("id", range(2, 5000), [2, 3]),
        ("text", ["a", 'b "\\,', "z"], [1, 2]),
    ],
)
def test_within(tables: None, columns: str, values: Sequence[Any], found: list[int]) -> None:
    with transaction.atomic():
        BulkInsert(Item, ("id", "text")).run(connection, [(1, "a"), (2, 'b "\\,'), (3, "c")])
    among, given = within(connection, values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM intake_test WHERE {columns} {among} ORDER BY id", given)
        assert [number for (number,) in cursor.fetchall()] == found


def test_a_table_of_pairs(tables: None) -> None:
    with transaction.atomic():
        BulkInsert(Item, ("id", "text")).run(connection, [(1, "a"), (2, "b"), (3, 'c "\\,')])
    pairs, given = table_of(connection, [(1, "a"), (2, "a"), (3, 'c "\\,')])
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM {pairs} JOIN intake_test ON id = k.a AND text = k.b ORDER BY id", given)
        assert cursor.fetchall() == [(1,), (3,)]


@pytest.mark.each_case
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
