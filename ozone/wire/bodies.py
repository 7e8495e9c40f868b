"""Reading a body: size, gzip, content type. Everything here happens before a byte of it is parsed."""

import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from ozone.wire.conf import options
from ozone.wire.deadlines import deadlines
from ozone.wire.errors import ApiError, BadEncoding, BodyTimeout, BodyTooLarge, WrongContentType
from ozone.wire.waiting import waiting_bodies

Receive = Callable[[], Awaitable[Any]]

MAX_MEMBERS: Final = 32
"""How many members one gzip body may have: thousands of empty ones would cost a tenth of a second, in which no other
request is served."""
MAX_CHUNKS: Final = 4096
"""Of a body that comes in chunks: each costs the event loop a moment, also one of a single byte."""
_WITHOUT_BODY: Final = ("GET", "HEAD")
"""Without a word of it, these have none."""
READ_ON_BYTES: Final = 1024 * 1024
READ_ON_SECONDS: Final = 2.0


def check_length(headers: Mapping[str, str], limit: int | None = None) -> None:
    """Raises BodyTooLarge for a body that announces more than `limit` (BODY_LIMIT), before it is read."""
    length = headers.get("content-length", "")
    limit = options().BODY_LIMIT if limit is None else limit
    # Digits of other scripts are no length, and a number of thousands of digits is never computed.
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise BodyTooLarge(limit)


async def read_body(scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive, limit: int) -> bytes:
    """The whole body, within `limit` bytes and BODY_SECONDS; `headers` by lower-case name.

    Raises BodyTooLarge; BodyTimeout; Unavailable where too many others wait; BadEncoding where it ends too early, or
    comes in too many chunks.
    Chunks that are none end it, too, and that client listens.
    """
    announced = _announced(scope["method"], headers)
    if announced == 0:
        return b""
    most = MAX_CHUNKS if "transfer-encoding" in headers else None
    try:
        body: bytes = await deadlines().within(options().BODY_SECONDS, _read(receive, limit, most, announced))
        return body
    except TimeoutError:
        raise BodyTimeout from None
    except _Unread as unread:
        await read_on(scope, receive)
        raise unread.error from None


def _announced(method: str, headers: Mapping[str, str]) -> int | None:
    """How many bytes there will be; None where only the end tells."""
    if "transfer-encoding" in headers:
        return None
    length = headers.get("content-length")
    if length is None:
        return 0 if method in _WITHOUT_BODY else None
    return int(length) if length.isascii() and length.isdigit() else None


class _Unread(Exception):
    """A body is refused before all of it has come."""

    def __init__(self, error: ApiError) -> None:
        self.error = error


async def _read(receive: Receive, limit: int, most: int | None, announced: int | None) -> bytes:
    """`most`: in how many messages.

    Where all that is announced has come, the server is not asked whether there is more: that is another way to its
    thread and back, and most bodies come in one piece.
    """
    message = await receive()
    if message["type"] == "http.request":
        whole: bytes = message.get("body", b"")
        if len(whole) == announced or not message.get("more_body"):
            if len(whole) > limit:
                raise BodyTooLarge(limit)
            return whole
    chunks: list[bytes] = []
    size = 0
    with waiting_bodies.hold() as held:
        while message["type"] == "http.request":
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            try:
                if size > limit:
                    raise BodyTooLarge(limit)
                if most is not None and len(chunks) > most:
                    raise BadEncoding(f"A body may have {most:,} chunks.", code="too_many_chunks")
                held.add(len(chunk))
            except ApiError as error:
                raise (_Unread(error) if message.get("more_body") else error) from None
            chunks.append(chunk)
            if size == announced or not message.get("more_body"):
                return b"".join(chunks)
            message = await receive()
    raise BadEncoding("The body is cut short, or is not in chunks as its headers say.")


async def read_on(scope: Mapping[str, Any], receive: Receive) -> None:
    """Drops what is still coming of a body that is refused: for a while, and so much of it.

    A server that hangs up on who is still sending takes its own reply away from him: a proxy then says 502. Who asks
    before he sends (`Expect`) hears the refusal at once.
    """
    if any(name == b"expect" for name, _ in scope["headers"]):
        return
    with suppress(TimeoutError):
        await deadlines().within(READ_ON_SECONDS, _drop(receive))


async def _drop(receive: Receive) -> None:
    left = READ_ON_BYTES
    while left > 0:
        message = await receive()
        if not message.get("more_body"):
            return
        left -= max(len(message.get("body", b"")), READ_ON_BYTES // MAX_CHUNKS)


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
