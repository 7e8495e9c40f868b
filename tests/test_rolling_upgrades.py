"""Nodes are upgraded one after the other: the release before goes on with the tables that the next one has migrated."""

from collections.abc import Iterator
from typing import Final

from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

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
