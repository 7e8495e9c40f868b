"""The two tables of seed 000 that one reading touches."""

from django.db import models


class Device(models.Model):
    """A device, its API key as it is, and what it said last."""

    name = models.CharField(max_length=100)
    token = models.CharField(max_length=128, unique=True)
    last_seen = models.DateTimeField(null=True)
    last_payload = models.JSONField(null=True)


class DeviceStatus(models.Model):
    """What an event moves, as seed 003 has it."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE)
    current_count_basic = models.IntegerField(default=0)
    current_count_standard = models.IntegerField(default=0)
    current_count_premium = models.IntegerField(default=0)
    last_seen = models.DateTimeField(null=True)


class TelemetryEvent(models.Model):
    """One event, as seed 003 has it."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE)
    event_id = models.CharField(max_length=128, unique=True)
    event = models.CharField(max_length=20)
    treatment = models.CharField(max_length=20)
    counter = models.IntegerField()
    occurred_at = models.DateTimeField(db_index=True)
    payload = models.JSONField()


class DeviceTelemetry(models.Model):
    """One reading."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="telemetry")
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True, db_index=True)
