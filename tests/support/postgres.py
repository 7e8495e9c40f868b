"""Somebody else at the test's database, where that is PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import connection, transaction

_IS_WAITED_FOR = "SELECT EXISTS (SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid)))"


def another_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """With transactions of its own; to be used as a context."""
    facts = connection.get_connection_params()
    named = ("user", "host", "port", "dbname", "password")
    return psycopg.connect(**{name: facts[name] for name in named if facts.get(name)})


@contextmanager
def just_before(write: Callable[[], object]) -> Iterator[None]:
    """Somebody else has written this, and commits it as soon as the block waits for it, as it has to. For tests with
    real transactions."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    has_written, is_over, waits = threading.Event(), threading.Event(), threading.Event()

    def run() -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                write()
                has_written.set()
                while not waits.is_set() and not is_over.wait(0.01):
                    cursor.execute(_IS_WAITED_FOR)
                    if cursor.fetchone() == (True,):
                        waits.set()
        finally:
            has_written.set()
            connection.close()

    other = threading.Thread(target=run)
    other.start()
    try:
        assert has_written.wait(10)
        yield
    finally:
        is_over.set()
        other.join(10)
    assert waits.is_set()
