"""The JSON of channels."""

from datetime import datetime, time
from typing import Any

from rest_framework import serializers

from alerts.channels.models import Channel
from alerts.conditions.table import CONDITIONS
from ozone.webapi.fields import Flag, Items, Text, WholeNumber
from ozone.webapi.replies import Made, RowReply

LONGEST_WAIT = 7 * 24 * 60
"""Minutes."""
MOST_OUTLETS = 1000


class Clock(Text):
    """A time of day as `HH:MM`, by STATS_TIME_ZONE."""

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            return datetime.strptime(text, "%H:%M").time()  # noqa: DTZ007
        except ValueError:
            raise serializers.ValidationError("A time of day as HH:MM.") from None


class ChannelChange(serializers.Serializer[Any]):
    """What a channel is told, and when."""

    name = Text(required=False, allow_blank=True, default="", max_length=100)
    stopped = Flag(required=False, default=False, help_text="It is told of nothing")
    incidents = Flag(required=False, default=True)
    conditions = Items(
        child=serializers.ChoiceField(choices=sorted(CONDITIONS)), required=False, default=list,
        max_length=len(CONDITIONS), help_text="Kinds of incidents; none: all",
    )  # fmt: skip
    outlets = Items(
        child=WholeNumber(min_value=1, max_value=2**63 - 1), required=False, default=list, max_length=MOST_OUTLETS,
        help_text="Incidents at these; none: at all, and at none",
    )  # fmt: skip
    quiet_from = Clock(
        required=False, allow_null=True, default=None, help_text="From then on what is not urgent is held"
    )
    quiet_until = Clock(required=False, allow_null=True, default=None, help_text="Until then")
    after_minutes = WholeNumber(
        required=False, allow_null=True, default=0, min_value=0, max_value=LONGEST_WAIT,
        help_text="After an incident was found, unless somebody has acknowledged it; null: when it is escalated",
    )  # fmt: skip
    daily = Flag(required=False, default=False, help_text="Yesterday's figures, each morning")
    weekly = Flag(required=False, default=False, help_text="Last week's, on Mondays")
    statements = Flag(required=False, default=False, help_text="Statements that are closed; for staff")


class ChannelRequest(ChannelChange):
    """A new one."""

    kind = Text(max_length=32, help_text="`email`, `webhook`, or one of apprise's that staff allow")
    target = Text(max_length=2000, help_text="Where: an e-mail address, a webhook's, a chat's as apprise has it")


class CodeRequest(serializers.Serializer[Any]):
    code = Text(max_length=32)


def _state(now: datetime, verified_at: datetime | None, stopped_at: datetime | None) -> str:
    return str(Channel(verified_at=verified_at, stopped_at=stopped_at).state)


def _clock(now: datetime, moment: time | None) -> str | None:
    return None if moment is None else f"{moment:%H:%M}"


class ChannelReply(RowReply):
    made = {
        "state": Made(_state, "verified_at", "stopped_at"),
        "stopped": Made(lambda _, stopped_at: stopped_at is not None, "stopped_at"),
        "quiet_from": Made(_clock, "quiet_from"),
        "quiet_until": Made(_clock, "quiet_until"),
    }

    id = serializers.IntegerField()
    kind = serializers.CharField()
    target = serializers.CharField(help_text="Without its secrets")
    name = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=Channel.State.choices)
    created_at = serializers.DateTimeField()
    verified_at = serializers.DateTimeField(allow_null=True)
    stopped = serializers.BooleanField()
    incidents = serializers.BooleanField()
    conditions = serializers.ListField(child=serializers.CharField())
    outlets = serializers.ListField(child=serializers.IntegerField())
    quiet_from = serializers.CharField(allow_null=True, help_text="HH:MM, by STATS_TIME_ZONE")
    quiet_until = serializers.CharField(allow_null=True)
    after_minutes = serializers.IntegerField(allow_null=True)
    daily = serializers.BooleanField()
    weekly = serializers.BooleanField()
    statements = serializers.BooleanField()


class ChannelMade(ChannelReply):
    given = ("secret",)

    secret = serializers.CharField(allow_null=True, help_text="Of a webhook, shown this once: `whsec_…`")


class ChannelList(serializers.Serializer[Any]):
    kinds = serializers.ListField(child=serializers.CharField(), help_text="That can be added here")
    results = ChannelReply(many=True)
