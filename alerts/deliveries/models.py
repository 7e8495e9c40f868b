"""What is told to one channel of one happening: the outbox, and later the log."""

from typing import Final

from django.conf import settings
from django.db import models
from django.utils import timezone

from alerts.channels.models import Channel
from alerts.incidents.models import Incident

VERIFY: Final = "channel.verify"
TEST: Final = "channel.test"
DAILY: Final = "report.daily"
WEEKLY: Final = "report.weekly"
STATEMENT: Final = "statement.closed"


class Delivery(models.Model):
    """Stored in the transaction in which it happened, so it is neither lost nor told of what was not.

    Deliveries of one `message` were sent together and share their fate. A runner takes them by a conditional update:
    two never have the same. One that is killed in between leaves them SENDING until `claimed_until`; then they are
    UNSENT, which is tried again and may come twice.
    """

    class State(models.TextChoices):
        WAITING = "waiting", "waits to be sent"
        SENDING = "sending", "is being sent"
        UNSENT = "unsent", "nobody knows whether it was sent: tried again"
        SENT = "sent", "sent"
        FAILED = "failed", "given up"
        DROPPED = "dropped", "not needed any more"

    OPEN = (State.WAITING, State.UNSENT)
    """What is yet to be sent."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="deliveries", db_index=False)
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    key = models.CharField(max_length=64)
    """What it tells of: a channel is told once."""
    type = models.CharField(max_length=32)
    incident = models.ForeignKey(Incident, on_delete=models.SET_NULL, null=True, related_name="deliveries")
    at = models.DateTimeField()
    """When it happened."""
    data = models.JSONField()
    """As it was then."""
    is_urgent = models.BooleanField(default=False)
    """It is told in quiet hours, too."""
    is_escalation = models.BooleanField(default=False)
    """It is not told once somebody has acknowledged the incident, or it has ended."""
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    message = models.CharField(max_length=32, blank=True, default="")
    """The message's id, the same at every try; empty until it is first sent."""
    claim = models.UUIDField(null=True)
    claimed_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    first_tried_at = models.DateTimeField(null=True)
    next_try = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True)
    response_code = models.PositiveSmallIntegerField(null=True)
    error = models.CharField(max_length=300, blank=True, default="")
    maybe_twice = models.BooleanField(default=False)
    """A try ended so that it may have come through, and there was another."""

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="told_once")]
        indexes = [
            # By what is null: SQLite uses no partial index whose condition names a value.
            models.Index(
                fields=["channel", "next_try"], condition=models.Q(next_try__isnull=False), name="delivery_open"
            ),
            models.Index(fields=["channel", "-id"], name="delivery_channel"),
            models.Index(fields=["person", "-id"], name="delivery_person"),
            models.Index(fields=["state", "-id"], name="delivery_state"),
            models.Index(fields=["created_at"], name="delivery_created"),
        ]

    def __str__(self) -> str:
        return f"{self.type} to channel {self.channel_id}: {self.state}"

    @classmethod
    def yet_to_send(cls, channel: Channel) -> "models.QuerySet[Delivery]":
        return cls.objects.filter(channel=channel, next_try__isnull=False, state__in=cls.OPEN)
