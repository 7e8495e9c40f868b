"""What may happen to a provisioning token. Each function is one transaction."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import transaction

from device_gateway.keys import crypto
from device_gateway.models import Device, ProvisioningToken
from device_gateway.secret import PREFIX_LENGTH, hash_secret, new_secret
from ozone.wire.errors import Conflict, Forbidden, Invalid

MAX_LIFETIME_MINUTES: Final = 525_600 * 10


class Issued(NamedTuple):
    """A new provisioning token: the secret itself, shown once, and its row."""

    token: str
    row: ProvisioningToken


@transaction.atomic
def issue_token(
    *,
    device: Device,
    issuer: Any,
    now: datetime,
    lifetime_minutes: int | None = None,
    notes: str = "",
    metadata: Mapping[str, Any] | None = None,
    encryption: str = "",
) -> Issued:
    """A provisioning token for the device. `issuer` is a user, or None for this machine in development.

    Raises Forbidden for an archived device, Invalid where encryption is asked for and DEVICE_DATA_KEY is not set.
    """
    if device.archived_at is not None:
        raise Forbidden("This device is archived. Restore it first.", code="device_archived")
    if encryption and not crypto.can_encrypt():
        raise Invalid("Encryption needs DEVICE_DATA_KEY to be set on the server.", code="encryption_unavailable")
    token = new_secret()
    expires_at = None
    if lifetime_minutes is not None:
        # Whole seconds: the sketch has 256 bytes for all of a claim's reply.
        expires_at = (now + timedelta(minutes=lifetime_minutes)).replace(microsecond=0)
    row = ProvisioningToken.objects.create(
        device=device,
        token_hash=hash_secret(token),
        prefix=token[:PREFIX_LENGTH],
        issued_by=issuer,
        issuer_name=issuer.get_username() if issuer is not None else "",
        owner_at_issue=device.owner_key,
        created_at=now,
        expires_at=expires_at,
        notes=notes,
        metadata=dict(metadata or {}),
        encryption=encryption,
    )
    return Issued(token, row)


@transaction.atomic
def revoke_token(*, token: ProvisioningToken, now: datetime) -> None:
    """A pending token can no longer be claimed. Raises Conflict when it is not pending."""
    changed = ProvisioningToken.objects.filter(pk=token.pk, claimed_at=None, revoked_at=None).update(revoked_at=now)
    if not changed:
        raise Conflict("This token is not pending any more.", code="not_pending")
