from django.db import migrations, models

from ozone.intake.indexing import AddIndexLive


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ('telemetry', '0016_touched'),
    ]

    operations = [
        AddIndexLive(
            model_name='command',
            index=models.Index(condition=models.Q(('bulk__isnull', False)), fields=['bulk', 'status'], name='command_bulk'),
        ),
        AddIndexLive(
            model_name='command',
            index=models.Index(condition=models.Q(('executed_at__isnull', False)), fields=['device', 'executed_at'], name='command_executed'),
        ),
        AddIndexLive(
            model_name='devicestatus',
            index=models.Index(condition=models.Q(('touched_from__isnull', False)), fields=['touched_from'], name='status_touched'),
        ),
        AddIndexLive(
            model_name='telemetryevent',
            index=models.Index(condition=models.Q(('clock_suspect', True)), fields=['device', 'received_at'], name='event_suspect_received'),
        ),
    ]
