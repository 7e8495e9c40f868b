import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0010_vitals'),
    ]

    operations = [
        migrations.AddField(
            model_name='machine',
            name='former_outlet',
            field=models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='former_machines', to='telemetry.outlet'),
        ),
    ]
