"""The wire formats of polls and of commands' results."""

from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from ozone.wire import jsonio
from ozone.wire.errors import Invalid
from ozone.wire.jsonio import MAX_OBJECT_BYTES
from telemetry.statuses.payloads import (
    MAX_FIRMWARE,
    NO_FIRMWARE,
    NO_FLAGS,
    Counters,
    Flags,
    at_fault,
    read_counters,
    read_flags,
    read_vitals,
)

LONGEST_WAIT: Final = 30.0


class Asked(NamedTuple):
    """What a device asks by a poll, and what it says of itself: its firmware and vitals, where it tells them.

    `wait`: the seconds for which it may be held.
    """

    wait: float = 0.0
    firmware: str | None = None
    flags: Flags = NO_FLAGS


_NOTHING: Final = Asked()


def read_poll(query: str) -> Asked:
    """The query of a poll; of a name that stands twice the last one counts. Raises Invalid naming what is at fault."""
    if not query:
        return _NOTHING
    fields = dict(parse_qsl(query, keep_blank_values=True))
    # Versions have a + in them rather than a blank, and sketches put them into the address as they are.
    firmware = dict(parse_qsl(query.replace("+", "%2B"))).get("firmware")
    if firmware is not None and (len(firmware) > MAX_FIRMWARE or "\0" in firmware):
        raise at_fault({"firmware": NO_FIRMWARE})
    return Asked(_seconds(fields.get("wait", "0")), firmware, read_vitals(fields))


def _seconds(wait: str) -> float:
    try:
        seconds = float(wait)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= LONGEST_WAIT:
        sentence = f"A number of seconds from 0 to {LONGEST_WAIT:g}."
        raise Invalid(f"wait is not valid: {sentence}", errors={"wait": [sentence]})
    return seconds


class Result(NamedTuple):
    """What a device reports of a command."""

    success: bool
    message: str
    error_message: str
    response_data: Any
    counters: Counters | None
    flags: Flags


def read_result(value: Any) -> Result:
    """Raises Invalid where it is not known whether the command succeeded, or what the counters are."""
    if type(value) is not dict:
        raise Invalid("Send the result as a JSON object.", code="not_an_object")
    if type(value.get("success")) is not bool:
        raise Invalid("The result is not valid: success.", errors={"success": ["Must be true or false."]})
    data = value.get("response_data")
    if data is not None and len(jsonio.encode(data)) > MAX_OBJECT_BYTES:
        raise Invalid("response_data is larger than 4 KiB.", errors={"response_data": ["At most 4 KiB."]})
    return Result(
        value["success"],
        _text(value.get("message")),
        _text(value.get("error_message")),
        data,
        _counters(value, data),
        read_flags(value),
    )


def _counters(value: dict[str, Any], data: Any) -> Counters | None:
    """The result's own, else those within `response_data`, which is free: what is no counters there says nothing."""
    own = read_counters(value.get("current_counters"), "current_counters")
    if own is not None or type(data) is not dict:
        return own
    try:
        return read_counters(data.get("current_counters"), "response_data")
    except Invalid:
        return None


def _text(value: Any) -> str:
    """A message for people: whatever it is, a result must not be lost for it."""
    return value if type(value) is str else "" if value is None else jsonio.encode(value).decode()
