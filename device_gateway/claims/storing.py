"""Claims, a kind of the writer: what all that came together bring about, by a dozen statements for any number."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import timezone

from device_gateway.keys import crypto
from device_gateway.keys.memory import note_changes
from device_gateway.models import Credential, Device, Enrolment, ProvisioningToken
from device_gateway.secret import hash_secret, new_secret, shown_prefix
from ozone.intake import write_path
from ozone.intake.sql import BulkInsert, moment
from ozone.intake.submission import LARGE_ROWS
from ozone.wire.conf import options
from ozone.wire.errors import ApiError, Forbidden, Invalid

CLAIMS: Final = "claims"
WEIGHT: Final = LARGE_ROWS + 1
"""Rows that one counts for: some twenty of them make a transaction, in turn with what is small; some eighty where they
are apart."""


_issue: Final = BulkInsert(
    Credential, ("device_id", "hash", "prefix", "source", "created_at"), returning=("device_id", "id")
)
_WRITTEN: Final = ("claim_salt", "claimed_at", "claimed_from", "device_metadata", "credential_id")
_save: Final = BulkInsert(
    ProvisioningToken,
    ("id", "device_id", "token_hash", "prefix", *_WRITTEN),  # what must be there for a row that is
    "ON CONFLICT (id) DO UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in _WRITTEN),
)


class InvalidToken(Invalid):
    """One sentence for missing, unknown, used and expired tokens, so that guessing learns nothing."""

    code = "invalid_token"
    detail = "The provisioning token is missing, unknown, used or expired."


class Claim(NamedTuple):
    """One submission: the provisioning token, and who claims it from where."""

    token: str
    device_metadata: Mapping[str, Any]
    client: str
    now: datetime


class Claimed(NamedTuple):
    """What a claim gives. `data_key`: the 32 bytes of an AES key, where the token asked for encryption."""

    device: int
    api_key: str
    token_expires_at: datetime | None
    data_key: bytes | None


Outcome = Claimed | ApiError


def store_claims(connection: BaseDatabaseWrapper, claims: list[Claim]) -> list[Outcome]:
    """For each claim the device's new key, again the same one to the same address if its reply was lost; or its
    InvalidToken, Forbidden of an archived device, Unavailable where the device's data key cannot be opened."""
    outcomes: dict[int, Outcome] = {}
    while len(outcomes) < len(claims):
        outcomes |= _round(connection, {number: claim for number, claim in enumerate(claims) if number not in outcomes})
    return [outcomes[number] for number in range(len(claims))]


def _round(connection: BaseDatabaseWrapper, claims: Mapping[int, Claim]) -> dict[int, Outcome]:
    """Of each device one claim, and all that change nothing; others of a device see in the next what this one did."""
    hashes = {number: hash_secret(claim.token) for number, claim in claims.items()}
    asked = ProvisioningToken.objects.filter(token_hash__in=set(hashes.values()))
    # All claims for a device stand in one line; what they see is then read anew.
    line = Device.objects.select_for_update(no_key=True).filter(pk__in=asked.values("device")).order_by("pk")
    list(line.values_list("pk"))
    rows = {row.token_hash: row for row in asked.select_related("device", "issued_by")}
    outcomes: dict[int, Outcome] = {}
    good: dict[int, tuple[int, Claim, ProvisioningToken]] = {}
    for number, claim in claims.items():
        row = rows.get(hashes[number])
        if row is None:
            outcomes[number] = InvalidToken()
        elif row.device_id not in good:
            outcome = _judge(row, claim)
            if outcome is None:
                good[row.device_id] = number, claim, row
            else:
                outcomes[number] = outcome
    if good:
        _take(connection, [(claim, row) for _, claim, row in good.values()])
        outcomes |= {number: _claimed(row, claim.token) for number, claim, row in good.values()}
    return outcomes


