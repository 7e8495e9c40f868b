"""Messages of the partner's system: their shapes and what must hold within one message. Knows no row.

Unknown members are ignored. `null` stands for a missing optional part.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from ozone.wire import jsonio, times
from ozone.wire.errors import MalformedJson
from ozone.wire.times import AHEAD
from stations.errors import InvalidMessage, InvalidType

MAX_SLOTS: Final = 1000
OBJECT_BYTES: Final = 4096
PINBOARD_BYTES: Final = 16384

Serial = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}\Z")]
"""It stands in a URL and in log lines."""
SerialOrEmpty = Annotated[str, Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,63})?\Z")]
Battery = int
"""In percent. Gauges that are not ready say 101 to 255: `percent`."""
SlotNumber = Annotated[int, Meta(ge=1, le=MAX_SLOTS)]
SlotNumberOrNone = Annotated[int, Meta(ge=0, le=MAX_SLOTS)]
"""0 where the connector does not know it."""
Time = str | int | float
"""ISO 8601 (nanoseconds too) or Unix seconds."""
Object = dict[str, Any]
StationStatus = Literal["ONLINE", "OFFLINE", "MAINTENANCE"]


SlotStatus = Literal["AVAILABLE", "OCCUPIED", "ERROR", "MAINTENANCE"]
BankStatus = Literal["AVAILABLE", "RENTED", "MAINTENANCE", "DAMAGED"]


class NamedDevice(Struct):
    serial_number: Serial


class StatusDevice(NamedDevice):
    status: StationStatus
    last_heartbeat: Time | None = None


class FullDevice(NamedDevice):
    status: StationStatus
    last_heartbeat: Time
    imei: Annotated[str, Meta(max_length=64)] | None = None
    signal_strength: Annotated[str, Meta(max_length=64)] | int | float | None = None
    wifi_ssid: Annotated[str, Meta(max_length=128)] | None = None
    hardware_info: Object | None = None


class StationFacts(Struct):
    total_slots: Annotated[int, Meta(ge=0, le=MAX_SLOTS)]
    pinboards: list[Any] | Object | None = None


class Slot(Struct):
    slot_number: SlotNumberOrNone
    status: SlotStatus
    battery_level: Battery
    power_bank_serial: SerialOrEmpty | None = None
    slot_metadata: Object | None = None


class Bank(Struct):
    serial_number: Serial
    status: BankStatus
    battery_level: Battery
    current_slot: SlotNumberOrNone
    hardware_info: Object | None = None


class ReturnEvent(Struct):
    power_bank_serial: Serial
    slot_number: SlotNumber
    battery_level: Battery
    returned_at: Time | None = None
    condition: Annotated[str, Meta(max_length=64)] | None = None
    hardware_info: Object | None = None


class Full(Struct):
    """A whole picture of one station. `slots` or `power_banks` None says nothing, an empty list says there are none."""

    device: FullDevice
    station: StationFacts
    timestamp: Time | None = None
    slots: list[Slot] | None = None
    power_banks: list[Bank] | None = None


class Returned(Struct):
    """A power bank was put back into a slot."""

    device: NamedDevice
    return_event: ReturnEvent
    timestamp: Time | None = None


class StatusChange(Struct):
    """A station connected or dropped."""

    device: StatusDevice
    timestamp: Time | None = None


Message = Full | Returned | StatusChange
TYPES: Final[dict[str, type[Full] | type[Returned] | type[StatusChange]]] = {
    "full": Full,
    "returned": Returned,
    "status": StatusChange,
}


def read_message(body: bytes, now: datetime) -> Message:
    """Step 6. Raises InvalidMessage with the places at fault, InvalidType for an unknown type."""
    try:
        value = jsonio.decode_unique(body)
    except MalformedJson as error:
        raise InvalidMessage({"body": error.detail}) from None
    if not isinstance(value, dict):
        raise InvalidMessage({"body": "Must be a JSON object."})
    if "type" not in value:
        raise InvalidMessage({"type": "Missing."})
    kind = value["type"]
    if not isinstance(kind, str) or kind not in TYPES:
        raise InvalidType
    try:
        message: Message = msgspec.convert(value, TYPES[kind])
    except msgspec.ValidationError as error:
        raise InvalidMessage(dict([_place(str(error))])) from None
    if errors := dict(_faults(message, now)):
        raise InvalidMessage(errors)
    return message


def percent(level: Battery) -> int | None:
    """The level of a battery, or None where what was told is none."""
    return level if 0 <= level <= 100 else None


def warnings_of(message: Message) -> dict[str, str]:
    """Sentences by place of values that cannot be taken, though the rest of the message can."""
    found: dict[str, str] = {}
    levels: list[tuple[str, Slot | Bank | ReturnEvent]] = []
    if isinstance(message, Returned):
        levels = [("return_event", message.return_event)]
    elif isinstance(message, Full):
        for index, slot in enumerate(message.slots or ()):
            if slot.slot_number:
                levels.append((f"slots[{index}]", slot))
            else:
                found[f"slots[{index}].slot_number"] = "No slot has the number 0: the slot was left as it was."
        for index, bank in enumerate(message.power_banks or ()):
            levels.append((f"power_banks[{index}]", bank))
            if not bank.current_slot:
                found[f"power_banks[{index}].current_slot"] = "No slot has the number 0: its place was left as it was."
    for place, item in levels:
        if percent(item.battery_level) is None:
            found[f"{place}.battery_level"] = f"{item.battery_level} is not from 0 to 100: it was left as it was."
    return found


def type_of(message: Message) -> str:
    return next(name for name, shape in TYPES.items() if isinstance(message, shape))


def read_time(words: Time | None) -> datetime | None:
    """Aware UTC. What `read_message` has passed is readable."""
    return None if words is None else next(iter(times.read_time(words, UTC)), None)


def _place(sentence: str) -> tuple[str, str]:
    """msgspec's `Expected `int`, got `str` - at `$.slots[2].status`` as the place and the sentence."""
    sentence, _, path = sentence.partition(" - at `")
    path = path.rstrip("`").removeprefix("$").removeprefix(".")
    missing = sentence.partition("missing required field `")[2].rstrip("`")
    if missing:
        return f"{path}.{missing}".removeprefix("."), "Missing."
    if " matching regex " in sentence:  # only serial numbers have one
        sentence = "Must be 1 to 64 letters, digits and . _ : -, the first a letter or digit"
    return path or "body", f"{sentence}."


