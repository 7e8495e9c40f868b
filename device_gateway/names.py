"""What a device may be called (contract, section 1): one rule for forms, API and models."""

import re
from typing import Final

from django.core.exceptions import ValidationError

RESERVED: Final = frozenset({"claim", "online", "all", "provision", "bulk", "commands", "telemetry", "events", "new"})
_SHAPE: Final = re.compile(r"[A-Za-z0-9._:-]{1,63}")
_MAC_DIGITS: Final = re.compile(r"[0-9A-Fa-f]{12}")
_MAC_GROUPS: Final = re.compile(r"[0-9A-Fa-f]{1,2}(?:[:. -][0-9A-Fa-f]{1,2}){5}")
_LONGEST_MAC: Final = 64
"""Characters that are looked at: any common spelling has at most 17, and blanks around it."""
_GIVEN: Final = re.compile(r"dev-[0-9]+")
_SEPARATORS: Final = re.compile(r"[ \t:.-]")

NO_MAC: Final = (
    "Must be a MAC address of twelve hexadecimal digits, as EC:E3:34:46:2B:C0, and a board's own:"
    " all zeros, broadcast and multicast are nobody's."
)


def default_device_id(number: int | None) -> str:
    """The name of a gateway device that was given none."""
    return f"dev-{number}"


def spelled_mac(text: str) -> str | None:
    """What looks like a MAC, in its one spelling `EC:E3:34:46:2B:C0`; None: it does not.

    Of six groups one may lack its zero, as sketches write `String(byte, HEX)`.
    """
    text = text.strip() if len(text) <= _LONGEST_MAC else ""
    if _MAC_GROUPS.fullmatch(text):
        return ":".join(group.zfill(2) for group in _SEPARATORS.split(text)).upper()
    digits = _SEPARATORS.sub("", text)
    if not _MAC_DIGITS.fullmatch(digits):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2)).upper()


def normal_mac(text: str) -> str | None:
    """The MAC of a board in its one spelling; None: not a MAC, or one that no board has.

    All zeros is what a sketch reads before its Wi-Fi is up: two boards that tell it would become one device, and take
    each other's tokens. Broadcast and multicast addresses have the lowest bit of their first byte set.
    """
    mac = spelled_mac(text)
    if mac is None or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 1:
        return None
    return mac


def validate_mac(text: str) -> None:
    if normal_mac(text) is None:
        raise ValidationError(NO_MAC)


def check_device_id(text: str, mac: str | None, number: int | None) -> None:
    """Raises ValidationError unless `text` may be the `device_id` of the device with that MAC and integer id."""
    if not _SHAPE.fullmatch(text):
        raise ValidationError("A device_id has 1 to 63 of the characters A-Z a-z 0-9 . _ : -")
    if text.isascii() and text.isdigit():
        raise ValidationError("A device_id of digits only would be taken for a number.")
    if not text.strip("."):
        raise ValidationError("A device_id of dots only cannot stand in an address.")
    if text.lower() in RESERVED:
        raise ValidationError(f"{text!r} is a word of the API and cannot be a device_id.")
    if text.startswith("pending-"):
        raise ValidationError("A device_id that begins with 'pending-' makes the firmware shake hands for ever.")
    if _GIVEN.fullmatch(text) and text != default_device_id(number):
        raise ValidationError("dev-<number> is the name the server gives to the device of that number.")
    as_mac = spelled_mac(text)
    if as_mac is not None and as_mac != mac:
        raise ValidationError("A device_id that looks like a MAC address must be the device's own MAC.")
