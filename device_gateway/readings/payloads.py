"""The wire format of readings, and what their replies say."""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain
from typing import Any, Final, NamedTuple

from device_gateway.keys.crypto import ENVELOPE
from device_gateway.keys.identity import Identity
from ozone.wire import jsonio
from ozone.wire.errors import Invalid, MalformedJson
from ozone.wire.http import Reply
from ozone.wire.times import believed

MAX_BATCH: Final = 1000
MAX_MESSAGE_ID: Final = 64
_MINDED: Final = frozenset({"message_id", "timestamp", *ENVELOPE})
"""Members that a reading is looked at for. Without them it is plain."""
STORED: Final = Reply(201, b'{"status": "ok"}')


class Reading(NamedTuple):
    """A row of DeviceTelemetry, its columns by their names. `payload` is the object's JSON text, as sent.

    `again`, which is no column: the other meaning of a local time that daylight saving repeats, where only the device's
    previous reading can tell which is meant.
    """

    device_id: int
    message_id: str | None
    nonce: str | None
    occurred_at: datetime
    received_at: datetime
    device_timestamp: str | None
    payload: str
    again: datetime | None = None


class Sent(NamedTuple):
    """What a body holds: readings; or of plain ones, which say neither when they happened nor who they are, no more
    than their JSON texts, as sent. And the reply that says they are stored."""

    readings: Sequence[Reading]
    plain: Sequence[str]
    reply: Reply


def stored(count: int) -> Reply:
    """The reply to a batch."""
    return Reply(201, b'{"status": "ok", "accepted": %d}' % count)


def read_readings(body: bytes, identity: Identity, received_at: datetime, idempotency_key: str | None) -> Sent:
    """The readings in a body.

    An object is one reading, an array of up to 1,000 objects a batch. `idempotency_key` is the header of that name,
    for a single reading without a `message_id`. Raises MalformedJson, Invalid, Unavailable (no key to decrypt with).
    """
    value = jsonio.decode(body)
    if type(value) is dict:
        if idempotency_key is not None:
            idempotency_key = _message_id(idempotency_key, "Idempotency-Key")
        elif not identity.encryption and _MINDED.isdisjoint(value):
            return Sent((), (body.decode(),), STORED)
        return Sent((_reading(value, body.decode, identity, received_at, idempotency_key, ""),), (), STORED)
    if type(value) is not list:
        raise Invalid("Send a reading as a JSON object, or an array of them.", code="not_a_reading")
    if len(value) > MAX_BATCH:
        raise Invalid(f"A batch holds at most {MAX_BATCH} readings; this one has {len(value)}.", code="batch_too_long")
    texts = jsonio.split_array(body)
    reply = stored(len(texts))
    if not identity.encryption and {dict}.issuperset(map(type, value)) and _MINDED.isdisjoint(chain(*value)):
        return Sent((), texts, reply)
    readings: list[Reading] = []
    for index, item in enumerate(value):
        if type(item) is not dict:
            raise Invalid(
                f"Element {index} is not an object.",
                code="not_a_reading",
                errors={f"[{index}]": ["Must be an object."]},
            )
        try:
            readings.append(_reading(item, texts[index].strip, identity, received_at, None, index))
        except (Invalid, MalformedJson) as error:
            error.errors = error.errors or {f"[{index}]": [error.detail]}  # the reply always names the element
            raise
    return Sent(readings, (), reply)


def _reading(
    value: dict[str, Any],
    text: Any,
    identity: Identity,
    received_at: datetime,
    message_id: str | None,
    index: "int | str",
) -> Reading:
    """One reading; `text()` is its JSON, called only where it is stored as sent."""
    nonce: str | None = None
    if identity.encryption:
        value, text, nonce, outer = _opened(value, identity, _place(index))
        message_id = outer if outer is not None else message_id
    elif value.keys() == ENVELOPE:
        raise Invalid(
            "This device was provisioned without encryption: the server has no key for this envelope.",
            code="encryption_not_set_up",
        )
    if "message_id" in value and value["message_id"] is not None:
        message_id = _message_id(value["message_id"], f"{_place(index)}message_id")
    words = value.get("timestamp")
    if words is None:
        return Reading(identity.pk, message_id, nonce, received_at, received_at, None, text())
    device_timestamp = words if type(words) is str else jsonio.encode(words).decode()
    told = believed(words, received_at)
    moment = told.moment or received_at
    return Reading(identity.pk, message_id, nonce, moment, received_at, device_timestamp, text(), told.again)


def _opened(value: dict[str, Any], identity: Identity, place: str) -> tuple[dict[str, Any], Any, str, str | None]:
    """An envelope's reading, its text, its nonce, and the message_id that stood outside it."""
    if "ciphertext" not in value:
        raise Invalid("This device sends encrypted readings only.", code="encryption_required")
    plain, nonce = identity.cipher.decrypt(value, place)
    reading = jsonio.decode(plain)
    if type(reading) is not dict:
        raise Invalid("The decrypted reading is not a JSON object.", code="bad_envelope")
    outer = value.get("message_id")
    return reading, plain.decode, nonce, None if outer is None else _message_id(outer, f"{place}message_id")


def _place(index: "int | str") -> str:
    return "" if index == "" else f"[{index}]."


def _message_id(value: Any, place: str) -> str:
    if type(value) is int:
        value = str(value)
    if type(value) is not str or not 1 <= len(value) <= MAX_MESSAGE_ID:
        raise Invalid(
            f"{place} must be text of 1 to {MAX_MESSAGE_ID} characters.",
            code="invalid_message_id",
            errors={place: [f"Must be text of 1 to {MAX_MESSAGE_ID} characters."]},
        )
    return value
