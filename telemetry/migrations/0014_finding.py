from django.db import migrations

import ozone.intake.finding


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0013_bulk'),
    ]

    operations = [
        migrations.AddField('outlet', 'name_folded', ozone.intake.finding.Folded('name', db_default='', default='', editable=False)),
        migrations.AddField('outlet', 'region_folded', ozone.intake.finding.Folded('region', db_default='', default='', editable=False)),
        migrations.AddField('outlet', 'address_folded', ozone.intake.finding.Folded('address', db_default='', default='', editable=False)),
        migrations.AddField('outlet', 'contact_person_folded', ozone.intake.finding.Folded('contact_person', db_default='', default='', editable=False)),
        migrations.AddField('outlet', 'name_order', ozone.intake.finding.Order('name', null=True)),
        migrations.AddField('outlet', 'region_order', ozone.intake.finding.Order('region', null=True)),
        migrations.AddField('machine', 'name_folded', ozone.intake.finding.Folded('name', db_default='', default='', editable=False)),
        migrations.AddField('machine', 'name_order', ozone.intake.finding.Order('name', null=True)),
    ]
