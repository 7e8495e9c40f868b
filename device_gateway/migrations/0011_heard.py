from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("device_gateway", "0010_finding"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("last_poll__isnull", False)), fields=["last_poll"], name="state_polled"
            ),
        ),
        migrations.AddIndex(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("last_poll__isnull", True)), fields=["last_seen"], name="state_seen"
            ),
        ),
        migrations.AddIndex(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("last_poll__isnull", False)), fields=["last_seen"], name="state_seen_too"
            ),
        ),
    ]
