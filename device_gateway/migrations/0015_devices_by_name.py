from django.db import migrations, models
from django.db.models.functions import Coalesce, NullIf

from ozone.intake.finding import NoBytes
from ozone.intake.indexing import AddIndexLive

CALLED = Coalesce(NullIf("name_order", NoBytes()), "device_id_order")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("device_gateway", "0014_seen_from"),
    ]

    operations = [
        AddIndexLive(
            model_name="device",
            index=models.Index(CALLED, "id", condition=models.Q(archived_at=None), name="devices_by_name"),
        ),
        AddIndexLive(
            model_name="device",
            index=models.Index(
                CALLED, "id", condition=models.Q(archived_at=None, assigned=False), name="devices_unassigned"
            ),
        ),
    ]
