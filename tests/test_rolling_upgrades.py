"""Nodes are upgraded one after the other: the release before goes on with the tables that the next one has migrated."""

from collections.abc import Iterator
from typing import Final

from django.db.migrations import AddConstraint, AddField, AddIndex, Migration, RunPython
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED

from ozone.intake.indexing import AddIndexLive

RELEASED: Final = [
    ("device_gateway", "0005_short_keys"),
    ("stations", "0001_initial"),
    ("telemetry", "0006_hour_outlet"),
]
"""The newest migrations of the last release."""
HINDRANCES: Final = {
    "telemetry_telemetryevent has no digest any more",
    "device_gateway_provisioningtoken wants owner_at_issue",
    "stations_synclog wants warnings",
}
"""What a node of 0.1.0 fails at beside the next release (docs/operations.md). The one after it is to have none."""
SMALL: Final = {"outlet", "machine", "provisioningtoken", "registryversion", "station", "powerbank"}
"""Models of tables that an index is made of in no time."""


def hindrances() -> Iterator[str]:
    """Columns that code of the last release writes and that are gone, or that it does not know and must write."""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    before, now = loader.project_state(RELEASED).apps, loader.project_state().apps
    for model in (model for label, _ in RELEASED for model in before.get_app_config(label).get_models()):
        table = model._meta.db_table
        later = {
            field.column: field
            for other in now.get_models()
            if other._meta.db_table == table
            for field in other._meta.concrete_fields
        }
        earlier = {field.column: field for field in model._meta.concrete_fields}
        yield from (f"{table} has no {column} any more" for column in earlier.keys() - later.keys())
        for column, field in later.items():
            is_new = column not in earlier or earlier[column].null
            if is_new and not field.null and field.db_default is NOT_PROVIDED and not field.primary_key:
                yield f"{table} wants {column}"


def test_the_release_before_goes_on() -> None:
    assert set(hindrances()) == HINDRANCES


def indexing() -> Iterator[str]:
    """What migrations since the last release do to its large tables that keeps everybody from storing rows until an
    index is there, or all rows are filled. (Indexes by RunPython or RunSQL are not seen.)"""
    loader = MigrationLoader(None, ignore_no_migrations=True)
    released = {node for last in RELEASED for node in loader.graph.forwards_plan(last)}
    large = {(label, name) for label, name in loader.project_state(RELEASED).models if label in dict(RELEASED)} - {
        (label, name) for label, _ in RELEASED for name in SMALL
    }
    for node, migration in sorted(loader.disk_migrations.items()):
        if node in released:
            continue
        changes = [one for one in migration.operations if (node[0], getattr(one, "model_name_lower", "")) in large]
        for operation in changes:
            if makes_all_wait(migration, operation):
                yield f"{'.'.join(node)}: {operation.describe()}"
        if changes and migration.atomic and any(isinstance(one, RunPython) for one in migration.operations):
            yield f"{'.'.join(node)}: what fills the rows keeps the table locked that was altered before"


def makes_all_wait(migration: Migration, operation: Operation) -> bool:
    if isinstance(operation, AddIndex):
        return migration.atomic or not isinstance(operation, AddIndexLive)
    if isinstance(operation, AddField):
        return operation.field.unique or bool(getattr(operation.field, "db_index", False))
    return isinstance(operation, AddConstraint)


def test_nobody_waits_for_an_index() -> None:
    assert list(indexing()) == []
