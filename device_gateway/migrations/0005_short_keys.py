from django.db import migrations, models


def forget_beginnings(apps, schema_editor):
    """Of a key set by hand nobody knows any more how long it was: eight characters may have been all of it."""
    apps.get_model("device_gateway", "Credential").objects.filter(source="admin").update(prefix="")


class Migration(migrations.Migration):
    dependencies = [("device_gateway", "0004_refused_handshakes")]

    operations = [
        migrations.AlterField("credential", "prefix", models.CharField(blank=True, max_length=8)),
        migrations.RunPython(forget_beginnings, migrations.RunPython.noop),
    ]
