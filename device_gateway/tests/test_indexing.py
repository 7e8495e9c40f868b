"""Indexes are made while others write (ozone.intake.indexing)."""

import threading
from collections.abc import Callable

import psycopg
import pytest
from django.apps import apps
from django.db import connection, models
from django.db.migrations.state import ProjectState
from django.db.models.functions import Now

from device_gateway.models import Lease
from ozone.intake.indexing import AddIndexLive

pytestmark = pytest.mark.django_db(transaction=True)

INDEX = AddIndexLive("lease", models.Index(fields=["holder"], name="lease_holder"))


def make() -> None:
    run(INDEX.database_forwards)


def make_in_a_thread() -> None:
    try:
        make()
    finally:
        connection.close()


def run(way: Callable[..., None]) -> None:
    state = ProjectState.from_apps(apps)
    with connection.schema_editor(atomic=False) as editor:
        way("device_gateway", editor, state, state)


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "device_gateway_lease")
    return {name for name, what in found.items() if what["index"] and not what["primary_key"]}


def test_it_may_be_run_again() -> None:
    try:
        make()
        make()
        assert "lease_holder" in indexes()
    finally:
        run(INDEX.database_backwards)
    assert "lease_holder" not in indexes()
    run(INDEX.database_backwards)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_rows_are_stored_while_it_waits() -> None:
    parameters = connection.get_connection_params()
    given = {name: parameters[name] for name in ("dbname", "user", "password", "host", "port") if name in parameters}
    making = threading.Thread(target=make_in_a_thread)
    try:
        with psycopg.connect(**given) as slow, psycopg.connect(**given, autocommit=True) as other:
            slow.execute("INSERT INTO device_gateway_lease (name, holder, until) VALUES ('slow', 'a', now())")
            making.start()
            while not other.execute("SELECT 1 FROM pg_class WHERE relname = 'lease_holder'").fetchone():
                assert making.is_alive()
            other.execute("SET lock_timeout = '5s'")
            other.execute("INSERT INTO device_gateway_lease (name, holder, until) VALUES ('quick', 'b', now())")
            assert making.is_alive()
            slow.commit()
        making.join(60)
        assert "lease_holder" in indexes()
        assert Lease.objects.filter(until__lte=Now()).count() == 2
    finally:
        run(INDEX.database_backwards)
