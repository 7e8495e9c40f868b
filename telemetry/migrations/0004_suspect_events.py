from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0003_statistics'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='telemetryevent',
            index=models.Index(fields=['device', 'id'], condition=models.Q(('clock_suspect', True)), name='event_suspect'),
        ),
    ]
