"""A claim without a request."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from device_gateway.claims.storing import Claim, Claimed, store_claims


def claimed(token: str, *, client: str, now: datetime, told: Mapping[str, Any] | None = None) -> Claimed:
    """What the provisioning token gives; `told`: what the device says of itself."""
    with transaction.atomic():
        [outcome] = store_claims(connection, [Claim(token, told or {}, client, now)])
    assert isinstance(outcome, Claimed)
    return outcome
