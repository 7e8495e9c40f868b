"""The JSON of the operators' side of section 1, read and written; OpenAPI is generated from these."""

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework import serializers

from device_gateway.models import Device
from device_gateway.payloads import check_object
from device_gateway.services import MAX_LIFETIME_MINUTES
from ozone.wire.errors import Invalid
from ozone.wire.times import iso_or_none


class WholeNumber(serializers.IntegerField):
    """A JSON integer; `"5"`, `5.0` and `true` are something else."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            raise serializers.ValidationError("Must be a whole number.")
        return super().to_internal_value(data)


class Text(serializers.CharField):
    """A JSON string; numbers and booleans are not silently turned into one."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Must be text.")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """A JSON true or false; `"no"` and `0` are something else."""

    def to_internal_value(self, data: Any) -> bool:
        if type(data) is not bool:
            raise serializers.ValidationError("Must be true or false.")
        return data


class FreeObject(serializers.DictField):
    """Any JSON object within 4 KiB."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        try:
            return check_object(data, self.field_name or "object")
        except Invalid as error:
            raise serializers.ValidationError(next(iter((error.errors or {}).values()))) from None


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


class DeviceRequest(serializers.Serializer[Any]):
    """The fields an operator may set. `assigned` is for PATCH."""

    name = Text(required=False, allow_blank=True, max_length=200)
    location = Text(required=False, allow_blank=True, max_length=200)
    mac = Text(required=False, allow_null=True, max_length=32)
    device_id = Text(required=False, max_length=63, trim_whitespace=False)
    owner = serializers.PrimaryKeyRelatedField(
        required=False, allow_null=True, pk_field=WholeNumber(), queryset=get_user_model()._default_manager.all()
    )
    notes = Text(required=False, allow_blank=True, max_length=500)
    firmware = Text(required=False, allow_blank=True, max_length=64)


class DeviceChange(DeviceRequest):
    assigned = Flag(required=False)


class CredentialReply(serializers.Serializer[Any]):
    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


class DeviceReply(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    device_id = serializers.CharField()
    mac = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    location = serializers.CharField()
    owner = serializers.IntegerField(allow_null=True)
    notes = serializers.CharField()
    assigned = serializers.BooleanField()
    firmware = serializers.CharField()
    encryption = serializers.CharField()
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    last_seen = serializers.DateTimeField(allow_null=True)
    last_poll = serializers.DateTimeField(allow_null=True)
    credential = CredentialReply(allow_null=True)


def device_json(device: Device) -> dict[str, Any]:
    """A device as operators see it."""
    key = device.credentials.filter(revoked_at=None).first()
    return {
        "id": device.pk,
        "device_id": device.device_id,
        "mac": device.mac,
        "name": device.name,
        "location": device.location,
        "owner": device.owner_id,
        "notes": device.notes,
        "assigned": device.assigned,
        "firmware": device.firmware,
        "encryption": device.encryption,
        "created_at": iso_or_none(device.created_at),
        "archived_at": iso_or_none(device.archived_at),
        "last_seen": iso_or_none(device.state.last_seen),
        "last_poll": iso_or_none(device.state.last_poll),
        "credential": key
        and {
            "prefix": key.prefix,
            "created_at": iso_or_none(key.created_at),
            "last_used_at": iso_or_none(key.last_used_at),
        },
    }
