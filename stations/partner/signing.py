"""Steps 3 to 5 of the checks: headers, clock, signature. Over raw bytes, before anything of the body is read."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from ozone.wire.bodies import require_json
from ozone.wire.conf import options
from ozone.wire.errors import WrongContentType
from ozone.wire.times import AHEAD
from stations.errors import (
    InvalidContentType,
    InvalidSignature,
    InvalidTimestamp,
    MissingHeaders,
    TimestampExpired,
)

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class Signed:
    """What a caller says it has signed. `headers` by lower-case name; a missing one is \"\"."""

    body: bytes
    timestamp: str
    signature: str
    headers: Mapping[str, str]

    @classmethod
    def of(cls, body: bytes, headers: Mapping[str, str]) -> "Signed":
        return cls(body, headers.get("x-timestamp", ""), headers.get("x-signature", ""), headers)

    @property
    def body_hash(self) -> str:
        """Hexadecimal SHA-256 of the body."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def request_key(self) -> str:
        """Hexadecimal SHA-256 of what makes the request this one: its timestamp and signature."""
        return hashlib.sha256(f"{self.timestamp} {self.signature}".encode()).hexdigest()

    def _matches(self, secret: str) -> bool:
        """Whether the signature was made with this secret; an empty one makes none. In constant time."""
        expected = sign(secret, self.body, self.timestamp)
        # As text, not as what it decodes to: many texts decode to the same bytes.
        return bool(secret) and hmac.compare_digest(expected.encode(), self.signature.encode())

    def described(self, now: float) -> dict[str, Any]:
        """What was signed, for whoever looks for the reason of a refusal."""
        previous = options().IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS
        return {
            "body_bytes": len(self.body),
            "body_sha256": self.body_hash,
            "timestamp": self.timestamp,
            "server_time": int(now),
            "matches_current": self._matches(options().IOT_SYSTEM_SIGNATURE_SECRET),
            "matches_previous": self._matches(previous) if previous else None,
        }

    def sent_at(self, now: datetime) -> datetime:
        """The sender's clock when it signed, as far as it is believed. After `check`."""
        latest = now + AHEAD
        return datetime.fromtimestamp(min(int(self.timestamp), int(latest.timestamp())), UTC)

    def check(self, now: float) -> bool:
        """Whether it is signed with the secret of today, and not the previous one. `now`: Unix seconds.

        Raises the first of the refusals of steps 3, 4 and 5.
        """
        missing = [name for name in ("X-Signature", "X-Timestamp") if not self.headers.get(name.lower())]
        if missing:
            raise MissingHeaders(f"Send {' and '.join(missing)}.")
        if not _TIMESTAMP.fullmatch(self.timestamp):
            raise InvalidTimestamp
        self._check_content_type()
        timeout = options().IOT_SYSTEM_SIGNATURE_TIMEOUT
        if abs(now - int(self.timestamp)) > timeout:
            raise TimestampExpired(f"X-Timestamp is more than {timeout} seconds from the server's time.")
        current = self._matches(options().IOT_SYSTEM_SIGNATURE_SECRET)
        previous = self._matches(options().IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS)
        if not (current or previous):
            raise InvalidSignature
        return current

    def _check_content_type(self) -> None:
        if self.body and not self.headers.get("content-type"):  # elsewhere a missing content type is JSON; not here
            raise InvalidContentType
        try:
            require_json(self.body, self.headers)
        except WrongContentType:
            raise InvalidContentType from None
        # What was signed is what came: a body that must be unpacked first is nobody's signature.
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            raise InvalidContentType


def sign(secret: str, body: bytes, timestamp: str) -> str:
    """Base64 of HMAC-SHA256 over the body followed by the timestamp, under the secret's UTF-8 bytes.

    Bytes of the environment that are no UTF-8 stand in `secret` as Python reads them, and are the key as they are.
    """
    digest = hmac.new(secret.encode(errors="surrogateescape"), digestmod=hashlib.sha256)
    digest.update(body)
    digest.update(timestamp.encode())
    return base64.b64encode(digest.digest()).decode()
