from datetime import UTC, datetime

from django.db import migrations, models


def touch_all(apps, schema_editor):
    """What is stored has never been looked into."""
    statuses = apps.get_model("telemetry", "DeviceStatus").objects.using(schema_editor.connection.alias)
    statuses.update(touched=1, touched_from=datetime(2000, 1, 1, tzinfo=UTC))


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0015_opening_hours'),
    ]

    operations = [
        migrations.AddField(
            model_name='devicestatus',
            name='touched',
            field=models.PositiveBigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='devicestatus',
            name='touched_from',
            field=models.DateTimeField(null=True),
        ),
        migrations.RunPython(touch_all, migrations.RunPython.noop),
    ]
