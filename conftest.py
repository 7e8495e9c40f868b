"""What every test gets: nothing remembered from the test before, and the two doors of a device route."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.doors import AsgiDoor, DjangoDoor, Door


@pytest.fixture(scope="session", autouse=True)
def _quick_flush() -> None:
    """Emptying the tables after a test with real transactions takes milliseconds, not a second.

    No permissions are made anew each time, and on PostgreSQL rows are deleted: TRUNCATE would make and sync a new
    file for every table and index.
    """
    from django.core.management.commands import flush
    from django.db import connection

    flush.emit_post_migrate_signal = lambda *_, **__: None  # type: ignore[attr-defined]
    if connection.vendor == "postgresql":
        quote = connection.ops.quote_name
        connection.ops.sql_flush = lambda style, tables, **_: [  # type: ignore[method-assign]
            f"DELETE FROM {quote(table)}" for table in tables
        ]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Limits, keys and options in memory are a process's, not a test's."""
    from django.contrib.contenttypes.models import ContentType

    from device_gateway.keys.memory import keyring
    from ozone.wire import limits
    from ozone.wire.conf import options
    from pages.kit.live import built
    from pages.outlets.screen import past_totals

    yield
    ContentType.objects.clear_cache()
    keyring.clear()
    built.clear()
    past_totals.cache_clear()
    limits._limiter.cache_clear()
    options.cache_clear()


class MonotonicClock:
    """The clock of the limits, which stands still unless it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds

    def shift(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def limits_clock(monkeypatch: pytest.MonkeyPatch) -> MonotonicClock:
    clock = MonotonicClock()
    monkeypatch.setattr("ozone.wire.limits.monotonic", clock)
    return clock


@pytest.fixture
def write_path(transactional_db: Any) -> Iterator[None]:
    """Real transactions and a running writer, whose connection is closed before the database is emptied."""
    from device_gateway.keys.memory import keyring
    from ozone.intake import write_path

    yield
    write_path.stop()
    keyring.watcher.stop()


@pytest.fixture(scope="session")
def event_loop_thread(django_db_setup: None, django_db_blocker: Any) -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join(5)
    loop.close()
    from django.db import connection

    if connection.vendor == "postgresql":  # the front door's threads keep theirs, and the database is to be dropped
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(params=["asgi", "django"])
def door(
    request: pytest.FixtureRequest, write_path: None, event_loop_thread: asyncio.AbstractEventLoop
) -> Iterator[Door]:
    """Each test that asks for it runs through the front door and through the URLconf."""
    if request.param == "asgi":
        yield AsgiDoor(event_loop_thread)
    else:
        yield DjangoDoor()
