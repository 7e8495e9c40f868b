from django.db import migrations, models
from django.db.models.functions import Coalesce, NullIf

from ozone.intake.finding import NoBytes
from ozone.intake.indexing import AddIndexLive

CALLED = Coalesce(NullIf("name_order", NoBytes()), "device_id_order")


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("device_gateway", "0016_found"),
    ]

    operations = [
        AddIndexLive(
            model_name="device",
            index=models.Index(
                "location_order", CALLED, "id", condition=models.Q(archived_at=None), name="devices_by_location"
            ),
        ),
        AddIndexLive(
            model_name="device",
            index=models.Index("device_id_order", "id", condition=models.Q(archived_at=None), name="devices_by_id"),
        ),
    ]
