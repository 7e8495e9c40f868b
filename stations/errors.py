"""Refusals of the station API, and their shape: `{"success": false, "message", "error"}` (+ `errors`, + `data`)."""

from collections.abc import Mapping
from typing import Any, Final

from ozone.wire.errors import ApiError, Forbidden, Invalid, NotFound

PATHS: Final = ("/api/internal/stations", "/api/stations", "/api/power-banks")


class IpNotAllowed(Forbidden):
    code = "IP_NOT_ALLOWED"
    detail = "This address is not in IOT_SYSTEM_ALLOWED_IPS."


class MissingHeaders(Forbidden):
    code = "MISSING_HEADERS"
    detail = "Send X-Signature and X-Timestamp."


class InvalidTimestamp(Invalid):
    code = "INVALID_TIMESTAMP"
    detail = "X-Timestamp must be Unix seconds: 1 to 12 digits."


class InvalidContentType(Invalid):
    code = "INVALID_CONTENT_TYPE"
    detail = "Send the body as application/json (UTF-8), not compressed."


class TimestampExpired(Forbidden):
    code = "TIMESTAMP_EXPIRED"
    detail = "X-Timestamp is too far from the server's time. Check the clocks."


class InvalidSignature(Forbidden):
    code = "INVALID_SIGNATURE"
    detail = "The signature does not match: Base64 of HMAC-SHA256 over the raw body followed by X-Timestamp."


class InvalidMessage(Invalid):
    """`errors` here is one sentence a place: `{"slots[2].status": "…"}`."""

    code = "VALIDATION_ERROR"

    def __init__(self, errors: Mapping[str, str]) -> None:
        place, sentence = next(iter(errors.items()))
        super().__init__(f"{place}: {sentence}")
        self.places = dict(errors)


class InvalidType(Invalid):
    code = "INVALID_TYPE"
    detail = "type must be full, returned or status."


class StationNotFound(NotFound):
    code = "STATION_NOT_FOUND"
    detail = "There is no station of this serial number. A full sync makes it known."


class PowerBankNotFound(NotFound):
    code = "POWER_BANK_NOT_FOUND"
    detail = "There is no power bank of this serial number. A full sync makes it known."


class SlotNotFound(NotFound):
    code = "SLOT_NOT_FOUND"
    detail = "The station has no slot of this number."


def error_code(error: ApiError) -> str:
    """The `error` of a reply: the codes of section 4, and for what any API may say its own word in capitals."""
    if error.status == 401:
        return "AUTHENTICATION_FAILED"
    if error.status == 403 and error.code in ("forbidden", "stations_only"):
        return "PERMISSION_DENIED"
    if error.code == "invalid":
        return "VALIDATION_ERROR"
    return error.code.upper()


def error_body(error: ApiError) -> dict[str, Any]:
    """The reply's JSON object."""
    body: dict[str, Any] = {"success": False, "message": error.detail, "error": error_code(error)}
    if isinstance(error, InvalidMessage):
        body["errors"] = error.places
    elif error.errors:
        body["errors"] = {place: " ".join(sentences) for place, sentences in error.errors.items()}
    return body


def has_own_shape(path: str) -> bool:
    """Whether errors at and below this path have the shape above, whoever makes them."""
    return path.startswith(tuple(f"{own}/" for own in PATHS)) or path in PATHS
