from django.db import migrations

import ozone.intake.finding


class Migration(migrations.Migration):

    dependencies = [
        ('device_gateway', '0009_registry_changes'),
    ]

    operations = [
        migrations.AddField('device', 'name_folded', ozone.intake.finding.Folded('name', db_default='', default='', editable=False)),
        migrations.AddField('device', 'location_folded', ozone.intake.finding.Folded('location', db_default='', default='', editable=False)),
        migrations.AddField('device', 'firmware_folded', ozone.intake.finding.Folded('firmware', db_default='', default='', editable=False)),
        migrations.AddField('device', 'name_order', ozone.intake.finding.Order('name', null=True)),
        migrations.AddField('device', 'location_order', ozone.intake.finding.Order('location', null=True)),
        migrations.AddField('device', 'device_id_order', ozone.intake.finding.Order('device_id', null=True)),
        migrations.AddField('devicename', 'name_folded', ozone.intake.finding.Folded('name', db_default='', default='', editable=False)),
    ]
