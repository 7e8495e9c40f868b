"""What is remembered of a change of board: who ordered it, and what it would take to undo it."""

from django.conf import settings
from django.db import models

from device_gateway.models import Device


class Swap(models.Model):
    """At that moment the machine had `old`, and `new` from then on; None: no board. The bindings say the same of who
    held what; this says why."""

    machine = models.ForeignKey("telemetry.Machine", on_delete=models.CASCADE, related_name="swaps")
    old = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="+")
    new = models.ForeignKey(Device, on_delete=models.CASCADE, null=True, related_name="+")
    source = models.ForeignKey("telemetry.Machine", on_delete=models.SET_NULL, null=True, related_name="+")
    """The machine that had `new` until then."""
    at = models.DateTimeField()
    ordered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    kept = models.JSONField(default=dict)
    """What `new` has taken over from `old`: by column the value that it had before, and the one it got."""
    with_commands = models.BooleanField(default=False)
    """Whether pending commands that may be repeated went over to `new`."""
    undoes = models.OneToOneField("self", on_delete=models.CASCADE, null=True, related_name="undone_by")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["at"], name="swap_at")]

    def __str__(self) -> str:
        return f"swap in machine {self.machine_id} at {self.at}"
