from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0007_forced_commands'),
    ]

    operations = [
        migrations.AlterField(
            model_name='devicestatus',
            name='current_count_basic',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='devicestatus',
            name='current_count_premium',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='devicestatus',
            name='current_count_standard',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='devicestatus',
            name='device_timestamp',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
        migrations.AlterField(
            model_name='devicestatus',
            name='mode',
            field=models.CharField(blank=True, db_default='', default='', max_length=16),
        ),
        migrations.AlterField(
            model_name='devicestatus',
            name='resets',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AlterField(
            model_name='devicestatus',
            name='wifi_status',
            field=models.CharField(blank=True, db_default='', default='', max_length=64),
        ),
    ]
