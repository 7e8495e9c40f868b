"""The JSON of events and of figures about them: described here, for OpenAPI, and rendered here."""

from typing import Any

from rest_framework import serializers

from ozone.webapi.replies import RowReply
from telemetry.models import TelemetryEvent, Treatment


class CountsReply(serializers.Serializer[Any]):
    basic = serializers.IntegerField()
    standard = serializers.IntegerField()
    premium = serializers.IntegerField()


class EventReply(RowReply):
    """An event as operators see it."""

    id = serializers.IntegerField()
    device_id = serializers.CharField(source="device__device_id")
    event_id = serializers.CharField()
    event = serializers.CharField()
    event_type = serializers.CharField()
    treatment = serializers.ChoiceField(choices=Treatment.choices, allow_null=True)
    counter = serializers.IntegerField(allow_null=True)
    count_basic = serializers.IntegerField(allow_null=True)
    count_standard = serializers.IntegerField(allow_null=True)
    count_premium = serializers.IntegerField(allow_null=True)
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    device_timestamp = serializers.CharField(allow_null=True)
    clock_suspect = serializers.BooleanField()
    wifi_status = serializers.CharField(allow_null=True)
    payload = serializers.DictField()

    def get_fields(self) -> dict[str, Any]:
        # `source` as a class attribute would shadow the framework's own.
        return super().get_fields() | {"source": serializers.ChoiceField(choices=TelemetryEvent.Source.choices)}


class Figures(CountsReply):
    total = serializers.IntegerField()


class FiguresOfDay(Figures):
    date = serializers.DateField()


class FiguresOfHour(Figures):
    hour = serializers.IntegerField(min_value=0, max_value=23)


class AnalyticsReply(serializers.Serializer[Any]):
    device_id = serializers.CharField(allow_null=True)
    time_zone = serializers.CharField(help_text="Whose days and hours they are")
    totals = Figures()
    by_day = FiguresOfDay(many=True, help_text="Days that have any, oldest first")
    by_hour = FiguresOfHour(many=True, help_text="The 24 hours of the day")
    first_event = serializers.DateTimeField(allow_null=True)
    last_event = serializers.DateTimeField(allow_null=True)
    busiest_hour = serializers.IntegerField(allow_null=True, help_text="Of the day; of equals the earliest")
