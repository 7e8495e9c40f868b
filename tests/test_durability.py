"""A server asks its database whether it keeps what it acknowledges."""

import pytest
from django.core.checks import run_checks
from django.db import connection
from pytest_django import Settings

from ozontelemetry.checks import DATABASE_TAG


@pytest.mark.django_db
def test_postgresql_is_asked(settings: Settings) -> None:
    def ids() -> list[str | None]:
        found = run_checks(tags=[DATABASE_TAG], include_deployment_checks=True)
        return [message.id for message in found]

    assert ids() == []
    settings.HA = True
    is_asked = connection.vendor == "postgresql"
    # As the tests' own is set up: no standby, and PostgreSQL's default of a minute.
    assert ids() == (["ozone.E023", "ozone.E024"] if is_asked else [])
    if is_asked:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.execute("SET LOCAL wal_sender_timeout = '5s'")
        assert ids() == ["ozone.E022", "ozone.E023"]
    settings.DEBUG = True
    assert ids() == []