def _faults(message: Message, now: datetime) -> Iterator[tuple[str, str]]:
    """What the shapes alone do not say."""
    yield from _past_fault("timestamp", message.timestamp, now)
    if isinstance(message, Returned):
        event = message.return_event
        yield from _past_fault("return_event.returned_at", event.returned_at, now)
        yield from _size_fault("return_event.hardware_info", event.hardware_info)
        return
    yield from _time_fault("device.last_heartbeat", message.device.last_heartbeat)
    if isinstance(message, Full):
        yield from _full_faults(message)


def _full_faults(message: Full) -> Iterator[tuple[str, str]]:
    yield from _size_fault("device.hardware_info", message.device.hardware_info)
    yield from _size_fault("station.pinboards", message.station.pinboards, PINBOARD_BYTES)
    total = message.station.total_slots
    slots, banks = message.slots or [], message.power_banks or []
    for index, slot in enumerate(slots):
        yield from _size_fault(f"slots[{index}].slot_metadata", slot.slot_metadata)
        if slot.slot_number > total:
            yield f"slots[{index}].slot_number", f"The station has {total} slots."
    for index, bank in enumerate(banks):
        yield from _size_fault(f"power_banks[{index}].hardware_info", bank.hardware_info)
        if bank.current_slot > total:
            yield f"power_banks[{index}].current_slot", f"The station has {total} slots."
    yield from _twice("slots", "slot_number", slots)
    yield from _twice("slots", "power_bank_serial", slots)
    yield from _twice("power_banks", "serial_number", banks)
    yield from _twice("power_banks", "current_slot", banks)
    places = {bank.serial_number: bank.current_slot for bank in banks if bank.current_slot}
    for index, slot in enumerate(slots):
        if slot.slot_number and places.get(slot.power_bank_serial or "", slot.slot_number) != slot.slot_number:
            yield f"slots[{index}].power_bank_serial", "power_banks has it in another slot."


def _twice(array: str, member: str, items: list[Any]) -> Iterator[tuple[str, str]]:
    """Every place after the first where a value of that member stands again; empty values may repeat."""
    seen: Counter[Any] = Counter()
    for index, item in enumerate(items):
        value = getattr(item, member)
        if value and seen[value]:
            yield f"{array}[{index}].{member}", f"{value} stands twice."
        seen[value] += 1


def _time_fault(place: str, words: Time | None) -> Iterator[tuple[str, str]]:
    if words is not None and read_time(words) is None:
        yield place, "Not a time: send ISO 8601 or Unix seconds."


def _past_fault(place: str, words: Time | None, now: datetime) -> Iterator[tuple[str, str]]:
    """A time that decides what is newest: one far ahead would make everything after it stale."""
    yield from _time_fault(place, words)
    moment = read_time(words)
    if moment is not None and moment > now + AHEAD:
        yield place, "More than 10 minutes ahead of the server's time."


def _size_fault(place: str, value: Any, limit: int = OBJECT_BYTES) -> Iterator[tuple[str, str]]:
    if value is not None and len(jsonio.encode(value)) > limit:
        yield place, f"Larger than {limit // 1024} KiB."
