"""Readings that were refused leave a trace: the last one, and how many, where operators look for it.

A refused event is kept whole; of a reading, which no device sends again, the reason is what helps.
"""

import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, NamedTuple

from django.db.backends.base.base import BaseDatabaseWrapper

from device_gateway.keys.identity import Identity
from device_gateway.states import Told, tell
from ozone.intake import write_path
from ozone.wire.errors import ApiError, Unavailable

logger = logging.getLogger("device_gateway")

REFUSALS: Final = "refused_readings"
LOGGED_EVERY: Final = 60.0
"""Seconds between two log lines of one device."""


class Refusal(NamedTuple):
    device: int
    at: datetime
    code: str
    detail: str


def note_refusal(identity: Identity, error: ApiError, at: datetime) -> None:
    """Nobody waits for it, and where the queue is full it is left out: the refusal itself has been answered."""
    now = time.monotonic()
    if now >= identity.refusal_logged_at + LOGGED_EVERY:
        identity.refusal_logged_at = now
        logger.warning("readings: device %d is refused (%s): %s", identity.pk, error.code, error.detail)
    with suppress(Unavailable):
        write_path.post(REFUSALS, Refusal(identity.pk, at, error.code, error.detail[:500]))


def store_refusals(connection: BaseDatabaseWrapper, refusals: Sequence[Refusal]) -> None:
    tell(
        connection,
        [
            Told(device, refused=1, refused_at=at, refused_code=code, refused_detail=detail)
            for device, at, code, detail in refusals
        ],
    )


def register_kind() -> None:
    write_path.register(REFUSALS, store_refusals, is_piped=True)
