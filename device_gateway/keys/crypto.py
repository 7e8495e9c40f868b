"""The devices' AES keys at rest, and the envelopes made with them."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ozone.wire.conf import options
from ozone.wire.errors import Invalid, Unavailable

ENVELOPE: Final = frozenset({"algorithm", "nonce", "ciphertext"})
NONCE_BYTES: Final = 12


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def can_encrypt() -> bool:
    return bool(options().DEVICE_DATA_KEY)


def new_data_key() -> str:
    """A fresh AES-256 key, sealed under the newest DEVICE_DATA_KEY: what a database may hold."""
    return seal_data_key(AESGCM.generate_key(256))


def seal_data_key(key: bytes) -> str:
    """The 32 bytes of an AES key under the newest DEVICE_DATA_KEY."""
    return _fernet(tuple(options().DEVICE_DATA_KEY)).encrypt(key).decode()


def open_data_key(sealed: str) -> bytes:
    """The 32 bytes of an AES key. Raises Unavailable when no DEVICE_DATA_KEY opens it."""
    keys = options().DEVICE_DATA_KEY
    try:
        if keys:
            return _fernet(keys).decrypt(sealed)
    except InvalidToken:
        pass
    # Not the device's fault, so no 4xx: it keeps its reading until the operator has put the key back.
    raise Unavailable("This device's encryption key cannot be opened with DEVICE_DATA_KEY.", code="data_key_missing")


@dataclass(frozen=True)
class Cipher:
    """One device's AES-256-GCM key, ready for use; `fingerprint` tells keys apart without telling them."""

    aead: AESGCM
    fingerprint: str

    @classmethod
    def of(cls, sealed: str) -> "Cipher":
        key = open_data_key(sealed)
        return cls(AESGCM(key), hashlib.sha256(key).hexdigest()[:16])

    def decrypt(self, envelope: Mapping[str, Any], place: str = "") -> tuple[bytes, str]:
        """The plaintext of an envelope `{"algorithm": "AESGCM", "nonce": b64, "ciphertext": b64}`, and its nonce
        as it is kept: fingerprint and hexadecimal nonce.

        Raises Invalid (`bad_envelope`), naming the field below `place`.
        """
        if envelope.get("algorithm") != "AESGCM":
            raise _bad(place, "algorithm", "Must be AESGCM.")
        nonce = _base64(envelope, "nonce", place)
        if len(nonce) != NONCE_BYTES:
            raise _bad(place, "nonce", f"Must be {NONCE_BYTES} bytes.")
        ciphertext = _base64(envelope, "ciphertext", place)
        try:
            plain = self.aead.decrypt(nonce, ciphertext, None)
        except InvalidTag:
            raise _bad(place, "ciphertext", "Does not decrypt under this device's key.") from None
        return plain, f"{self.fingerprint}{nonce.hex()}"


def _base64(envelope: Mapping[str, Any], name: str, place: str) -> bytes:
    value = envelope.get(name)
    try:
        if isinstance(value, str):
            return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        pass
    raise _bad(place, name, "Must be Base64.")


def _bad(place: str, name: str, sentence: str) -> Invalid:
    return Invalid(f"The envelope is not valid: {name}.", code="bad_envelope", errors={f"{place}{name}": [sentence]})
