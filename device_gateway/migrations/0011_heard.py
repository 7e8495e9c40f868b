from django.db import migrations, models

from ozone.intake.indexing import AddIndexLive


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("device_gateway", "0010_finding"),
    ]

    operations = [
        AddIndexLive(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("last_poll__isnull", False)), fields=["last_poll"], name="state_polled"
            ),
        ),
        AddIndexLive(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("last_poll__isnull", True)), fields=["last_seen"], name="state_seen"
            ),
        ),
        AddIndexLive(
            model_name="devicestate",
            index=models.Index(
                condition=models.Q(("last_poll__isnull", False)), fields=["last_seen"], name="state_seen_too"
            ),
        ),
    ]
