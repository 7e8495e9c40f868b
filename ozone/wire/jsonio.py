"""Strict JSON both ways: what the database could not keep is refused here, as a 400.

Refused: NaN and Infinity, numbers beyond a double, integers beyond 64 bits, nesting past 32 levels, U+0000,
lone surrogates, bytes that are not UTF-8 (contract, section 0). The decoder does most of it; what it lets through
is guarded by cheap searches over the bytes, and only a hit pays for a walk over the decoded value.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final, NoReturn

import msgspec

from ozone.wire.errors import Invalid, MalformedJson

MAX_DEPTH: Final = 32
MAX_OBJECT_BYTES: Final = 4096
"""How large a free-form object may be: metadata, a command's payload."""
MAX_CONTAINERS: Final = 10_000
"""Objects and arrays of one body: each costs Python as much as twenty numbers, and the event loop waits meanwhile."""
EMPTY: Final = "The body is empty. A request that has one tells its Content-Length, or sends it in chunks."
"""Nobody reads what follows a head that tells of no body."""
MAX_EXTREMES: Final = 1_000
MAX_EXPONENTS: Final = 10_000
"""Numbers of one body with an exponent, of three digits or of any number: some of the one take the decoder 10 µs each,
some of the other half a microsecond, all in one piece. A batch of readings with one such value each is within it."""
_LARGE: Final = 16 * 1024
"""Bytes. What is larger takes the decoder milliseconds, in one piece."""
_one_large: Final = threading.Lock()
_INT64: Final = range(-(2**63), 2**63)
# Nineteen digits in a row may exceed 64 bits; \u0000 may be a real NUL, or follow an escaped backslash and be harmless:
# the walk decides. Digits are sought as zeros, because a pattern of nineteen would be tried at each byte.
_AS_ZEROS: Final = bytes.maketrans(b"123456789E", b"000000000e")
_FEW: Final = 1024
"""Bytes; no numbers within them take long."""
_EXPONENT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|e[+-]?0(00)?', re.S)
"""In a body of zeros: a text, which is skipped, or an exponent."""
_E: Final = ord("e")
_NINETEEN_DIGITS: Final = b"0" * 19
_NUL_ESCAPE: Final = rb"\u0000"

_decoder: Final = msgspec.json.Decoder()
_PART: Final = 1000
_raw: Final = msgspec.json.Decoder(msgspec.Raw)
_raw_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_encoder: Final = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> bytes:
    """Compact UTF-8 JSON of plain values; times must already be text."""
    return _encoder.encode(value)


def encode_in_parts(value: Any) -> bytes:
    """The same, a thousand elements at a time: one call of the encoder keeps every other thread waiting."""
    if type(value) is dict:
        return b"{%b}" % b",".join(b"%b:%b" % (encode(key), encode_in_parts(item)) for key, item in value.items())
    if type(value) is list and len(value) > _PART:
        parts = (encode(value[start : start + _PART])[1:-1] for start in range(0, len(value), _PART))
        return b"[%b]" % b",".join(parts)
    return encode(value)


def packed(rows: Iterable[Any]) -> msgspec.Raw:
    """An array, for a reply, of rows that are made meanwhile: no more than some thousand are held. Through hundreds of
    thousands of objects the collector of garbage would go again and again, each time in one piece."""
    left = iter(rows)
    parts = iter(lambda: encode(list(islice(left, _PART)))[1:-1], b"")
    return msgspec.Raw(b"[%b]" % b",".join(parts))


def decode(body: bytes) -> Any:
    """The value in `body`. Of duplicate keys the last one wins.

    Raises MalformedJson, with the place where the decoder knows one.
    """
    if len(body) <= _LARGE:
        return _decode(body)
    # One after the other: whoever waits for this lock does not stand in line for Python's, before everybody else.
    with _one_large:
        return _decode(body)


def _decode(body: bytes) -> Any:
    containers = body.count(b"{") + body.count(b"[")
    zeros = body.translate(_AS_ZEROS)
    if len(body) > _FEW:
        _check_exponents(zeros)
    try:
        if containers > MAX_CONTAINERS:
            _raw.decode(body)  # makes no object of it, and knows what is wrong with it
            raise MalformedJson(f"More than {MAX_CONTAINERS:,} objects and arrays in one body.", code="too_many_values")
        value = _decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise MalformedJson(f"The body is not valid JSON: {error}" if body.strip() else EMPTY) from None
    except UnicodeDecodeError:
        raise MalformedJson("The body is not valid UTF-8.") from None
    except RecursionError:
        _too_deep()
    if containers > MAX_DEPTH and not _is_flat(value, containers):
        _check_depth(value, MAX_DEPTH)
    if _NUL_ESCAPE in body or _NINETEEN_DIGITS in zeros:
        _check_values(value)
    return value


