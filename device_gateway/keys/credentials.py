"""The one key a device holds, in the database: set and revoked. Each function is one transaction."""

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.signals import post_save
from django.utils import timezone

from device_gateway.models import Credential, Device
from device_gateway.secret import hash_secret, shown_prefix
from ozone.wire.errors import Conflict


@transaction.atomic
def set_key(*, device: Device, key: str, source: str, now: datetime) -> Credential:
    """Makes `key` the device's one credential; the one before is revoked. Raises Conflict if a device has it."""
    revoke_key(device=device, now=now)
    try:
        with transaction.atomic():
            return add_key(device=device, key=key, source=source, now=now)
    except IntegrityError:
        raise Conflict("This key is, or was, in use. Choose another.", code="key_taken") from None


def add_key(*, device: Device, key: str, source: str, now: datetime) -> Credential:
    """A key that nobody has had, for a device that has none. Raises IntegrityError if somebody had it."""
    return Credential.objects.create(
        device=device, hash=hash_secret(key), prefix=shown_prefix(key), source=source, created_at=now
    )


@transaction.atomic
def revoke_key(*, device: Device, now: datetime) -> int:
    """Revokes the device's credential; how many there were (0 or 1)."""
    # One by one: the signal of each makes it take effect at once in this process.
    keys = list(device.credentials.filter(revoked_at=None))
    for key in keys:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
    return len(keys)


def connect_signals() -> None:
    """A key given by `device.token = "…"` is stored in the transaction that saves the device."""

    def store_new_token(sender: type[Device], instance: Device, **_: Any) -> None:
        if instance._new_token:
            set_key(device=instance, key=instance._new_token, source=Credential.Source.ADMIN, now=timezone.now())
            instance._new_token = ""

    post_save.connect(store_new_token, sender=Device, weak=False, dispatch_uid="new-token")
