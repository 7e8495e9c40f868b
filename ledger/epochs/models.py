"""Runs of a device's counters, each from a base until a reset."""

from django.db import models

from device_gateway.models import Device
from telemetry.models import Command, Machine, Treatment


class Epoch(models.Model):
    """One run of a device's counter of one treatment: the numbers after `base`, up to `last`, were pressed in it.

    `last - base` is what the counter says, `presses` what is stored; Line has what lies between. Epochs are computed
    from events, commands and bindings (`ledger.epochs`), and computed anew whenever one of these changes: nothing else
    is to write here, and a row may go when a late press shows that there was no restart.
    """

    class Cause(models.TextChoices):
        FIRST = "first", "its first press"
        RESET = "reset", "counters reset"
        CLEARED = "cleared", "memory cleared"
        ZERO = "zero", "told its counter as 0"
        RESTART = "restart", "began anew by itself"
        SWAP = "swap", "another machine"

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="epochs")
    treatment = models.CharField(max_length=16, choices=Treatment.choices)
    number = models.PositiveIntegerField()
    """Of the device's epochs of the treatment, in the order of time, from 1."""
    cause = models.CharField(max_length=8, choices=Cause.choices)
    """Why it began."""
    command = models.ForeignKey(
        Command, on_delete=models.SET_NULL, null=True, related_name="+", db_constraint=False, db_index=False
    )
    """The one that ended the epoch before; its `created_by` has ordered it."""
    machine = models.ForeignKey(Machine, on_delete=models.SET_NULL, null=True, related_name="epochs")
    """That held the device."""
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    base = models.IntegerField()
    last = models.IntegerField()
    presses = models.PositiveIntegerField()
    """Stored ones, those of its lines `twice` and `back` among them."""
    pressed_at = models.DateTimeField(null=True)
    """The newest press that raised its counter."""

    class Meta:
        ordering = ["device", "treatment", "number"]
        constraints = [models.UniqueConstraint(fields=["device", "treatment", "number"], name="epoch_once")]

    def __str__(self) -> str:
        return f"epoch {self.number} of {self.treatment} of device {self.device_id}"

    @property
    def difference(self) -> int:
        return self.last - self.base
