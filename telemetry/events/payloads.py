"""The wire format of section 2: what an event may look like."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from device_gateway.keys.identity import Identity
from ozone.wire import jsonio
from ozone.wire.errors import ApiError, Invalid, MalformedJson, Unauthorized
from ozone.wire.jsonio import MAX_OBJECT_BYTES
from ozone.wire.times import believed
from telemetry.statuses.payloads import (
    MAX_COUNTER,
    MAX_FIRMWARE,
    NO_FIRMWARE,
    NO_FLAGS,
    Counters,
    Flags,
    at_fault,
    read_counters,
    read_flags,
)
from telemetry.treatments import TREATMENTS

MAX_BATCH: Final = 500
STATUS: Final = "status"
"""The event type of a legacy device's status message: no press."""
MAX_EVENT_ID: Final = 128
MAX_KEPT_BODY: Final = 16 * 1024
"""Characters of a refused body that are kept: the firmware's events have some 300."""

_COLUMNS: Final = frozenset({"device_id", "event_id", "event", "treatment", "counter", "ts"})
"""What has a column of its own; any further field is the event's payload."""


class Event(NamedTuple):
    """One press, or one status message of a legacy device.

    A field called as a column of TelemetryEvent is stored there, one of the flags too. `told` is the device's time
    where it can be believed, `told_again` its other meaning where daylight saving repeats it (ozone.wire.times.Told);
    `device_timestamp` are its own words, verbatim. `own_counts` are the three counters where the device sent them.
    `payload` is JSON text.
    """

    device_id: int
    event_id: str
    event: str
    event_type: str
    treatment: str | None
    counter: int | None
    own_counts: Counters | None
    told: datetime | None
    device_timestamp: str | None
    received_at: datetime
    flags: Flags
    firmware: str | None
    source: str
    payload: str
    told_again: datetime | None = None

    @property
    def said(self) -> tuple[str | None, int | None, str | None]:
        """What tells two events under one event_id apart. Other fields never do: vitals change between retries."""
        return self.treatment, self.counter, self.device_timestamp

    def as_sent(self) -> str:
        """As the device would send it: JSON text."""
        columns = sorted(_COLUMNS - {"device_id"})
        told = {name: getattr(self, "device_timestamp" if name == "ts" else name) for name in columns}
        said = {name: value for name, value in told.items() if value is not None}
        return jsonio.encode({**said, **jsonio.decode(self.payload.encode())}).decode()


class Refused(NamedTuple):
    """A body (or an element of a batch) that cannot be an event: it goes into quarantine."""

    body: str
    event_id: str | None
    error: ApiError


class Parsed(NamedTuple):
    """What a request holds: `order` has, for each element, its event_id and its place among `refused`, or None."""

    events: list[Event]
    refused: list[Refused]
    order: list[tuple[str | None, int | None]]
    is_batch: bool


def read_events(body: bytes, identity: Identity, received_at: datetime) -> Parsed:
    """The events in a body: an object is one, an array or `{"events": […]}` up to 500.

    Whatever must be answered with a 400 is among `refused`. Raises Unauthorized where a device_id is another's.
    """
    value: Any = None
    try:
        value = jsonio.decode(body)
        if type(value) is dict and type(value.get("events")) is list and "event_id" not in value:
            _check_name(value, identity)
            body, value = jsonio.encode(value["events"]), value["events"]
        if type(value) is list:
            if len(value) > MAX_BATCH:
                raise Invalid(f"A batch holds at most {MAX_BATCH} events.", code="batch_too_long")
            return _read_batch(body, value, identity, received_at)
        if type(value) is not dict:
            raise Invalid("Send an event as a JSON object, or an array of them.", code="not_an_event")
        _check_name(value, identity)
        event = read_event(value, identity.pk, received_at)
    except (Invalid, MalformedJson) as error:
        return _one_refused(body, _event_id_of(value), error)
    return Parsed([event], [], [(event.event_id, None)], is_batch=False)


