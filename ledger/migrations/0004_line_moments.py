from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('device_gateway', '0011_heard'),
        ('ledger', '0003_statements'),
        ('telemetry', '0017_looked_into'),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name='line',
            name='line_once',
        ),
        migrations.AddField(
            model_name='epoch',
            name='pressed_at',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddConstraint(
            model_name='line',
            constraint=models.UniqueConstraint(fields=('epoch', 'kind', 'first', 'at'), name='line_once'),
        ),
    ]
