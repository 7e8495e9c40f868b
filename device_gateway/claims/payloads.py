"""The reply to a claim, which has to fit a sketch's 256 bytes."""

from typing import Any, Final

from ozone.wire.http import NO_STORE, Reply

LONGEST_HOST: Final = 50
"""Characters of a host name for which a claim's reply always fits the sketch's 256 bytes: https at a port of five
digits, /gateway, a token that expires."""


def claim_reply(
    *, device: int, api_key: str, ingest_url: str, token_expires_at: str | None, encryption_key: str | None
) -> Reply:
    """Exactly the four members that the sketch's 256 bytes hold; a fifth only where the token asked for encryption."""
    members: dict[str, Any] = {
        "device_id": device,
        "api_key": api_key,
        "ingest_url": ingest_url,
        "token_expires_at": token_expires_at,
    }
    if encryption_key is not None:
        members["encryption_key_b64"] = encryption_key
    return Reply.json(201, members, NO_STORE)