def _check_exponents(zeros: bytes) -> None:
    """Of a body whose digits are zeros. In texts there may be what looks like one: then each is looked at."""
    if zeros.count(b"0e") <= MAX_EXTREMES:  # a digit stands before each
        return
    exponents = zeros.count(b"e0") + zeros.count(b"e+0") + zeros.count(b"e-0")
    if exponents <= MAX_EXTREMES:  # of any length
        return
    extremes = zeros.count(b"e000") + zeros.count(b"e+000") + zeros.count(b"e-000")
    if extremes <= MAX_EXTREMES and exponents <= MAX_EXPONENTS:
        return
    exponents = extremes = 0
    for found in _EXPONENT.finditer(zeros):
        exponents += zeros[found.start()] == _E
        extremes += found[1] is not None
        if extremes > MAX_EXTREMES or exponents > MAX_EXPONENTS:
            raise MalformedJson(
                f"More than {MAX_EXTREMES:,} numbers with an exponent of three digits, or {MAX_EXPONENTS:,} with any.",
                code="too_many_values",
            )


def require_some(body: bytes) -> None:
    """Raises Invalid where there is no body: to name the fields that it lacks would mislead."""
    if not body:
        raise Invalid(EMPTY)


def decode_unique(body: bytes) -> Any:
    """As `decode`, but a key that stands twice in an object is refused (sections 3 and 4 of the contract)."""
    value = decode(body)
    # Each key has a colon, and of equal keys the decoder has kept one. The other colons stand in texts, where some may
    # have been written as escapes.
    plain = body.replace(b"\\\\", b"") if b"\\u003" in body else b""
    colons = body.count(b":") + plain.count(b"\\u003a") + plain.count(b"\\u003A")
    if colons != _colons(value):
        raise MalformedJson(f"{_named_twice(body)} stands twice in one object.", code="duplicate_key")
    return value


def _colons(value: Any) -> int:
    """How many a decoded value has: one for each key, and those in its texts."""
    found = 0
    items: Iterable[Any] = (value,)
    if type(value) is dict:
        found, items = len(value) + "".join(value).count(":"), value.values()
    elif type(value) is list:
        items = value
    for item in items:
        if type(item) is str:
            found += item.count(":")
        elif type(item) is dict or type(item) is list:
            found += _colons(item)
    return found


def _named_twice(body: bytes) -> str:
    """The key, where the body is short: to find it takes ten times as long as to read it, in one piece."""
    if len(body) > _LARGE:
        return "A key"
    twice: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        twice.extend(key for key, number in Counter(key for key, _ in pairs).items() if number > 1)

    json.loads(body, object_pairs_hook=look)
    return f"The key {twice[0][:64]!r}"


def split_array(body: bytes) -> list[str]:
    """The elements of a JSON array, each as its own text, as sent. `body` has passed `decode`."""
    return [str(raw, "utf-8").strip() for raw in _raw_list.decode(body)]


def _is_flat(value: Any, brackets: int) -> bool:
    """An array of objects with nothing inside them, as batches mostly are: then all brackets of the body are theirs."""
    return type(value) is list and brackets == len(value) + 1 and {dict}.issuperset(map(type, value))


def _check_depth(value: Any, levels: int) -> None:
    if type(value) is dict:
        if levels == 0:
            _too_deep()
        for item in value.values():
            if type(item) is dict or type(item) is list:
                _check_depth(item, levels - 1)
    elif type(value) is list:
        if levels == 0:
            _too_deep()
        for item in value:
            if type(item) is dict or type(item) is list:
                _check_depth(item, levels - 1)


def _too_deep() -> NoReturn:
    raise MalformedJson(f"The body is nested deeper than {MAX_DEPTH} levels.", code="too_deep") from None


def _check_values(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise MalformedJson("U+0000 cannot be stored.", code="nul_character")
    elif isinstance(value, int):
        if value not in _INT64:
            raise MalformedJson("An integer does not fit into 64 bits.", code="integer_too_large")
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_values(key)
            _check_values(item)
    elif isinstance(value, list):
        for item in value:
            _check_values(item)


def check_object(value: Any, field: str) -> dict[str, Any]:
    """A free-form object within its bound, {} for None. Raises Invalid naming the field."""
    if value is None:
        return {}
    if type(value) is not dict:
        raise Invalid(f"{field} must be an object.", errors={field: ["Must be an object."]})
    if len(encode(value)) > MAX_OBJECT_BYTES:
        raise Invalid(f"{field} is larger than 4 KiB.", errors={field: ["At most 4 KiB."]})
    return value
