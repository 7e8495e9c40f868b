from django.db import migrations

import telemetry.counts
from ozone.intake.indexing import drop_index, live

TABLES = {"hour_covering": "telemetry_hourlycount", "day_covering": "telemetry_dailycount"}
BY_TIME = "starts_at, outlet_id, machine_id"


def make(schema_editor, index, table, columns):
    """While other nodes write."""
    drop_index(schema_editor, index)
    way = "CONCURRENTLY " if live(schema_editor) else ""
    schema_editor.execute(f"CREATE INDEX {way}{index} ON {table} ({columns})")


def narrow(apps, schema_editor):
    """On PostgreSQL only; SQLite's indexes stay as they are."""
    if schema_editor.connection.vendor == "postgresql":
        for index, table in TABLES.items():
            make(schema_editor, index, table, BY_TIME)
            # A row's next version needs room beside it.
            schema_editor.execute(f"ALTER TABLE {table} SET (fillfactor = 70)")


def widen(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for index, table in TABLES.items():
            make(schema_editor, index, table, f"{BY_TIME}, basic, standard, premium")
            schema_editor.execute(f"ALTER TABLE {table} RESET (fillfactor)")


def covering(model_name, name):
    index = telemetry.counts.CoveringIndex(
        covered=["basic", "standard", "premium"], fields=["starts_at", "outlet_id", "machine_id"], name=name
    )
    return [migrations.RemoveIndex(model_name, name), migrations.AddIndex(model_name, index)]


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("telemetry", "0018_swaps"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(narrow, widen)],
            state_operations=[*covering("hourlycount", "hour_covering"), *covering("dailycount", "day_covering")],
        ),
    ]
