"""Indexes of tables that grow, made while other nodes write: an upgrade goes from node to node, and the first migrates.

    class Migration(migrations.Migration):
        atomic = False
        operations = [AddIndexLive("telemetryevent", models.Index(…))]

On PostgreSQL CONCURRENTLY: without it nobody stores a row until the index is there. What was killed in the midst is
made anew, so that the migration may be run again.
"""

import logging
from collections.abc import Sequence
from typing import Any

from django.db import Error, transaction
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations import AddIndex
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

logger = logging.getLogger(__name__)


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


class AddWordIndexes(Operation):
    """Indexes by which PostgreSQL finds texts that a word occurs in: a name, and after it the table and its columns.

    They take `pg_trgm`, which Debian's package has and any owner of a database may install. Where it is not to be had
    nothing is made: words are looked for in all rows then, as on SQLite.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, **indexes: Sequence[str]) -> None:
        self.indexes = indexes

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """No model says that it has them."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        connection = schema_editor.connection
        if connection.vendor != "postgresql":
            return
        try:
            with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        except Error as error:
            logger.warning("no index for words, they are looked for in all rows: %s", str(error).strip())
            return
        way = "CONCURRENTLY " if live(schema_editor) else ""
        for name, (table, *columns) in self.indexes.items():
            drop_index(schema_editor, name)
            words = ", ".join(f"{column} gin_trgm_ops" for column in columns)
            schema_editor.execute(f"CREATE INDEX {way}{name} ON {table} USING gin ({words})", params=None)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        if schema_editor.connection.vendor == "postgresql":
            for name in self.indexes:
                drop_index(schema_editor, name)

    def describe(self) -> str:
        return f"Indexes of words: {', '.join(self.indexes)}"


def live(schema_editor: BaseDatabaseSchemaEditor) -> dict[str, Any]:
    """What `create_sql` is to be told. Inside a transaction, as in a test, there is no such way."""
    connection = schema_editor.connection
    is_live = connection.vendor == "postgresql" and not connection.in_atomic_block
    return {"concurrently": True} if is_live else {}


def drop_index(schema_editor: BaseDatabaseSchemaEditor, name: str) -> None:
    """Nothing where there is none."""
    way = "CONCURRENTLY " if live(schema_editor) else ""
    schema_editor.execute(f"DROP INDEX {way}IF EXISTS {schema_editor.quote_name(name)}")
