from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0016_touched'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='command',
            index=models.Index(condition=models.Q(('executed_at__isnull', False)), fields=['device', 'executed_at'], name='command_executed'),
        ),
        migrations.AddIndex(
            model_name='devicestatus',
            index=models.Index(condition=models.Q(('touched_from__isnull', False)), fields=['touched_from'], name='status_touched'),
        ),
        migrations.AddIndex(
            model_name='telemetryevent',
            index=models.Index(condition=models.Q(('clock_suspect', True)), fields=['device', 'received_at'], name='event_suspect_received'),
        ),
    ]
