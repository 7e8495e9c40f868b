"""What may happen to a provisioning token. Each function is one transaction."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import transaction
from django.utils import timezone

from device_gateway.keys import crypto
from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device, ProvisioningToken
from device_gateway.secret import PREFIX_LENGTH, hash_secret, new_secret
from ozone.wire.address import limit_key
from ozone.wire.conf import options
from ozone.wire.errors import Conflict, Forbidden, Invalid
from ozone.wire.limits import Limit

FAILED_CLAIMS: Final = Limit(
    "failed_claims", lambda: options().LIMIT_FAILED_CLAIMS, "Too many failed claims from this address."
)
MAX_TOKEN: Final = 127
MAX_LIFETIME_MINUTES: Final = 525_600 * 10


class InvalidToken(Invalid):
    """One sentence for missing, unknown, used and expired tokens, so that guessing learns nothing."""

    code = "invalid_token"
    detail = "The provisioning token is missing, unknown, used or expired."


class Claimed(NamedTuple):
    """What a claim gives. `data_key`: the 32 bytes of an AES key, where the token asked for encryption."""

    device: int
    api_key: str
    token_expires_at: datetime | None
    data_key: bytes | None


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
def claim(*, token: Any, device_metadata: Mapping[str, Any], client: str, now: datetime) -> Claimed:
    """The device's new key for a pending token; again the same one to the same address, if its reply was lost.

    Raises InvalidToken, TooManyRequests instead after too many of them, Forbidden for an archived device.
    """
    if not isinstance(token, str) or not 1 <= len(token) <= MAX_TOKEN:
        raise _failed(client)
    token_hash = hash_secret(token)
    found = ProvisioningToken.objects.filter(token_hash=token_hash).values_list("device_id", flat=True).first()
    if found is None:
        raise _failed(client)
    # All claims for a device stand in one line; what they see is then read anew.
    device = Device.objects.select_for_update(no_key=True).get(pk=found)
    row = ProvisioningToken.objects.select_related("issued_by", "credential").get(token_hash=token_hash)
    row.device = device
    if device.archived_at is not None:
        raise Forbidden("This device is archived. An operator can restore it.", code="device_archived")
    # A claim that came a moment later may have run before this one, and has expired this token as of its own arrival.
    state = row.state_at(max(now, timezone.now()))
    if state is ProvisioningToken.State.CLAIMED and _may_repeat(row, client, now):
        return _claimed(row, device, token)
    if state is not ProvisioningToken.State.PENDING:
        raise _failed(client)
    row.claim_salt = new_secret()
    row.claimed_at = now
    row.claimed_from = client
    row.device_metadata = dict(device_metadata)
    row.credential = set_key(device=device, key=_key_of(row, token), source=Credential.Source.CLAIM, now=now)
    row.save()
    device.assigned = True
    device.encryption = row.encryption
    device.data_key = crypto.new_data_key() if row.encryption else ""
    device.save(update_fields=["assigned", "encryption", "data_key"])
    device.provisioning_tokens.filter(claimed_at=None, revoked_at=None).exclude(expires_at__lte=now).update(
        expires_at=now
    )
    return _claimed(row, device, token)


def _may_repeat(row: ProvisioningToken, client: str, now: datetime) -> bool:
    """Whether a used token may give its key once more: its first reply may have been lost on the way."""
    key = row.credential
    return (
        key is not None
        and key.revoked_at is None
        and key.last_used_at is None
        and row.claimed_from == client
        and row.claimed_at is not None
        and now - row.claimed_at <= timedelta(seconds=options().CLAIM_REPEAT_SECONDS)
    )


def _key_of(row: ProvisioningToken, token: str) -> str:
    """The key that a claim gives: of the salt, which only we have, and the token, which only the device has."""
    digest = hmac.digest(row.claim_salt.encode(), token.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:24]).decode()


def _claimed(row: ProvisioningToken, device: Device, token: str) -> Claimed:
    data_key = crypto.open_data_key(device.data_key) if row.encryption else None
    return Claimed(device.pk, _key_of(row, token), row.expires_at, data_key)


def _failed(client: str) -> InvalidToken:
    """Raises TooManyRequests where the address has failed too often.

    A good token does not come here: a meter that tries its spent one for ever keeps nobody else of its site out.
    """
    FAILED_CLAIMS.hit(limit_key(client))
    return InvalidToken()


@transaction.atomic
def revoke_token(*, token: ProvisioningToken, now: datetime) -> None:
    """A pending token can no longer be claimed. Raises Conflict when it is not pending."""
    changed = ProvisioningToken.objects.filter(pk=token.pk, claimed_at=None, revoked_at=None).update(revoked_at=now)
    if not changed:
        raise Conflict("This token is not pending any more.", code="not_pending")
