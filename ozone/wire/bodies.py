"""Reading a body: size, gzip, content type. Everything here happens before a byte of it is parsed."""

import zlib
from collections.abc import Mapping
from typing import Final

from ozone.wire.conf import options
from ozone.wire.errors import BadEncoding, BodyTooLarge, WrongContentType

MAX_MEMBERS: Final = 32
"""How many members one gzip body may have: thousands of empty ones would cost a tenth of a second, in which no other
request is served."""


def check_length(headers: Mapping[str, str], limit: int | None = None) -> None:
    """Raises BodyTooLarge for a body that announces more than `limit` (BODY_LIMIT), before it is read."""
    length = headers.get("content-length", "")
    limit = options().BODY_LIMIT if limit is None else limit
    # Digits of other scripts are no length, and a number of thousands of digits is never computed.
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise BodyTooLarge(limit)


def decompress(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body without its Content-Encoding (gzip or none); a bomb costs no more than the limit.

    Raises BadEncoding, BodyTooLarge, and WrongContentType for an encoding we do not read.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    if not encoding or encoding == "identity":
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise WrongContentType("Content-Encoding may be gzip.", code="wrong_content_encoding")
    limit = options().BODY_LIMIT
    plain = b""
    rest = body
    try:
        members = 0
        while rest:  # a gzip file may have several members
            members += 1
            if members > MAX_MEMBERS:
                raise BadEncoding(f"A gzip body may have {MAX_MEMBERS} members.")
            member = zlib.decompressobj(wbits=31)
            plain += member.decompress(rest, limit + 1 - len(plain))
            if len(plain) > limit:
                raise BodyTooLarge(limit)
            if not member.eof:
                raise BadEncoding("The gzip body is cut short.")
            rest = member.unused_data
    except zlib.error:
        raise BadEncoding("The body is not valid gzip.") from None
    return plain


def require_json(body: bytes, headers: Mapping[str, str]) -> None:
    """Raises WrongContentType for a body that calls itself something else than JSON.

    One that says nothing is taken for it: it is the route's own type (contract, section 0).
    """
    kind, _, parameters = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if not kind and not parameters:
        return
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        charset = parameters.lower().partition("charset=")[2].partition(";")[0].strip(' "')
        if charset in ("", "utf-8", "utf8", "us-ascii"):
            return
    elif not body:
        return
    raise WrongContentType
