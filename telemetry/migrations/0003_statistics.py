from django.db import migrations, models

COVERED = ['starts_at', 'outlet_id', 'machine_id', 'basic', 'standard', 'premium']


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0002_command_changed'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='hourlycount', name='hour_starts'),
        migrations.RemoveIndex(model_name='dailycount', name='day_starts'),
        migrations.AddIndex(model_name='hourlycount', index=models.Index(fields=COVERED, name='hour_covering')),
        migrations.AddIndex(model_name='dailycount', index=models.Index(fields=COVERED, name='day_covering')),
        migrations.AddIndex(model_name='telemetryevent', index=models.Index(fields=['occurred_at'], name='event_occurred')),
    ]
