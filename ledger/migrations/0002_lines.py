import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('device_gateway', '0011_heard'),
        ('ledger', '0001_prices'),
        ('telemetry', '0014_finding'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Epoch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('treatment', models.CharField(choices=[('BASIC', 'Basic'), ('STANDARD', 'Standard'), ('PREMIUM', 'Premium')], max_length=16)),
                ('number', models.PositiveIntegerField()),
                ('cause', models.CharField(choices=[('first', 'its first press'), ('reset', 'counters reset'), ('cleared', 'memory cleared'), ('zero', 'told its counter as 0'), ('restart', 'began anew by itself'), ('swap', 'another machine')], max_length=8)),
                ('started_at', models.DateTimeField()),
                ('ended_at', models.DateTimeField(null=True)),
                ('base', models.IntegerField()),
                ('last', models.IntegerField()),
                ('presses', models.PositiveIntegerField()),
                ('command', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='telemetry.command')),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='epochs', to='device_gateway.device')),
                ('machine', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='epochs', to='telemetry.machine')),
            ],
            options={
                'ordering': ['device', 'treatment', 'number'],
            },
        ),
        migrations.CreateModel(
            name='Settlement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('treatment', models.CharField(choices=[('BASIC', 'Basic'), ('STANDARD', 'Standard'), ('PREMIUM', 'Premium')], max_length=16)),
                ('kind', models.CharField(choices=[('missing', 'no press was told'), ('twice', 'one number, two presses'), ('back', 'a step back without a reset'), ('conflict', 'told again under the id of another press'), ('late', 'told after its month was closed'), ('unplaced', 'told while no machine held the device')], max_length=8)),
                ('first', models.IntegerField()),
                ('last', models.IntegerField()),
                ('at', models.DateTimeField()),
                ('presses', models.PositiveIntegerField()),
                ('reason', models.CharField(choices=[('test', 'test press'), ('refunded', 'refunded'), ('counted', 'counted by hand'), ('lost', 'lost')], max_length=8)),
                ('count', models.PositiveIntegerField(null=True)),
                ('note', models.CharField(blank=True, default='', max_length=500)),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('device', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='device_gateway.device')),
                ('machine', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='telemetry.machine')),
                ('made_by', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('outlet', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='telemetry.outlet')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='Line',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('treatment', models.CharField(choices=[('BASIC', 'Basic'), ('STANDARD', 'Standard'), ('PREMIUM', 'Premium')], max_length=16)),
                ('kind', models.CharField(choices=[('missing', 'no press was told'), ('twice', 'one number, two presses'), ('back', 'a step back without a reset'), ('conflict', 'told again under the id of another press'), ('late', 'told after its month was closed'), ('unplaced', 'told while no machine held the device')], max_length=8)),
                ('first', models.IntegerField()),
                ('last', models.IntegerField()),
                ('count', models.PositiveIntegerField()),
                ('at', models.DateTimeField()),
                ('device', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='device_gateway.device')),
                ('epoch', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='ledger.epoch')),
                ('machine', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='telemetry.machine')),
                ('outlet', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='telemetry.outlet')),
                ('settlement', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='lines', to='ledger.settlement')),
            ],
            options={
                'ordering': ['at', 'id'],
            },
        ),
        migrations.AddConstraint(
            model_name='epoch',
            constraint=models.UniqueConstraint(fields=('device', 'treatment', 'number'), name='epoch_once'),
        ),
        migrations.AddIndex(
            model_name='settlement',
            index=models.Index(fields=['device', 'treatment'], name='settlement_device'),
        ),
        migrations.AddIndex(
            model_name='settlement',
            index=models.Index(fields=['outlet', 'made_at'], name='settlement_outlet'),
        ),
        migrations.AddIndex(
            model_name='line',
            index=models.Index(fields=['outlet', 'at'], name='line_outlet'),
        ),
        migrations.AddIndex(
            model_name='line',
            index=models.Index(fields=['machine', 'at'], name='line_machine'),
        ),
        migrations.AddConstraint(
            model_name='line',
            constraint=models.UniqueConstraint(fields=('epoch', 'kind', 'first'), name='line_once'),
        ),
    ]
