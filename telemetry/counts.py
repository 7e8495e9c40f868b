"""The counts by hour and day that statistics are read from."""

from collections.abc import Sequence
from typing import Any

from django.db import models


class CoveringIndex(models.Index):
    """By `fields`, with the columns `covered` beside them, so that who reads these needs the index alone.

    PostgreSQL's has the fields alone: there an update that changes no indexed column stays within its page, and any
    other writes a new entry into every index of the table.
    """

    def __init__(self, *, covered: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self.covered = list(covered)

    def deconstruct(self) -> Any:
        path, arguments, options = super().deconstruct()
        return path, arguments, {**options, "covered": self.covered}

    def create_sql(self, model: type[models.Model], schema_editor: Any, using: str = "", **options: Any) -> Any:
        covered = [] if schema_editor.connection.vendor == "postgresql" else self.covered
        index = models.Index(fields=[*self.fields, *covered], name=self.name)
        return index.create_sql(model, schema_editor, using, **options)


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


BY_TIME = ["starts_at", "outlet_id", "machine_id"]
COUNTED = ["basic", "standard", "premium"]
"""With BY_TIME what statistics of the fleet, an outlet or a machine read."""


class HourlyCount(RollUp):
    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device_id", "starts_at", "machine_id", "outlet_id"], name="hour_once")
        ]
        indexes = [
            CoveringIndex(fields=BY_TIME, covered=COUNTED, name="hour_covering"),
            # An outlet has few of the hours' rows. Without the counts it is written once for each of them.
            models.Index(fields=["outlet_id", "starts_at"], name="hour_outlet"),
        ]


class DailyCount(RollUp):
    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["device_id", "starts_at", "machine_id", "outlet_id"], name="day_once")
        ]
        indexes = [CoveringIndex(fields=BY_TIME, covered=COUNTED, name="day_covering")]
