"""Indexes of tables that grow, made while other nodes write: an upgrade goes from node to node, and the first migrates.

    class Migration(migrations.Migration):
        atomic = False
        operations = [AddIndexLive("telemetryevent", models.Index(…))]

On PostgreSQL CONCURRENTLY: without it nobody stores a row until the index is there. What was killed in the midst is
made anew, so that the migration may be run again.
"""

from typing import Any

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddIndex
from django.db.migrations.state import ProjectState


class AddIndexLive(AddIndex):
    """AddIndex for a migration that is not atomic."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = to_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_index(schema_editor, self.index.name)
            schema_editor.execute(self.index.create_sql(model, schema_editor, **live(schema_editor)), params=None)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        model = from_state.apps.get_model(app_label, self.model_name)
        if self.allow_migrate_model(schema_editor.connection.alias, model):
            drop_index(schema_editor, self.index.name)


def live(schema_editor: BaseDatabaseSchemaEditor) -> dict[str, Any]:
    """What `create_sql` is to be told. Inside a transaction, as in a test, there is no such way."""
    connection = schema_editor.connection
    is_live = connection.vendor == "postgresql" and not connection.in_atomic_block
    return {"concurrently": True} if is_live else {}


def drop_index(schema_editor: BaseDatabaseSchemaEditor, name: str) -> None:
    """Nothing where there is none."""
    way = "CONCURRENTLY " if live(schema_editor) else ""
    schema_editor.execute(f"DROP INDEX {way}IF EXISTS {schema_editor.quote_name(name)}")
