"""What proves that a person reads a channel, and the link by which whoever reads it stops it. Neither is stored: both
are made under the server's key."""

import hashlib
from typing import Final

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from alerts.channels.models import Channel

DIGITS: Final = 8
_STOP: Final = "alerts.stop"


def code_of(channel: Channel) -> str:
    """Eight digits."""
    digest = salted_hmac("alerts.code", f"{channel.pk}:{channel.nonce}", algorithm="sha256").digest()
    return f"{int.from_bytes(digest[:8]) % 10**DIGITS:0{DIGITS}d}"


def is_code(channel: Channel, text: str) -> bool:
    return constant_time_compare(code_of(channel), "".join(text.split()))


def stop_token(channel: Channel) -> str:
    """Good for ever, and for nothing but to stop this channel."""
    return signing.Signer(salt=_STOP).sign_object([channel.pk, _mark(channel.target)])


def stopped_by(token: str) -> Channel | None:
    """The channel that the token stops; None: it is none of ours, or the channel is gone."""
    try:
        pk, mark = signing.Signer(salt=_STOP).unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    channel = Channel.objects.select_related("person").filter(pk=pk).first()
    return channel if channel is not None and _mark(channel.target) == mark else None


def _mark(target: str) -> str:
    """SQLite gives a number again that was the last one: another channel of that number is not meant."""
    return hashlib.blake2b(target.encode(), digest_size=6).hexdigest()