def _read_batch(body: bytes, values: list[Any], identity: Identity, received_at: datetime) -> Parsed:
    events: list[Event] = []
    refused: list[Refused] = []
    order: list[tuple[str | None, int | None]] = []
    texts: list[str] = []
    for index, value in enumerate(values):
        try:
            if type(value) is not dict:
                raise Invalid("Each event must be a JSON object.", code="not_an_event")
            _check_name(value, identity)
            event = read_event(value, identity.pk, received_at)
        except Invalid as error:
            texts = texts or jsonio.split_array(body)
            event_id = _event_id_of(value)
            order.append((event_id, len(refused)))
            # Without where it was raised: that is here, and would keep the whole batch for the garbage collector.
            refused.append(Refused(texts[index].strip(), event_id, error.with_traceback(None)))
        else:
            events.append(event)
            order.append((event.event_id, None))
    return Parsed(events, refused, order, is_batch=True)


def _one_refused(body: bytes, event_id: str | None, error: ApiError) -> Parsed:
    text = body.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return Parsed([], [Refused(text, event_id, error)], [(event_id, 0)], is_batch=False)


def _event_id_of(value: Any) -> str | None:
    found = value.get("event_id") if type(value) is dict else None
    return found if type(found) is str and 1 <= len(found) <= MAX_EVENT_ID else None


def _check_name(value: Mapping[str, Any], identity: Identity) -> None:
    name = value.get("device_id")
    if name is None:
        return
    if type(name) is not str:
        raise at_fault({"device_id": "Must be text."})
    if not identity.is_called(name):
        raise Unauthorized("This key is not that of the device named in the body.")


def read_event(value: dict[str, Any], device: int, received_at: datetime, *, source: str = "device") -> Event:
    """One event of the device with that number. Raises Invalid naming every field at fault."""
    faults: dict[str, str] = {}
    event_id, treatment, counter = value.get("event_id"), value.get("treatment"), value.get("counter")
    if type(event_id) is not str or not 1 <= len(event_id) <= MAX_EVENT_ID:
        faults["event_id"] = f"Must be text of 1 to {MAX_EVENT_ID} characters."
    if value.get("event") != "treatment":
        faults["event"] = 'Must be "treatment".'
    if treatment not in TREATMENTS:
        faults["treatment"] = "Must be BASIC, STANDARD or PREMIUM."
    if type(counter) is not int or not 0 <= counter <= MAX_COUNTER:
        faults["counter"] = f"Must be a whole number from 0 to {MAX_COUNTER}."
    firmware = value.get("firmware")
    if firmware is not None and (type(firmware) is not str or len(firmware) > MAX_FIRMWARE):
        faults["firmware"] = NO_FIRMWARE
    own_counts = None
    try:
        own_counts = read_counters(value.get("current_counters"), "current_counters")
    except Invalid as error:
        faults |= {field: sentences[0] for field, sentences in (error.errors or {}).items()}
    if faults:
        raise at_fault(faults)
    told = believed(value.get("ts"), received_at)
    further = {name: item for name, item in value.items() if name not in _COLUMNS}
    payload = jsonio.encode(further) if further else b"{}"
    if len(payload) > MAX_OBJECT_BYTES:
        raise Invalid("The further fields of an event may take 4 KiB.", code="payload_too_large")
    words = value.get("ts")
    if words is not None and type(words) is not str:
        words = jsonio.encode(words).decode()
    return Event(
        device_id=device,
        event_id=event_id,  # type: ignore[arg-type]
        event="treatment",
        event_type=treatment,  # type: ignore[arg-type]
        treatment=treatment,
        counter=counter,
        own_counts=own_counts,
        told=told.moment,
        device_timestamp=words or None,
        received_at=received_at,
        flags=read_flags(value) if further else NO_FLAGS,
        firmware=firmware or None,
        source=source,
        payload=payload.decode(),
        told_again=told.again,
    )


def digest_of(content: bytes) -> int:
    """Eight bytes of a hash, as the signed integer that a database keeps."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "big", signed=True)
