"""One device, as its current key names it: what a device route needs to know of it, without a query."""

import math
import time
from collections.abc import Set
from typing import Any

from device_gateway.keys.crypto import Cipher
from device_gateway.names import spelled_mac
from ozone.wire.conf import options
from ozone.wire.limits import draw, rate


class Identity:
    """One device, as its current key names it."""

    __slots__ = (
        "_cipher",
        "address",
        "archived",
        "assigned",
        "credential_pk",
        "data_key",
        "device_id",
        "encryption",
        "not_before",
        "other_names",
        "pk",
        "refusal_logged_at",
        "use_noted_at",
        "way",
    )

    def __init__(self, row: tuple[Any, ...], other_names: Set[str]) -> None:
        self.not_before = 0.0
        self.refusal_logged_at = -math.inf
        self.use_noted_at: float | None = time.monotonic() if row[2] else None
        self.way: tuple[str, str | None] | None = None
        """Peer and X-Forwarded-For of the last note of its use, and whose address that was."""
        self.address = ""
        self._cipher: Cipher | None = None
        self.data_key = ""
        self.take(row, other_names)

    def take(self, row: tuple[Any, ...], other_names: Set[str]) -> None:
        """The columns as they are in the database now; its MAC and former device_ids."""
        _, self.credential_pk, _, self.pk, self.device_id, assigned, archived, self.encryption, data_key = row
        self.other_names = other_names
        self.assigned = bool(assigned)
        self.archived = bool(archived)
        if data_key != self.data_key:
            self.data_key = data_key
            self._cipher = None

    def is_called(self, name: str) -> bool:
        """Whether `name` is the device's: its device_id, its MAC in any spelling, or a device_id it had before."""
        if name == self.device_id or name in self.other_names:
            return True
        mac = spelled_mac(name)
        return mac is not None and (mac == self.device_id or mac in self.other_names)

    @property
    def cipher(self) -> Cipher:
        """Raises Unavailable when the key cannot be opened."""
        if self._cipher is None:
            self._cipher = Cipher.of(self.data_key)
        return self._cipher

    def wait_for_turn(self, now: float) -> float:
        """Seconds this device must wait before its next write, 0 when it may write now (LIMIT_DEVICE_WRITES)."""
        self.not_before, wait = draw(self.not_before, now, *rate(options().LIMIT_DEVICE_WRITES))
        return wait
