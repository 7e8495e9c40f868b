"""The two tables of seed 000 that one reading touches."""

from django.db import models


class Device(models.Model):
    """A device, its API key as it is, and what it said last."""

    name = models.CharField(max_length=100)
    token = models.CharField(max_length=128, unique=True)
    last_seen = models.DateTimeField(null=True)
    last_payload = models.JSONField(null=True)


class DeviceTelemetry(models.Model):
    """One reading."""

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="telemetry")
    payload = models.JSONField()
    received_at = models.DateTimeField(auto_now_add=True, db_index=True)
