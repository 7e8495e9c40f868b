"""Which provisioning tokens there are, and for whom."""

from typing import Any, Final

from django.db.models import F, QuerySet

from device_gateway.models import ProvisioningToken
from device_gateway.registry.queries import visible_devices

RECENT_CLAIMS: Final = 50


def pending_tokens(actor: Any) -> "QuerySet[ProvisioningToken]":
    """Tokens nobody has claimed, of the actor's devices, newest first: some may have expired. Revoked ones follow."""
    return _tokens(actor).filter(claimed_at=None).order_by(F("revoked_at").desc(nulls_first=True), "-id")


def recent_claims(actor: Any) -> "QuerySet[ProvisioningToken]":
    """The last 50 claims of the actor's devices."""
    return _tokens(actor).filter(claimed_at__isnull=False).order_by("-claimed_at", "-id")[:RECENT_CLAIMS]


def _tokens(actor: Any) -> "QuerySet[ProvisioningToken]":
    return ProvisioningToken.objects.filter(device__in=visible_devices(actor)).select_related(
        "device", "issued_by", "credential"
    )
