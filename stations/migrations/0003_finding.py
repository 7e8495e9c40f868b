from django.db import migrations

import ozone.intake.finding
from ozone.intake.finding import fill


def fill_all(apps, schema_editor):
    for name in ("Station", "PowerBank"):
        fill(apps.get_model("stations", name), schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('stations', '0002_acknowledged_requests'),
    ]

    operations = [
        migrations.AddField('station', 'serial_number_folded', ozone.intake.finding.Folded('serial_number', db_default='', default='', editable=False)),
        migrations.AddField('station', 'imei_folded', ozone.intake.finding.Folded('imei', db_default='', default='', editable=False)),
        migrations.AddField('station', 'wifi_ssid_folded', ozone.intake.finding.Folded('wifi_ssid', db_default='', default='', editable=False)),
        migrations.AddField('station', 'serial_number_order', ozone.intake.finding.Order('serial_number', null=True)),
        migrations.AddField('powerbank', 'serial_number_folded', ozone.intake.finding.Folded('serial_number', db_default='', default='', editable=False)),
        migrations.AddField('powerbank', 'serial_number_order', ozone.intake.finding.Order('serial_number', null=True)),
        migrations.RunPython(fill_all, migrations.RunPython.noop),
    ]
