"""What every test gets: nothing remembered from the test before, and the two doors of a device route."""

import asyncio
import gc
import os
import shutil
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings as django_settings
from hypothesis import HealthCheck, settings

from tests.support.doors import AsgiDoor, DjangoDoor, Door
from tests.support.server import MIGRATED_FILE, migrated_file

settings.register_profile("of this suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("of this suite")
"""How long an example takes is this machine's affair: beside other runs it may stand still for seconds."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--cases", type=int, help="of each test with parameters so many cases, the first ones")


def pytest_configure(config: pytest.Config) -> None:
    if folder := _own_folder():
        folder.mkdir(mode=0o700)
    if getattr(config.option, "numprocesses", None) and _is_sqlite():  # its workers inherit it
        os.environ.setdefault(MIGRATED_FILE, str(migrated_file()))


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay: the collector need not look at them after each few requests."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    if folder := _own_folder():
        shutil.rmtree(folder, ignore_errors=True)


def _own_folder() -> Path | None:
    """That of this run's database, where tests/settings.py has thought of one; None in a worker of pytest-xdist."""
    folder = Path(django_settings.DATABASES["default"]["NAME"]).parent
    return folder if folder.name == f"ozone-tests-{os.getpid()}" else None


def _is_sqlite() -> bool:
    return bool(django_settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Two doors where they may differ, on one database: behind them is one handler. And the first few cases only, where
    no more are wanted; on PostgreSQL all of those that each ask something else."""
    items[:] = [item for item in items if _is_through_the_front(item) or _is_of_both_doors(item)]
    if wanted := config.getoption("--cases"):
        had = Counter[str]()
        kept = []
        for item in items:
            had[name := item.nodeid.partition("[")[0]] += 1
            if had[name] <= max(wanted, _that_each_ask(item)):
                kept.append(item)
        items[:] = kept


def _that_each_ask(item: pytest.Item) -> float:
    """How many cases ask PostgreSQL something each."""
    if _is_sqlite() or (mark := item.get_closest_marker("each_case")) is None:
        return 0
    return float(*mark.args or ["inf"])


def _is_through_the_front(item: pytest.Item) -> bool:
    callspec = getattr(item, "callspec", None)
    return callspec is None or callspec.params.get("door") != "django"


def _is_of_both_doors(item: pytest.Item) -> bool:
    if not _is_sqlite():
        return False
    is_first = getattr(item, "originalname", "") == "test_it_works"
    return is_first or item.get_closest_marker("both_doors") is not None


@pytest.fixture(scope="session", autouse=True)
def _quickly_emptied() -> None:
    """After a test with real transactions the tables that have rows are emptied, over the connection that there is.

    Django's own way asks for the names of all tables, truncates each of them (on PostgreSQL to make and sync a new
    file for every table and index), makes the permissions anew, and connects again.
    """
    from django.test import TransactionTestCase

    TransactionTestCase._fixture_teardown = lambda self: _emptied()  # type: ignore[attr-defined]
    TransactionTestCase._should_reload_connections = lambda self: False  # type: ignore[attr-defined]


def _emptied() -> None:
    from django.db import connection, transaction

    from tests.support.kept import tables_with_rows

    with transaction.atomic(), connection.cursor() as cursor:
        for table in tables_with_rows():
            cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_modify_db_settings: None) -> bool:
    """Whether the tables are there: on SQLite a copy of the file that tests/run.py has migrated for all runs."""
    if MIGRATED_FILE not in os.environ or not _is_sqlite():
        return False
    shutil.copy(migrated_file(), django_settings.DATABASES["default"]["TEST"]["NAME"])
    return True


@pytest.fixture(scope="session", autouse=True)
def _one_chain_of_middleware(django_test_environment: None) -> None:
    """One for all clients, until a setting changes: each would make its own, and most ask for one page only."""
    from django.core.signals import setting_changed
    from django.test.client import ClientHandler

    made: dict[str, Any] = {}
    make = ClientHandler.load_middleware

    def load(handler: ClientHandler, is_async: bool = False) -> None:
        if not made:
            before = set(vars(handler))
            make(handler, is_async)
            made.update({name: value for name, value in vars(handler).items() if name not in before})
        vars(handler).update(made)

    ClientHandler.load_middleware = load  # type: ignore[method-assign, assignment]
    setting_changed.connect(lambda **_: made.clear(), weak=False)


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    """Limits, keys and options in memory are a process's, not a test's."""
    from django.contrib.contenttypes.models import ContentType

    from alerts.conditions import server
    from device_gateway.keys.memory import keyring
    from ozone.wire import limits
    from ozone.wire.clock import clock_watch
    from ozone.wire.conf import options
    from pages.dashboard.earned import remembered
    from pages.kit import live
    from pages.outlets.screen import past_totals
    from telemetry.figures.rhythm import rhythms

    yield
    ContentType.objects.clear_cache()
    keyring.clear()
    live.built.clear()
    live._row.cache_clear()
    past_totals.cache_clear()
    remembered.cache_clear()
    rhythms.forget()
    server.forget()
    clock_watch.forget()  # a test that travels in time sets the clock
    limits._limiter.cache_clear()
    options.cache_clear()


@pytest.fixture(scope="session", autouse=True)
def _patient() -> None:
    """What the product gives up after a second or two takes its time: beside other runs a process stands still for as
    long now and then. A test of such a time sets its own."""
    from ledger.epochs import queries
    from ozone.intake import watcher

    for module, name in ((queries, "LOOK_SECONDS"), (watcher, "BLIND_SECONDS")):
        setattr(module, name, 30.0)


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
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Those that whoever writes much has made before each of its steps; time stands still, and none is waited for."""
    slept: list[float] = []
    monkeypatch.setattr("ozone.intake.pauses.time", SimpleNamespace(monotonic=lambda: 5.0, sleep=slept.append))
    return slept


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
    """The front door; for a test of the door itself the URLconf as well."""
    if request.param == "asgi":
        yield AsgiDoor(event_loop_thread)
    else:
        yield DjangoDoor()
