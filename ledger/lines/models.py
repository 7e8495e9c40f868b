"""What no press explains, and what people have said of it."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from device_gateway.models import Device
from ledger.epochs.models import Epoch
from telemetry.models import Machine, Outlet, Treatment


class Kind(models.TextChoices):
    """What a line says of its numbers.

    Of `twice`, `back`, `late` and `unplaced` the presses are stored, and counted in the statistics; of `missing` and
    `conflict` nothing is counted.
    """

    MISSING = "missing", "no press was told"
    TWICE = "twice", "one number, two presses"
    BACK = "back", "a step back without a reset"
    CONFLICT = "conflict", "told again under the id of another press"
    LATE = "late", "told after its month was closed"
    UNPLACED = "unplaced", "told while no machine held the device"


class Settlement(models.Model):
    """What a person has said of the numbers `first` to `last`, in the epoch that was in force at `at`.

    An entry of its own: it is never edited, the newest one of a line stands, and it stays whatever is computed anew.
    """

    class Reason(models.TextChoices):
        TEST = "test", "test press"
        REFUNDED = "refunded", "refunded"
        COUNTED = "counted", "counted by hand"
        LOST = "lost", "lost"

    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+", db_index=False)
    treatment = models.CharField(max_length=16, choices=Treatment.choices)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    first = models.IntegerField()
    last = models.IntegerField()
    at = models.DateTimeField()
    """The line's own moment when it was settled."""
    machine = models.ForeignKey(Machine, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    outlet = models.ForeignKey(Outlet, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    presses = models.PositiveIntegerField()
    """How many the line was about."""
    reason = models.CharField(max_length=8, choices=Reason.choices)
    count = models.PositiveIntegerField(null=True)
    """Of COUNTED: how many of the line's presses were sold."""
    note = models.CharField(max_length=500, blank=True, default="")
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False
    )

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["device", "treatment"], name="settlement_device"),
            models.Index(fields=["outlet", "made_at"], name="settlement_outlet"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {numbers(self.first, self.last)}: {self.reason}"


class Line(models.Model):
    """What the counter and the presses of one epoch do not agree about: the numbers `first` to `last`.

    Computed, as Epoch is: a press that comes late ends its line or makes two of it. A line is settled as a whole or not
    at all: settled numbers are never in one line with others.
    """

    epoch = models.ForeignKey(Epoch, on_delete=models.CASCADE, related_name="lines", db_index=False)
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="+")
    treatment = models.CharField(max_length=16, choices=Treatment.choices)
    kind = models.CharField(max_length=8, choices=Kind.choices)
    first = models.IntegerField()
    last = models.IntegerField()
    count = models.PositiveIntegerField()
    """Presses: of MISSING the numbers, of TWICE the events beyond the first, else the events."""
    at = models.DateTimeField()
    """When it showed: the time of the press after the missing ones, else of the line's own first press."""
    machine = models.ForeignKey(Machine, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    outlet = models.ForeignKey(Outlet, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    """Where the device was at that time; none of UNPLACED."""
    settlement = models.ForeignKey(Settlement, on_delete=models.SET_NULL, null=True, related_name="lines")

    class Meta:
        ordering = ["at", "id"]
        constraints = [models.UniqueConstraint(fields=["epoch", "kind", "first", "at"], name="line_once")]
        indexes = [
            models.Index(fields=["outlet", "at"], name="line_outlet"),
            models.Index(fields=["machine", "at"], name="line_machine"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.numbers}"

    @property
    def numbers(self) -> str:
        """For people: `9`, or `10–15`."""
        return numbers(self.first, self.last)


def numbers(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"
