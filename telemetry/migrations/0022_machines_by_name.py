from django.db import migrations, models

from ozone.intake.indexing import AddIndexLive


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("telemetry", "0021_found"),
    ]

    operations = [
        AddIndexLive(
            model_name="machine",
            index=models.Index(fields=["name_order", "id"], condition=models.Q(archived_at=None), name="machines_by_name"),
        ),
    ]
