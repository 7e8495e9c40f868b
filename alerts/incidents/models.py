"""Incidents, and the times in which nobody is told of them."""

from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone

from alerts.conditions.table import CONDITIONS
from device_gateway.models import Device
from ozone.wire.times import people_zone
from stations.models import Station
from telemetry.models import Machine, Outlet
from telemetry.opening import LONGEST, check_opening_hours, read_opening_hours

_MOMENT: Final = timedelta(microseconds=1)


class Incident(models.Model):
    """A condition that came true of a subject, from its beginning to its end.

    Whoever opens, tells or ends one does so by a conditional UPDATE, or an INSERT that the index lets through once: two
    that look at the same time make one incident of it, and one message.
    """

    kind = models.CharField(max_length=32)
    """A word of `alerts.conditions.table.CONDITIONS`."""
    subject_key = models.CharField(max_length=160)
    """`device:12`, `outlet:3`, `system`."""
    subject = models.CharField(max_length=250)
    """Its name for people, as it was."""
    device = models.ForeignKey(Device, on_delete=models.SET_NULL, null=True, related_name="incidents")
    machine = models.ForeignKey(Machine, on_delete=models.SET_NULL, null=True, related_name="incidents")
    outlet = models.ForeignKey(Outlet, on_delete=models.SET_NULL, null=True, related_name="incidents")
    station = models.ForeignKey(Station, on_delete=models.SET_NULL, null=True, related_name="incidents")
    since = models.DateTimeField()
    """When it began, by what is known: when a silent device was last heard."""
    opened_at = models.DateTimeField()
    """When it was found."""
    ended_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    """When people were told. None: it is held back, by maintenance or by an incident of its whole outlet."""
    held_by = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="members")
    """The incident of its outlet, or of all: that one is told in its place."""
    times = models.PositiveIntegerField(default=1, db_default=1)
    """How often it began: one that comes back soon is the same."""
    calm_since = models.DateTimeField(null=True)
    """It came back before, and seems to be over: it ends when it has stayed away for a while."""
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    note = models.CharField(max_length=500, blank=True, default="")
    snoozed_until = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)
    cause = models.CharField(max_length=300, blank=True, default="", db_default="")
    """One sentence, the likeliest; "" where nothing tells."""
    facts = models.JSONField(default=dict)
    """What was seen, as plain values."""

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject_key"], condition=models.Q(ended_at=None), name="one_open_incident"
            )
        ]
        indexes = [
            models.Index(fields=["subject_key", "kind", "ended_at"], name="incident_subject"),
            models.Index(fields=["opened_at"], name="incident_opened"),
            models.Index(fields=["ended_at"], condition=models.Q(ended_at__isnull=False), name="incident_ended"),
            models.Index(fields=["told_at"], condition=models.Q(ended_at=None), name="incident_open"),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def title(self) -> str:
        """`Silent: CH1/027/2024`."""
        condition = CONDITIONS.get(self.kind)
        return f"{condition.label if condition else self.kind}: {self.subject}"

    @property
    def sentence(self) -> str:
        """What happened, since when, and what is usual."""
        condition = CONDITIONS.get(self.kind)
        return condition.says(self.facts, self.since) if condition else ""

    @property
    def advice(self) -> str:
        """What to do."""
        condition = CONDITIONS.get(self.kind)
        return condition.advice if condition else ""


class Maintenance(models.Model):
    """A time in which incidents of an outlet, of a machine or, with neither, of all are kept but not told: once from
    `start` to `end`, or from `start` on in the hours of each week that `weekly` names, by the clock of the pages."""

    outlet = models.ForeignKey(Outlet, on_delete=models.CASCADE, null=True, blank=True, related_name="maintenance")
    machine = models.ForeignKey(Machine, on_delete=models.CASCADE, null=True, blank=True, related_name="maintenance")
    start = models.DateTimeField()
    end = models.DateTimeField(null=True, blank=True)
    weekly = models.CharField(max_length=LONGEST, blank=True, default="", validators=[check_opening_hours])
    """As an outlet's opening hours: `Su 02:00-04:00`."""
    note = models.CharField(max_length=500, blank=True, default="")
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["end"], name="maintenance_end")]
        constraints = [
            models.CheckConstraint(condition=models.Q(outlet=None) | models.Q(machine=None), name="maintenance_of_one"),
            models.CheckConstraint(
                condition=models.Q(end__isnull=False) | ~models.Q(weekly=""), name="maintenance_ends_or_repeats"
            ),
        ]

    def __str__(self) -> str:
        return self.weekly or f"{self.start} to {self.end}"

    def clean(self) -> None:
        super().clean()
        if self.outlet_id is not None and self.machine_id is not None:
            raise ValidationError({"machine": "An outlet, or a machine, or neither: then it is of all."})
        if self.end is None and not self.weekly:
            raise ValidationError({"end": "When it ends, or `weekly` for hours of each week."})
        if self.end is not None and self.end <= self.start:
            raise ValidationError({"end": "Later than the start."})

    def holds_at(self, now: datetime) -> bool:
        """Whether it is in force at that moment."""
        if now < self.start or (self.end is not None and now >= self.end):
            return False
        if not self.weekly:
            return True
        return bool(read_opening_hours(self.weekly).open_between(now, now + _MOMENT, people_zone()))

    def covers(self, subject: Any) -> bool:
        """Whether it is about that incident or finding: `machine_id`, `outlet_id`."""
        if self.machine_id is not None:
            return bool(subject.machine_id == self.machine_id)
        return self.outlet_id is None or bool(subject.outlet_id == self.outlet_id)
