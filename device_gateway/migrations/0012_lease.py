from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('device_gateway', '0011_heard'),
    ]

    operations = [
        migrations.CreateModel(
            name='Lease',
            fields=[
                ('name', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('holder', models.CharField(max_length=32)),
                ('until', models.DateTimeField()),
            ],
        ),
    ]
