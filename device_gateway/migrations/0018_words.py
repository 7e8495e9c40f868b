from django.db import migrations

from ozone.intake.indexing import AddWordIndexes


class Migration(migrations.Migration):

    atomic = False

    dependencies = [
        ("device_gateway", "0017_devices_by_location"),
    ]

    operations = [
        AddWordIndexes(
            devices_words=("device_gateway_device", "name_folded", "location_folded", "firmware_folded"),
            devicenames_words=("device_gateway_devicename", "name_folded", "replace(name_folded, ':', '')"),
        ),
    ]
