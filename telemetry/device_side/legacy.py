"""The legacy form of a message: `POST /api/iot/`, from machines that know no token."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl

from device_gateway.names import NO_MAC, normal_mac
from ozone.wire import jsonio
from ozone.wire.errors import Invalid, MalformedJson
from ozone.wire.jsonio import MAX_OBJECT_BYTES
from ozone.wire.times import believed
from telemetry.events.payloads import STATUS, Event, digest_of
from telemetry.statuses.payloads import MAX_COUNTER, Counters, Flags
from telemetry.treatments import TREATMENTS

_MAX_FIELDS: Final = 100
_COUNTS: Final = ("count1", "count2", "count3")
_TYPES: Final = ("type1", "type2", "type3")
_OWN: Final = frozenset({"mode", "macaddr", "timestamp", *_COUNTS})
"""What has a column of its own; the on-time values are the event's payload, and the newest are the status's too."""
_TRUE: Final = ("true", "1", "yes", "on")
_FALSE: Final = ("false", "0", "no", "off")


class LegacyMessage(NamedTuple):
    """One message: a press (BASIC, STANDARD, PREMIUM) or `status`. `on_time` has the on-time values, as sent."""

    mac: str
    mode: str
    counts: tuple[int | None, int | None, int | None]
    on_time: list[Any] | None
    words: str | None
    told: datetime | None
    told_again: datetime | None
    flags: Flags
    payload: str

    @property
    def counters(self) -> Counters | None:
        """All three, or None where one is missing."""
        basic, standard, premium = self.counts
        if basic is None or standard is None or premium is None:
            return None
        return basic, standard, premium

    def starts_anew(self, before: Sequence[int], counters_at: datetime | None) -> bool:
        """Whether the device's counters were reset since `before`: they are lower, and this is no late message."""
        late = self.told is not None and counters_at is not None and self.told < counters_at
        lower = any(new is not None and new < old for new, old in zip(self.counts, before, strict=True))
        return lower and not late

    def event(self, device: int, received_at: datetime, resets: int) -> Event:
        """The message as an event, named by what it says since the `resets`-th reset: a repeat has the same name."""
        said = f"{self.mode} {self.counts} {self.words}"
        is_press = self.mode != STATUS
        return Event(
            device_id=device,
            event_id=f"legacy-{resets}-{digest_of(said.encode()) & (2**64 - 1):016x}",
            event="treatment" if is_press else STATUS,
            event_type=self.mode,
            treatment=self.mode if is_press else None,
            counter=self.counts[TREATMENTS.index(self.mode)] if is_press else None,
            own_counts=self.counters,
            told=self.told,
            device_timestamp=self.words,
            received_at=received_at,
            flags=self.flags,
            firmware=None,
            source="legacy",
            payload=self.payload,
            told_again=self.told_again,
        )


def read_form(body: bytes) -> dict[str, Any]:
    """The fields of a form body; of repeated ones the last. Raises Invalid, MalformedJson."""
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except UnicodeDecodeError:
        raise MalformedJson("The body is not valid UTF-8.") from None
    except ValueError:
        raise Invalid(f"A form may have {_MAX_FIELDS} fields.", code="too_many_fields") from None
    if any("\0" in text for item in fields.items() for text in item):
        raise MalformedJson("U+0000 cannot be stored.", code="nul_character")
    return fields


def read_legacy(fields: Mapping[str, Any], received_at: datetime) -> LegacyMessage:
    """Raises Invalid naming every field at fault."""
    faults: dict[str, list[str]] = {}
    given = fields.get("macaddr")
    mac = normal_mac(given) if isinstance(given, str) else None
    if mac is None:
        faults["macaddr"] = [NO_MAC]
    mode = fields.get("mode")
    if mode not in (*TREATMENTS, STATUS):
        faults["mode"] = ["Must be BASIC, STANDARD, PREMIUM or status."]
    counts = []
    for name in _COUNTS:
        counts.append(_whole(fields.get(name)))
        if counts[-1] is None and fields.get(name) not in (None, ""):
            faults[name] = [f"Must be a whole number from 0 to {MAX_COUNTER}."]
    payload = jsonio.encode({name: value for name, value in fields.items() if name not in _OWN})
    if len(payload) > MAX_OBJECT_BYTES:
        faults["payload"] = ["The further fields may take 4 KiB."]
    if faults:
        raise Invalid(f"The message is not valid: {', '.join(faults)}.", errors=faults)
    words = fields.get("timestamp")
    if words is not None and not isinstance(words, str):
        words = jsonio.encode(words).decode()
    told = believed(fields.get("timestamp") or None, received_at)
    on_time = [_number(fields.get(name)) for name in _TYPES]
    return LegacyMessage(
        mac=mac or "",
        mode=str(mode),
        counts=(counts[0], counts[1], counts[2]),
        on_time=on_time if any(value is not None for value in on_time) else None,
        words=words or None,
        told=told.moment,
        told_again=told.again,
        flags=Flags(
            rtc_available=_flag(fields.get("rtc_available")),
            sd_card_available=_flag(fields.get("sd_available", fields.get("sd_card_available"))),
        ),
        payload=payload.decode(),
    )


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 12:
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNTER else None


def _number(value: Any) -> Any:
    """An on-time value: as a number where it is one."""
    whole = _whole(value)
    if whole is not None:
        return whole
    return value[:64] if isinstance(value, str) else value if isinstance(value, (int, float)) else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        text = value.strip().lower()
        return True if text in _TRUE else False if text in _FALSE else None
    return value if type(value) is bool else None
