"""What a device may be called (contract, section 1): one rule for forms, API and models."""

import re
from typing import Final

from django.core.exceptions import ValidationError

RESERVED: Final = frozenset({"claim", "online", "all", "provision", "bulk", "commands", "telemetry", "events", "new"})
_SHAPE: Final = re.compile(r"[A-Za-z0-9._:-]{1,63}")
_MAC_DIGITS: Final = re.compile(r"[0-9A-F]{12}")
_GIVEN: Final = re.compile(r"dev-[0-9]+")
_SEPARATORS: Final = re.compile(r"[\s:.\-]")


def default_device_id(number: int | None) -> str:
    """The name of a gateway device that was given none."""
    return f"dev-{number}"


def normal_mac(text: str) -> str | None:
    """A MAC in any common spelling as `EC:E3:34:46:2B:C0`; None: not a MAC."""
    digits = _SEPARATORS.sub("", text).upper()
    if not _MAC_DIGITS.fullmatch(digits):
        return None
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def validate_mac(text: str) -> None:
    if normal_mac(text) is None:
        raise ValidationError("A MAC address has twelve hexadecimal digits, as EC:E3:34:46:2B:C0.")


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
    as_mac = normal_mac(text)
    if as_mac is not None and as_mac != mac:
        raise ValidationError("A device_id that looks like a MAC address must be the device's own MAC.")
