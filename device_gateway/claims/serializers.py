"""The JSON of provisioning tokens; OpenAPI is generated from these."""

from typing import Any

from rest_framework import serializers

from device_gateway.claims.services import MAX_LIFETIME_MINUTES
from ozone.webapi.fields import FreeObject, Text, WholeNumber


class ProvisionRequest(serializers.Serializer[Any]):
    lifetime_minutes = WholeNumber(
        required=False, allow_null=True, min_value=1, max_value=MAX_LIFETIME_MINUTES, help_text="Absent: no end."
    )
    notes = Text(required=False, allow_blank=True, max_length=500)
    metadata = FreeObject(required=False)
    encryption = serializers.ChoiceField(required=False, choices=["AESGCM"])


class ProvisionReply(serializers.Serializer[Any]):
    token = serializers.CharField(help_text="Shown this once.")
    expires_at = serializers.DateTimeField(allow_null=True)
    device_id = serializers.IntegerField()
