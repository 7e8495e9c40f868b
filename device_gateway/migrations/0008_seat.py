from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("device_gateway", "0007_reading_traces"),
    ]

    operations = [
        migrations.AddField(
            model_name="devicestate",
            name="seat",
            field=models.BigIntegerField(null=True),
        ),
    ]
