"""Where people are told, and of what."""

from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

EMAIL: Final = "email"
WEBHOOK: Final = "webhook"

CODE_LIFE: Final = timedelta(hours=1)
CODE_TRIES: Final = 5


def new_nonce() -> str:
    return uuid4().hex


class Channel(models.Model):
    """One person's: nobody else reads it. It is told of nothing before its person has said the code that came by it.

    What a person wants to know stands beside where they want to know it: who wants two things in two ways has two.
    """

    class State(models.TextChoices):
        UNVERIFIED = "unverified", "not verified yet"
        ACTIVE = "active", "active"
        STOPPED = "stopped", "stopped"

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="channels")
    kind = models.CharField(max_length=32)
    name = models.CharField(max_length=100, blank=True, default="")
    target = models.CharField(max_length=2000)
    """As it is shown: an e-mail address, a webhook's address, a chat's without its secrets."""
    host = models.CharField(max_length=255)
    """Of which only a few are waited for at once."""
    sealed = models.TextField(blank=True, default="")
    """The webhook's key, or the chat's whole address, under DEVICE_DATA_KEY."""
    created_at = models.DateTimeField(default=timezone.now)
    nonce = models.CharField(max_length=32, default=new_nonce)
    """Of which the code is made."""
    code_sent_at = models.DateTimeField(null=True)
    code_tries = models.PositiveSmallIntegerField(default=0)
    verified_at = models.DateTimeField(null=True)
    stopped_at = models.DateTimeField(null=True)

    incidents = models.BooleanField(default=True)
    conditions = models.JSONField(default=list)
    """Kinds of incidents; none: all."""
    outlets = models.JSONField(default=list)
    """Numbers of outlets; none: all, and what is at none."""
    quiet_from = models.TimeField(null=True)
    quiet_until = models.TimeField(null=True)
    """By STATS_TIME_ZONE."""
    after_minutes = models.PositiveSmallIntegerField(null=True, default=0)
    """So long after an incident was found, unless somebody has acknowledged it. None: when it is escalated."""
    daily = models.BooleanField(default=False)
    weekly = models.BooleanField(default=False)
    statements = models.BooleanField(default=False)

    wakes_at = models.DateTimeField(null=True)
    """When something of it is next to be sent; null: nothing waits."""
    paced_until = models.DateTimeField(null=True)
    """What happens before then is told together then."""
    day_told = models.DateField(null=True)
    week_told = models.DateField(null=True)
    """The last day, and first day of a week, whose report it has."""

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["wakes_at"], condition=models.Q(wakes_at__isnull=False), name="channel_wakes"),
        ]

    def __str__(self) -> str:
        return self.name or f"{self.kind} {self.pk}"

    @property
    def state(self) -> str:
        if self.verified_at is None:
            return self.State.UNVERIFIED
        return self.State.STOPPED if self.stopped_at else self.State.ACTIVE

    @property
    def stopped(self) -> bool:
        return self.stopped_at is not None

    @classmethod
    def active(cls) -> "models.QuerySet[Channel]":
        """Those that are told of anything at all."""
        return cls.objects.filter(verified_at__isnull=False, stopped_at=None, person__is_active=True)

    def wake(self, at: Any) -> None:
        """No later than `at`. The update waits for whoever looks at the channel's messages."""
        later = models.Q(wakes_at=None) | models.Q(wakes_at__gt=at)
        Channel.objects.filter(later, pk=self.pk).update(wakes_at=at)


class CodeSent(models.Model):
    """One code that a person had sent somewhere. It outlives the channel: who deletes one has no more of them."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+", db_index=False)
    at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["person", "at"], name="code_sent")]

    def __str__(self) -> str:
        return f"code of {self.person_id} at {self.at}"