def _judge(row: ProvisioningToken, claim: Claim) -> Outcome | None:
    """What is to be answered without a change; None: the token is good."""
    if row.device.archived_at is not None:
        return Forbidden("This device is archived. An operator can restore it.", code="device_archived")
    # A claim that came a moment later may have run before this one, and has expired this token as of its own arrival.
    state = row.state_at(max(claim.now, timezone.now()))
    if state is ProvisioningToken.State.CLAIMED and _may_repeat(row, claim):
        return _claimed(row, claim.token)
    return None if state is ProvisioningToken.State.PENDING else InvalidToken()


def _may_repeat(row: ProvisioningToken, claim: Claim) -> bool:
    """Whether a used token may give its key once more: its first reply may have been lost on the way."""
    if row.claimed_from != claim.client or row.claimed_at is None:
        return False
    if claim.now - row.claimed_at > timedelta(seconds=options().CLAIM_REPEAT_SECONDS):
        return False
    issued = Credential.objects.filter(pk=row.credential_id or 0)
    return issued.filter(revoked_at=None, last_used_at=None).exists()


def _take(connection: BaseDatabaseWrapper, good: Sequence[tuple[Claim, ProvisioningToken]]) -> None:
    """Each device has the new key and no other, is assigned, and has no other token that can be claimed."""
    now = max(claim.now for claim, _ in good)
    devices = {row.device_id: row.device for _, row in good}
    keys = []
    for claim, row in good:
        row.claim_salt = new_secret()
        row.claimed_at = claim.now
        row.claimed_from = claim.client
        row.device_metadata = dict(claim.device_metadata)
        key = _key_of(row, claim.token)
        since = moment(connection, claim.now)
        keys.append((row.device_id, hash_secret(key), shown_prefix(key), Credential.Source.CLAIM.value, since))
    Credential._base_manager.filter(device__in=devices, revoked_at=None).update(revoked_at=now)
    issued = dict(_issue.run(connection, keys))
    for _, row in good:
        row.credential_id = issued[row.device_id]
    # Measured: Django's bulk_update takes four times as long as all the rest.
    _save.run(connection, [_columns(connection, row) for _, row in sorted(good, key=lambda pair: pair[1].pk)])
    if opening := [device.pk for device in devices.values() if not device.assigned]:
        Enrolment.open_windows(opening, now, on_assigning=True)
    plain = {"assigned": True, "provisional": False, "encryption": "", "data_key": ""}
    Device._base_manager.filter(pk__in=devices).update(**plain)
    for _, row in good:
        if row.encryption:
            row.device.data_key = crypto.new_data_key()
            sealed = {"encryption": row.encryption, "data_key": row.device.data_key}
            Device._base_manager.filter(pk=row.device_id).update(**sealed)
    others = ProvisioningToken.objects.filter(device__in=devices, claimed_at=None, revoked_at=None)
    others.exclude(expires_at__lte=now).update(expires_at=now)
    note_changes(devices)


def _columns(connection: BaseDatabaseWrapper, row: ProvisioningToken) -> tuple[Any, ...]:
    """Those of `_save`."""
    return (
        row.pk,
        row.device_id,
        row.token_hash,
        row.prefix,
        row.claim_salt,
        moment(connection, row.claimed_at),
        row.claimed_from,
        json.dumps(row.device_metadata),
        row.credential_id,
    )


def _key_of(row: ProvisioningToken, token: str) -> str:
    """The key that a claim gives: of the salt, which only we have, and the token, which only the device has."""
    digest = hmac.digest(row.claim_salt.encode(), token.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest[:24]).decode()


def _claimed(row: ProvisioningToken, token: str) -> Outcome:
    try:
        data_key = crypto.open_data_key(row.device.data_key) if row.encryption else None
    except ApiError as error:
        return error
    return Claimed(row.device_id, _key_of(row, token), row.expires_at, data_key)


def register_kind() -> None:
    write_path.register(CLAIMS, store_claims, is_apart=True)
