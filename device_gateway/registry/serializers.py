"""The JSON of devices, read and written; OpenAPI is generated from these."""

from typing import Any

from django.contrib.auth import get_user_model
from rest_framework import serializers

from device_gateway.models import Device
from ozone.webapi.fields import Flag, Text, WholeNumber
from ozone.wire.times import iso_or_none


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
