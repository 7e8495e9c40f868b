from django.db import migrations

from ozone.intake.finding import fill


def fill_all(apps, schema_editor):
    for name in ("Device", "DeviceName"):
        fill(apps.get_model("device_gateway", name), schema_editor.connection)


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("device_gateway", "0015_devices_by_name"),
    ]

    operations = [
        migrations.RunPython(fill_all, migrations.RunPython.noop),
    ]
