"""What is sent without waiting for each reply is committed, or is refused, as what is waited for."""

import tempfile
from typing import Any

import pytest
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import CALL, Writer
from ozone.intake.tests.conftest import ROWS, row, stored
from ozone.wire.errors import Unavailable

pytestmark = pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite sends nothing")


def test_a_transaction_waits_twice(writer: Writer) -> None:
    """For BEGIN, and for the rest with COMMIT: each time PostgreSQL says what it is ready for."""
    with tempfile.TemporaryFile("w+") as file:

        def trace(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
            if rows[0]:
                connection.connection.pgconn.trace(file.fileno())
            else:
                connection.connection.pgconn.untrace()

        writer.register("trace", trace, is_piped=True)
        writer.submit_and_wait("trace", True)
        file.seek(0, 2)
        for number in (1, 2, 3):
            writer.submit_and_wait(ROWS, row(number))
        writer.submit_and_wait("trace", False)
        file.seek(0)
        ready = file.read().count("ReadyForQuery")
    # COMMIT of the one that begins to trace, BEGIN of the one that ends it.
    assert ready == 1 + 3 * 2 + 1
    assert stored() == [1, 2, 3]


def test_what_is_fetched_last_is_committed_all_the_same(writer: Writer) -> None:
    def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (7, 'seven') RETURNING id")
            return list(cursor.fetchall())

    writer.register("fetched", store, is_piped=True)
    writer.submit_and_wait(ROWS, row(1))
    assert writer.submit_and_wait("fetched", None) == (7,)
    assert stored() == [1, 7]


def test_what_is_waited_for_comes_between(writer: Writer) -> None:
    """A kind that says nothing of pipelines hears how many rows it has changed."""
    changed: list[int] = []

    def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("UPDATE intake_test SET number = 1")
            changed.append(cursor.rowcount)

    writer.register("waits", store)
    for number in (1, 2):
        writer.submit_and_wait(ROWS, row(number))
        writer.submit_and_wait("waits", None)
    assert changed == [1, 2]
    assert writer.submit_and_wait(CALL, (stored, {})) == [1, 2]


def test_what_is_undone_at_commit_is_tried_once_more(writer: Writer) -> None:
    """In a pipeline the deadlock of the last statement is told there."""
    attempts: list[int] = []

    def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        attempts.append(len(rows))
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (7, 'seven')")
            if len(attempts) == 1:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'a circle' USING ERRCODE = 'deadlock_detected'; END $$")

    writer.register("circle", store, is_piped=True)
    writer.submit_and_wait("circle", None)
    assert attempts == [1, 1]
    assert stored() == [7]


def test_a_connection_that_ends_in_a_pipeline_is_no_success(writer: Writer) -> None:
    """COMMIT may have been under way: nobody knows, and the sender sends it again."""

    def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (7, 'seven')")
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    writer.register("cut", store, is_piped=True)
    writer.submit_and_wait(ROWS, row(1))
    with pytest.raises(Unavailable):
        writer.submit_and_wait("cut", None)
    assert writer.submit_and_wait(ROWS, row(2)) == "row 2"
    assert stored() == [1, 2]
