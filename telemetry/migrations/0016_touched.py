from datetime import UTC, datetime

from django.db import migrations, models


class Migration(migrations.Migration):
    """What is stored has never been looked into: it has these values by a default that is then taken back, so that no
    row is written while the table is locked."""

    dependencies = [
        ('telemetry', '0015_opening_hours'),
    ]

    operations = [
        migrations.AddField('devicestatus', 'touched', models.PositiveBigIntegerField(db_default=1, default=0)),
        migrations.AddField(
            'devicestatus', 'touched_from', models.DateTimeField(db_default=datetime(2000, 1, 1, tzinfo=UTC), null=True)
        ),
        migrations.AlterField('devicestatus', 'touched', models.PositiveBigIntegerField(db_default=0, default=0)),
        migrations.AlterField('devicestatus', 'touched_from', models.DateTimeField(null=True)),
    ]
