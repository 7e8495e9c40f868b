"""The counts by hour and day that statistics are read from."""

from django.db import models


class RollUp(models.Model):
    """Treatments of one device, machine and outlet in one stretch of time; 0 stands for no machine, no outlet.

    `starts_at` is the instant at which the local hour or day of STATS_TIME_ZONE begins.
    """

    device_id = models.BigIntegerField()
    machine_id = models.BigIntegerField(default=0)
    outlet_id = models.BigIntegerField(default=0)
    starts_at = models.DateTimeField()
    basic = models.IntegerField(default=0)
    standard = models.IntegerField(default=0)
    premium = models.IntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"device {self.device_id} from {self.starts_at}"


COVERED = ["starts_at", "outlet_id", "machine_id", "basic", "standard", "premium"]
"""What statistics of the fleet, an outlet or a machine read: the index is enough for them."""


class HourlyCount(RollUp):
    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device_id", "starts_at", "machine_id", "outlet_id"], name="hour_once")
        ]
        indexes = [
            models.Index(fields=COVERED, name="hour_covering"),
            # An outlet has few of the hours' rows. Without the counts it is written once for each of them.
            models.Index(fields=["outlet_id", "starts_at"], name="hour_outlet"),
        ]


class DailyCount(RollUp):
    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device_id", "starts_at", "machine_id", "outlet_id"], name="day_once")
        ]
        indexes = [models.Index(fields=COVERED, name="day_covering")]
