"""The wire format of what a device says of itself: its counters and its flags, in events, results and polls."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from ozone.wire.errors import Invalid
from telemetry.treatments import COUNTERS

MAX_COUNTER: Final = 2**31 - 1
MAX_FIRMWARE: Final = 64
MAX_WORDS: Final = 64
"""Characters of a flag that is text."""
VITALS: Final = ("reset_reason", "rssi", "free_heap", "queue_length")
"""Those of the flags that a poll may tell, too."""
NO_FIRMWARE: Final = f"Must be text of at most {MAX_FIRMWARE} characters."

Counters = tuple[int, int, int]
"""Basic, standard, premium."""


class Flags(NamedTuple):
    """What a device says of itself beside its counters; None: nothing said. `rssi` is in dBm, `free_heap` in bytes."""

    wifi_status: str | None = None
    wifi_connected: bool | None = None
    rtc_available: bool | None = None
    sd_card_available: bool | None = None
    uptime_seconds: int | None = None
    reset_reason: str | None = None
    rssi: int | None = None
    free_heap: int | None = None
    queue_length: int | None = None


NO_FLAGS: Final = Flags()
_NAMES: Final = frozenset({*Flags._fields, "sd_available"})


def read_counters(value: Any, place: str) -> Counters | None:
    """`{basic, standard, premium}`; None where nothing was sent. Raises Invalid naming each counter at fault."""
    if value is None:
        return None
    if type(value) is not dict:
        raise at_fault({place: "Must be an object of basic, standard and premium."})
    counters = [value.get(name) for name in COUNTERS]
    faults = {
        f"{place}.{name}": f"Must be a whole number from 0 to {MAX_COUNTER}."
        for name, counter in zip(COUNTERS, counters, strict=True)
        if type(counter) is not int or not 0 <= counter <= MAX_COUNTER
    }
    if faults:
        raise at_fault(faults)
    return tuple(counters)  # type: ignore[return-value]


def read_flags(value: Mapping[str, Any]) -> Flags:
    """The flags among the members of an event or a result. One of a wrong type says nothing: a press must not wait
    behind it."""
    if _NAMES.isdisjoint(value):
        return NO_FLAGS
    uptime = value.get("uptime_seconds")
    return Flags(
        _words(value.get("wifi_status")),
        _flag(value.get("wifi_connected")),
        _flag(value.get("rtc_available")),
        _flag(value.get("sd_available", value.get("sd_card_available"))),
        uptime if type(uptime) is int and uptime >= 0 else None,
        _words(_named(value.get("reset_reason"))),
        _whole(value.get("rssi"), -MAX_COUNTER),
        _whole(value.get("free_heap"), 0),
        _whole(value.get("queue_length"), 0),
    )


def read_vitals(fields: Mapping[str, str]) -> Flags:
    """The flags that a query has: VITALS, as text."""
    told = {name: fields[name] for name in VITALS if name in fields}
    return read_flags({name: _number(text) for name, text in told.items()}) if told else NO_FLAGS


def _number(text: str) -> int | str:
    digits = text.strip()
    return int(digits) if len(digits) <= 11 and digits.isascii() and digits.removeprefix("-").isdigit() else text


def _named(reason: Any) -> Any:
    """The chip's own library numbers the reasons."""
    return str(reason) if type(reason) is int else reason


def _words(value: Any) -> str | None:
    return value[:MAX_WORDS] if type(value) is str and "\0" not in value else None


def _whole(value: Any, least: int) -> int | None:
    return value if type(value) is int and least <= value <= MAX_COUNTER else None


def _flag(value: Any) -> bool | None:
    return value if type(value) is bool else None


def at_fault(faults: Mapping[str, str]) -> Invalid:
    """What names each of the fields, by its sentence."""
    fields = ", ".join(faults)
    return Invalid(f"Not valid: {fields}.", errors={field: [text] for field, text in faults.items()})
