"""The JSON of devices, read and written; OpenAPI is generated from these."""

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from rest_framework import serializers

from device_gateway.models import Device
from device_gateway.states import later_of
from ozone.webapi.fields import Flag, Text, WholeNumber
from ozone.webapi.names import Name
from ozone.webapi.replies import Made, RowReply
from ozone.wire.times import iso_or_none


class DeviceRequest(serializers.Serializer[Any]):
    """The fields an operator may set. `assigned` is for PATCH."""

    name = Name(required=False, allow_blank=True, max_length=200)
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


class CredentialReply(RowReply):
    """The key of a device, as far as it is shown."""

    prefix = serializers.CharField()
    created_at = serializers.DateTimeField()
    last_used_at = serializers.DateTimeField(allow_null=True)


def last_heard_member(device: str = "") -> Made:
    """The newest of a device's poll and message, for a reply about a row that `device` leads from, as `device__`."""
    return Made(_last_heard, f"{device}state__last_poll", f"{device}state__last_seen")


def _last_heard(_: datetime, last_poll: datetime | None, last_seen: datetime | None) -> str | None:
    return iso_or_none(later_of(last_poll, last_seen))


class DeviceReply(RowReply):
    """A device as operators see it."""

    given = ("credential",)
    made = {"last_heard": last_heard_member()}

    id = serializers.IntegerField()
    device_id = serializers.CharField()
    mac = serializers.CharField(allow_null=True)
    name = serializers.CharField()
    location = serializers.CharField()
    owner = serializers.IntegerField(source="owner_id", allow_null=True)
    notes = serializers.CharField()
    assigned = serializers.BooleanField()
    firmware = serializers.CharField()
    encryption = serializers.CharField()
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)
    last_seen = serializers.DateTimeField(source="state__last_seen", allow_null=True)
    last_poll = serializers.DateTimeField(source="state__last_poll", allow_null=True)
    last_heard = serializers.DateTimeField(allow_null=True, help_text="The newest of both.")
    credential = CredentialReply(allow_null=True)


def device_json(device: Device) -> dict[str, Any]:
    key = device.credentials.filter(revoked_at=None).first()
    return DeviceReply.of(device, credential=key and CredentialReply.of(key))
