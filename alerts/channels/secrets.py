"""What a channel is opened with, at rest under DEVICE_DATA_KEY."""

from alerts.channels.models import Channel
from device_gateway.keys.crypto import can_encrypt, open_data_key, seal_data_key
from ozone.wire.errors import Conflict, Unavailable


def sealed(secret: bytes) -> str:
    """Raises Conflict where the server has no key to seal it with."""
    if not can_encrypt():
        raise Conflict("Such channels need DEVICE_DATA_KEY to be set on the server.", code="encryption_unavailable")
    return seal_data_key(secret)


def opened(channel: Channel) -> bytes:
    """Nothing for a kind without a secret. Raises Unavailable where no DEVICE_DATA_KEY opens it."""
    if not channel.sealed:
        return b""
    try:
        return open_data_key(channel.sealed)
    except Unavailable:
        raise Unavailable(
            "The channel's secret cannot be opened with DEVICE_DATA_KEY.", code="data_key_missing"
        ) from None
