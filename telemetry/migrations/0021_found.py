from django.db import migrations

from ozone.intake.finding import fill


def fill_all(apps, schema_editor):
    for name in ("Outlet", "Machine"):
        fill(apps.get_model("telemetry", name), schema_editor.connection)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("telemetry", "0020_seen_from"),
    ]

    operations = [
        migrations.RunPython(fill_all, migrations.RunPython.noop),
    ]
