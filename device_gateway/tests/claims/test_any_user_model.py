"""Migration 0006: whose a pending token's device was stays known when it becomes text."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.utils import timezone

from device_gateway.models import Device, ProvisioningToken
from device_gateway.tests.conftest import provisioned
from tests.support.length import IS_LONG
from tests.support.server import ROOT

Step = tuple[Migration, ProjectState]
"""A migration and what the models were before it."""


@pytest.fixture
def step(write_path: None) -> Iterator[Step]:
    """Taken back, and taken again whatever happens: it alone, for none after it has touched its table. To undo all that
    was built on it, table by table, would take ten seconds."""
    loader = MigrationLoader(connection)
    models = loader.project_state([("device_gateway", "0005_short_keys")])
    taken = loader.get_migration("device_gateway", "0006_any_user_model"), models
    yield taken
    if is_undone():
        apply(taken)


def undo(step: Step) -> None:
    migration, models = step
    with connection.schema_editor() as editor:
        migration.unapply(models.clone(), editor)


def apply(step: Step) -> None:
    migration, models = step
    with connection.schema_editor() as editor:
        migration.apply(models.clone(), editor)


def is_undone() -> bool:
    """Whether the column is a number, as before."""
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, ProvisioningToken._meta.db_table)
        (found,) = [column for column in columns if column.name == "owner_at_issue"]
        return bool(connection.introspection.get_field_type(found.type_code, found) == "BigIntegerField")


def test_every_step_can_be_taken_back() -> None:
    """And none but that one touches the table of what is tried below."""
    migrations = MigrationLoader(None).disk_migrations
    ours = {key: step for key, step in migrations.items() if (ROOT / key[0] / "migrations").is_dir()}
    assert len(ours) > 40
    assert [key for key, step in ours.items() if not all(operation.reversible for operation in step.operations)] == []
    later = [
        key
        for key, step in ours.items()
        if "provisioningtoken" in {str(vars(one).get("model_name", "")).lower() for one in step.operations}
    ]
    assert later == [("device_gateway", "0006_any_user_model")]


@pytest.mark.skipif(not IS_LONG, reason="ten seconds: at night")
def test_all_steps_are_taken_back_and_again(write_path: None) -> None:
    MigrationExecutor(connection).migrate([("device_gateway", "0005_short_keys")])
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_pending_tokens_stay_pending(step: Step, device: Device, vera: User) -> None:
    nobodys = Device.objects.create(name="nobody's")
    for each in (device, nobodys):
        provisioned(each)
    ProvisioningToken.objects.filter(device=nobodys).update(owner_at_issue="0")  # "" is no number, on the way back
    undo(step)
    assert is_undone()
    with connection.cursor() as cursor:  # as the release before wrote them
        cursor.execute(
            "UPDATE device_gateway_provisioningtoken SET owner_at_issue = NULL WHERE device_id = %s", [nobodys.pk]
        )
        cursor.execute("SELECT owner_at_issue FROM device_gateway_provisioningtoken ORDER BY id")
        assert cursor.fetchall() == [(vera.pk,), (None,)]
    apply(step)
    tokens = ProvisioningToken.objects.order_by("id")
    assert [token.owner_at_issue for token in tokens] == [str(vera.pk), ""]
    later = timezone.now() + timedelta(days=1)
    assert {token.state_at(later) for token in tokens} == {ProvisioningToken.State.PENDING}
