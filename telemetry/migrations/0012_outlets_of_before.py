from django.db import migrations


def remember(apps, schema_editor):
    """Outlets that were deleted before: a machine's binding there ended at that very moment."""
    Outlet, Machine, MachineDevice = (
        apps.get_model("telemetry", name) for name in ("Outlet", "Machine", "MachineDevice")
    )
    for outlet in Outlet.objects.exclude(archived_at=None).order_by("archived_at"):
        ended = MachineDevice.objects.filter(outlet=outlet, deactivated_date=outlet.archived_at)
        Machine.objects.filter(pk__in=ended.values("machine"), outlet=None).update(former_outlet=outlet)
        # Machines that had been deleted before it.
        Machine.objects.filter(outlet=outlet).update(outlet=None, former_outlet=outlet)


class Migration(migrations.Migration):

    dependencies = [
        ('telemetry', '0011_former_outlet'),
    ]

    operations = [
        migrations.RunPython(remember, migrations.RunPython.noop),
    ]
