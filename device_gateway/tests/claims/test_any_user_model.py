"""Migration 0006: whose a pending token's device was stays known when it becomes text."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from device_gateway.models import Device, ProvisioningToken
from device_gateway.tests.conftest import provisioned


def migrate(name: str) -> None:
    MigrationExecutor(connection).migrate([("device_gateway", name)])


def migrate_all() -> None:
    """Of every app: what depends on a step that was undone was undone with it."""
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.fixture
def newest(write_path: None) -> Iterator[None]:
    yield
    migrate_all()


def test_pending_tokens_stay_pending(newest: None, device: Device, vera: User) -> None:
    nobodys = Device.objects.create(name="nobody's")
    for each in (device, nobodys):
        provisioned(each)
    ProvisioningToken.objects.filter(device=nobodys).update(owner_at_issue="0")  # "" is no number, on the way back
    migrate("0005_short_keys")
    with connection.cursor() as cursor:  # as the release before wrote them
        cursor.execute(
            "UPDATE device_gateway_provisioningtoken SET owner_at_issue = NULL WHERE device_id = %s", [nobodys.pk]
        )
        cursor.execute("SELECT owner_at_issue FROM device_gateway_provisioningtoken ORDER BY id")
        assert cursor.fetchall() == [(vera.pk,), (None,)]
    migrate("0006_any_user_model")
    migrate_all()
    tokens = ProvisioningToken.objects.order_by("id")
    assert [token.owner_at_issue for token in tokens] == [str(vera.pk), ""]
    later = timezone.now() + timedelta(days=1)
    assert {token.state_at(later) for token in tokens} == {ProvisioningToken.State.PENDING}
