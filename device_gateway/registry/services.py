"""What may happen to a device. Each function is one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from device_gateway.models import Device
from ozone.wire.errors import Conflict, Invalid


def register_device(*, fields: Mapping[str, Any]) -> Device:
    """A new device of the given fields. Raises Invalid by field; Conflict where a name is taken, saying whose."""
    device = Device(**fields)
    # An operator who names a device means it.
    device.assigned = device.assigned or bool(fields.get("device_id"))
    return _save(device)


def change_device(*, device: Device, fields: Mapping[str, Any]) -> Device:
    """Sets the given fields and no others: a claim may have changed those since `device` was read.

    A new `device_id` assigns the device unless `assigned` says otherwise.
    """
    changes = dict(fields)
    if fields.get("device_id") and fields["device_id"] != device.device_id:
        changes.setdefault("assigned", True)
    for name, value in changes.items():
        setattr(device, name, value)
    _save(device, only=list(changes))
    device.refresh_from_db()
    return device


def _save(device: Device, only: list[str] | None = None) -> Device:
    check_device(device)
    _require_free_names(device)
    try:
        device.save(update_fields=only)
    except IntegrityError:
        _require_free_names(device)
        raise Conflict("A device with this device_id or MAC is there already.", code="name_taken") from None
    return device


def _require_free_names(device: Device) -> None:
    try:
        device.clean()
    except ValidationError as error:
        raise Conflict(error.messages[0], code="name_taken", errors=error.message_dict) from None


def check_device(device: Device) -> None:
    """Whether its fields are well formed; whether its names are free is not asked. Raises Invalid by field."""
    try:
        device.clean_fields(exclude=["owner"])
        device.clean_names()
    except ValidationError as error:
        raise Invalid("The device is not valid.", errors=error.message_dict) from None


@transaction.atomic
def archive_device(*, device: Device, now: datetime) -> None:
    """Out of every list; its key is refused with 403, so that no meter erases it."""
    if device.archived_at is None:
        device.archived_at = now
        device.save(update_fields=["archived_at"])


@transaction.atomic
def restore_device(*, device: Device) -> None:
    """Back with its credential."""
    device.archived_at = None
    device.save(update_fields=["archived_at"])
