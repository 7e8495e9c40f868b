"""The wire format of a command's result."""

from typing import Any, NamedTuple

from ozone.wire import jsonio
from ozone.wire.errors import Invalid
from ozone.wire.jsonio import MAX_OBJECT_BYTES
from telemetry.events.payloads import Counters, Flags, read_counters, read_flags


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
