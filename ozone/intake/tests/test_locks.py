"""Somebody else holds what a write needs, or ends its connection: 503 in time, and on again afterwards."""

import gc
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import Writer
from ozone.intake import lane as lane_module
from ozone.intake.tests.conftest import ROWS, row, stored
from ozone.wire.errors import Unavailable

FIRMWARE_SECONDS = 5
server_only = pytest.mark.skipif(
    "sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite has no server that could end a connection"
)


@contextmanager
def another_holds_the_lock() -> Iterator[None]:
    """A connection that is none of Django's has written, and does not commit."""
    parameters = connection.get_connection_params()
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(parameters["database"], isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
    else:
        names = ("dbname", "user", "password", "host", "port")
        with psycopg.connect(**{name: parameters[name] for name in names if name in parameters}) as locker:
            locker.execute("LOCK TABLE intake_test IN ACCESS EXCLUSIVE MODE")
            yield
            locker.rollback()


def test_a_locked_database(writer: Writer) -> None:
    writer.submit_and_wait(ROWS, row(1))
    with another_holds_the_lock():
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            writer.submit_and_wait(ROWS, row(2))
        assert time.monotonic() - begun < FIRMWARE_SECONDS - 1
        assert (caught.value.status, caught.value.code) == (503, "unavailable")
    assert writer.submit_and_wait(ROWS, row(3)) == "row 3"
    assert stored() == [1, 3]


def test_a_short_lock_is_waited_for(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine a lock lasts longer than was meant.
    monkeypatch.setattr(lane_module, "LOCK_MILLISECONDS", 2900)
    writer.submit_and_wait(ROWS, row(1))
    with another_holds_the_lock():
        future = writer.post(ROWS, row(2))
        assert not threading.Event().wait(0.3)
        assert not future.done()
    assert future.result(5) == "row 2"
    assert stored() == [1, 2]


@server_only
def test_a_connection_that_was_cut_is_replaced(writer: Writer) -> None:
    """Between two transactions."""
    held: list[BaseDatabaseWrapper] = []

    def take(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        held.append(connection)

    writer.register("take", take)
    writer.submit_and_wait("take", None)
    held[0].connection.close()  # behind Django's back
    assert writer.submit_and_wait(ROWS, row(1)) == "row 1"
    assert stored() == [1]


@server_only
def test_a_connection_that_ends_inside_a_transaction_is_tried_once_more(writer: Writer) -> None:
    attempts: list[int] = []

    def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        attempts.append(len(rows))
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (7, 'seven')")
            if len(attempts) == 1:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
                cursor.execute("SELECT pg_sleep(1)")

    writer.register("cut", store)
    writer.submit_and_wait("cut", None)
    assert attempts == [1, 1]
    assert stored() == [7]
    # The new connection waits for a lock no longer than the old one.
    with another_holds_the_lock():
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            writer.submit_and_wait(ROWS, row(1))
        assert caught.value.code == "unavailable"
        assert time.monotonic() - begun < FIRMWARE_SECONDS - 1


def test_each_transaction_reaches_the_disk(writer: Writer) -> None:
    """What survives a power cut is what the database was told to sync."""
    found: list[str] = []

    def look(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        with connection.cursor() as cursor:
            if connection.vendor == "sqlite":
                cursor.execute("PRAGMA synchronous")
                found.append({2: "on", 3: "on"}.get(cursor.fetchone()[0], "off"))
            else:
                cursor.execute("SHOW synchronous_commit")
                found.append(cursor.fetchone()[0])

    writer.register("look", look)
    writer.submit_and_wait("look", None)
    assert found == ["on"]


def test_a_failure_leaves_no_cursor_to_the_garbage_collector(writer: Writer) -> None:
    """It runs in any thread, and to close a cursor it waits for the connection: the event loop would stand still."""
    gc.collect()
    gc.disable()
    try:
        with another_holds_the_lock():
            refused = writer.post(ROWS, row(1))
            assert isinstance(refused.exception(FIRMWARE_SECONDS), Unavailable)
        writer.submit_and_wait(ROWS, row(2))
        del refused
        gc.set_debug(gc.DEBUG_SAVEALL)
        gc.collect()
        cursors = [thing for thing in gc.garbage if isinstance(thing, (sqlite3.Cursor, psycopg.Cursor))]
        assert cursors == []
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
