"""`manage.py migrate` by hand beside a server that starts: one waits for the other."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from ozontelemetry.management.commands import migrate as module
from tests.support.postgres import another_connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite takes one writer at a time"),
]


def test_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that make the same index live at once end each other."""
    waits = threading.Event()
    has_lock = module._has_lock

    def watch(cursor: Any) -> bool:
        has = has_lock(cursor)
        if not has:
            waits.set()
        return has

    def by_hand() -> None:
        try:
            call_command("migrate", "device_gateway", verbosity=0)
        finally:
            connection.close()

    monkeypatch.setattr(module, "_has_lock", watch)
    with another_connection() as other, ThreadPoolExecutor(1) as threads:
        other.execute("SELECT pg_advisory_lock(%s)", [module.LOCK])
        other.commit()
        migrating = threads.submit(by_hand)
        waited = waits.wait(5)
        other.execute("SELECT pg_advisory_unlock(%s)", [module.LOCK])
        other.commit()
        migrating.result(30)
        assert waited
        assert other.execute("SELECT pg_try_advisory_lock(%s)", [module.LOCK]).fetchone() == (True,)  # given back


def test_a_server_that_starts_migrates_while_it_has_the_turn() -> None:
    with module.alone(connection):
        call_command("migrate", check_unapplied=True, verbosity=0)
