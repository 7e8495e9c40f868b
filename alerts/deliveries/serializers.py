"""The JSON of the log."""

from typing import Any

from django.utils import timezone
from rest_framework import serializers

from alerts.deliveries.models import Delivery
from ozone.webapi.replies import Made, RowReply


class DeliveryReply(RowReply):
    """Without the channel's address: whoever reads the log knows it, or is not to."""

    made = {"message_id": Made(lambda _, message: f"msg_{message}" if message else None, "message")}

    id = serializers.IntegerField()
    type = serializers.CharField()
    incident_id = serializers.IntegerField(allow_null=True)
    at = serializers.DateTimeField(help_text="When it happened")
    channel_id = serializers.IntegerField()
    channel = serializers.CharField(source="channel__name", allow_blank=True)
    kind = serializers.CharField(source="channel__kind")
    person = serializers.CharField(source="person__username")
    state = serializers.ChoiceField(choices=Delivery.State.choices)
    message_id = serializers.CharField(
        allow_null=True, help_text="Those of one message were sent together; a webhook's `webhook-id`"
    )
    attempts = serializers.IntegerField()
    next_try = serializers.DateTimeField(allow_null=True)
    sent_at = serializers.DateTimeField(allow_null=True)
    response_code = serializers.IntegerField(allow_null=True, help_text="Of the last try, by HTTP or SMTP")
    error = serializers.CharField(allow_blank=True)
    maybe_twice = serializers.BooleanField(help_text="A try may have come through, and there was another")

    @classmethod
    def one(cls, row: Delivery) -> dict[str, Any]:
        return next(cls.rows(Delivery.objects.filter(pk=row.pk), timezone.now()))


class DeliveryList(serializers.Serializer[Any]):
    results = DeliveryReply(many=True, help_text="The newest first")
    next = serializers.IntegerField(allow_null=True, help_text="For `before`; null: these are all")
