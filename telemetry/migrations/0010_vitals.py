from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0009_conflicts'),
    ]

    operations = [
        migrations.AddField(
            model_name='devicestatus',
            name='reset_reason',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AddField(
            model_name='devicestatus',
            name='rssi',
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name='devicestatus',
            name='free_heap',
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name='devicestatus',
            name='queue_length',
            field=models.IntegerField(null=True),
        ),
        migrations.AddField(
            model_name='devicestatus',
            name='vitals_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='devicestatus',
            name='firmware_at',
            field=models.DateTimeField(null=True),
        ),
    ]
