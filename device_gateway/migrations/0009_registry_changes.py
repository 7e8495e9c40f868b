from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("device_gateway", "0008_seat"),
    ]

    operations = [
        migrations.CreateModel(
            name="RegistryChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("device_id", models.BigIntegerField(null=True)),
                ("version", models.BigIntegerField()),
            ],
        ),
    ]
