"""The JSON of a device's readings; OpenAPI is generated from these."""

from typing import Any

from rest_framework import serializers


class LatestReply(serializers.Serializer[Any]):
    device_id = serializers.IntegerField()
    received_at = serializers.DateTimeField()
    payload = serializers.DictField()


class HistoryItem(serializers.Serializer[Any]):
    occurred_at = serializers.DateTimeField(required=False)
    received_at = serializers.DateTimeField(required=False)
    payload = serializers.DictField(required=False)
    start = serializers.DateTimeField(required=False, help_text="With `bucket`: its beginning.")
    end = serializers.DateTimeField(required=False, help_text="With `bucket`: the beginning of the next.")
    count = serializers.IntegerField(required=False, help_text="With `bucket`: readings in it.")

    def get_fields(self) -> dict[str, Any]:
        # `fields` cannot be declared: the class has an attribute of that name.
        figures = serializers.DictField(required=False, help_text="With `bucket`: count, min, mean, max, last by name.")
        return super().get_fields() | {"fields": figures}


class HistoryReply(serializers.Serializer[Any]):
    results = HistoryItem(many=True)
    next = serializers.URLField(allow_null=True)
