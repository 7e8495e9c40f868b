"""Times on the wire: ours go out as ISO 8601 UTC with `Z`, theirs come in as the firmware happens to write them."""

import math
import re
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

from ozone.wire.conf import option
from ozone.wire.errors import Invalid

AHEAD: Final = timedelta(minutes=10)
"""How far a device's clock may be ahead of the server before it is not believed."""

_LOCAL: Final = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(\.\d+)?")
_NUMBER: Final = re.compile(r"\d{1,12}(\.\d+)?")
_LONG_FRACTION: Final = re.compile(r"(\.\d{6})\d+")  # Java writes nanoseconds


def iso(moment: datetime) -> str:
    """`2025-09-16T12:34:56Z`, or with microseconds where there are any."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat() + "Z"


def iso_or_none(moment: datetime | None) -> str | None:
    return None if moment is None else iso(moment)


def parse_iso(text: str, zone: tzinfo = UTC) -> datetime | None:
    """An ISO 8601 date and time as an aware UTC datetime; without an offset it is the zone's. None: unreadable."""
    try:
        moment = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text.strip()))
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_query(name: str, text: str | None, zone: tzinfo = UTC) -> datetime | None:
    """A time from a query string; without an offset it is the zone's. Raises Invalid naming the parameter."""
    if not text:
        return None
    # The + of an offset arrives as a blank.
    moment = parse_iso(re.sub(r" (\d{2}:?\d{2})$", r"+\1", text), zone)
    if moment is None:
        raise Invalid(f"{name} is not an ISO 8601 time.", errors={name: ["Not an ISO 8601 time."]})
    return moment


@lru_cache(maxsize=8)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=8)
def _epoch(text: str) -> datetime:
    moment = parse_iso(text)
    if moment is None:
        raise ValueError(f"DEVICE_EPOCH is not an ISO 8601 time: {text!r}")
    return moment


def read_device_time(words: Any) -> datetime | None:
    """What a device means by `words`: ISO 8601, epoch seconds, or `YYYY-MM-DD HH:MM:SS` in DEVICE_TIME_ZONE.

    Returns aware UTC, or None where the words cannot be read.
    """
    try:
        if isinstance(words, str):
            text = words.strip()
            if _LOCAL.fullmatch(text):
                local = datetime.fromisoformat(_LONG_FRACTION.sub(r"\1", text))
                return local.replace(tzinfo=_zone(option("DEVICE_TIME_ZONE"))).astimezone(UTC)
            if _NUMBER.fullmatch(text):
                return datetime.fromtimestamp(float(text), UTC)
            return parse_iso(text)
        if isinstance(words, (int, float)) and not isinstance(words, bool) and math.isfinite(words):
            return datetime.fromtimestamp(words, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def believed(words: Any, received_at: datetime) -> datetime | None:
    """What a device means by `words`, if that is possible: readable, not before DEVICE_EPOCH, and not more than ten
    minutes ahead of the server."""
    moment = None if words is None else read_device_time(words)
    if moment is None or moment > received_at + AHEAD or moment < _epoch(option("DEVICE_EPOCH")):
        return None
    return moment


def occurred(words: Any, received_at: datetime) -> datetime:
    """When it happened: the device's words if they are possible, else the server's time."""
    return believed(words, received_at) or received_at
