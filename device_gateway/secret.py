"""Keys and tokens as text: made, checked, and kept as hashes."""

import hashlib
import secrets
from typing import Final

from django.core.exceptions import ValidationError

PREFIX_LENGTH: Final = 8
SHORTEST_KEY: Final = 16
LONGEST_KEY: Final = 127
"""Characters of a key that a person sets. The firmware's EEPROM holds 127."""
SHORTEST_SHOWN: Final = 24
"""A shorter key has no beginning that is shown: eight characters would be half of it."""


def hash_secret(secret: str) -> str:
    """How tokens and keys are kept: hexadecimal SHA-256. They are random and long, so no salt or stretching helps."""
    return hashlib.sha256(secret.encode()).hexdigest()


def shown_prefix(key: str) -> str:
    """What is kept of a key's text, to tell it from others."""
    return key[:PREFIX_LENGTH] if len(key) >= SHORTEST_SHOWN else ""


def check_key(key: str) -> None:
    """Raises ValidationError unless a person may set this key for a device."""
    if not SHORTEST_KEY <= len(key) <= LONGEST_KEY:
        raise ValidationError(f"A token has {SHORTEST_KEY} to {LONGEST_KEY} characters.")
    if not (key.isascii() and key.isprintable() and " " not in key):
        raise ValidationError("Use printable ASCII characters without blanks.")


def new_secret(length: int = 24) -> str:
    """`length` random bytes as URL-safe text, four characters for each three."""
    return secrets.token_urlsafe(length)
