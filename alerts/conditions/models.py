"""What conditions go by: thresholds that people have set, and when each device is to be looked at again,
and the sign of life of whoever looks."""

from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from device_gateway.models import Device
from telemetry.models import Outlet


class Rule(models.Model):
    """A threshold of one condition, for a device, for an outlet or, with neither, for all.

    The nearest one holds: the device's, else the outlet's, else that of all, else the condition's default.
    """

    kind = models.CharField(max_length=32)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules")
    outlet = models.ForeignKey(Outlet, on_delete=models.CASCADE, null=True, blank=True, related_name="alert_rules")
    field = models.CharField(max_length=64, blank=True, default="")
    """Of a condition about readings: the member of their payload."""
    is_on = models.BooleanField(default=True)
    """Off: nobody is told of it there."""
    seconds = models.PositiveIntegerField(null=True, blank=True)
    """For how long, of a condition that lasts."""
    number = models.PositiveIntegerField(null=True, blank=True)
    """How many, how often, how much: in the condition's own unit."""
    low = models.FloatField(null=True, blank=True)
    high = models.FloatField(null=True, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["kind", "id"]
        constraints = [
            models.UniqueConstraint("kind", "field", Coalesce("device", 0), Coalesce("outlet", 0), name="rule_once"),
            models.CheckConstraint(condition=models.Q(device=None) | models.Q(outlet=None), name="rule_of_one"),
        ]

    def __str__(self) -> str:
        return self.kind


class Watch(models.Model):
    """When a device is to be looked at again. Neither polls nor events write it: whoever looks reads when the device
    was last heard, and pushes the time on.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, primary_key=True, related_name="watch")
    alert_after = models.DateTimeField(null=True)
    """None: it is known to be silent, or nobody waits for it."""
    usual_seconds = models.PositiveIntegerField(null=True)
    """The longest time between two of its readings on a usual day."""
    learnt_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["alert_after"], condition=models.Q(alert_after__isnull=False), name="watch_due")
        ]

    def __str__(self) -> str:
        return f"watch of {self.device_id}"


class Beat(models.Model):
    """One row, renewed by the process that leads."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    at = models.DateTimeField()
    counting_from = models.DateTimeField()
    """Nobody was listening before, or by another clock: silence counts from then."""
    rules_changed_at = models.DateTimeField(null=True)
    """A threshold of all was set then, and not all devices have been looked at by it yet; None: they have."""

    def __str__(self) -> str:
        return f"beat at {self.at}"
