"""The connection of one simulated device: HTTP/1.1 over asyncio streams, kept alive, one request at a time.

A general client spends more on one request than the server does, so the numbers it gives would be its own. This one
does only what the sketch's HTTPClient does: send bytes, read a reply with a Content-Length, reconnect when it must.
"""

from __future__ import annotations

import asyncio
import ipaddress
import random
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

MAX_REPLY_BYTES = 1024 * 1024
FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0


class NoAnswer(Exception):
    """No whole reply came. `sent` tells whether the server may nevertheless have got the request."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class BadReply(Exception):
    """The bytes that came are not a reply this client can read."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the server is: the parts of `--url`. `prefix` is its path without a closing slash, often empty."""

    host: str
    port: int
    prefix: str
    tls: ssl.SSLContext | None

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `http[s]://host[:port][/prefix]`. Raises ValueError with a sentence for anything else."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not an address such as http://127.0.0.1:8000.")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ValueError("The address may hold a host, a port and a path, nothing else (no user, no query).")
        tls = ssl.create_default_context() if parts.scheme == "https" else None
        return cls(parts.hostname, parts.port or (443 if tls else 80), parts.path.rstrip("/"), tls)

    @property
    def is_loopback(self) -> bool:
        """True for 127.0.0.0/8, ::1 and localhost: this machine, by its name alone (nothing is resolved)."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def origin(self) -> str:
        """`scheme://host:port`."""
        return f"{'https' if self.tls else 'http'}://{self.authority}"

    @property
    def authority(self) -> str:
        """`host:port` for the Host header; an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def post(self, path: str, body: bytes, *, bearer: str) -> bytes:
        """The bytes of one POST of JSON, to be sent (and sent again) as they are. `bearer` "": no such header."""
        return (
            self._head("POST", path, bearer)
            + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )

    def get(self, path: str, *, bearer: str) -> bytes:
        """The bytes of one GET."""
        return self._head("GET", path, bearer) + b"\r\n"

    def _head(self, method: str, path: str, bearer: str) -> bytes:
        authorization = f"Authorization: Bearer {bearer}\r\n" if bearer else ""
        return f"{method} {self.prefix}{path} HTTP/1.1\r\nHost: {self.authority}\r\n{authorization}".encode("ascii")


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply read to its end. Header names are in lower case; of repeated ones the last is kept."""

    status: int
    headers: dict[str, str]
    body: bytes


class Connection:
    """One TCP (or TLS) connection, opened when first needed and again after it was lost."""

    def __init__(self, endpoint: Endpoint, *, timeout: float) -> None:
        """`timeout`: seconds for a whole exchange, connecting included, as the firmware counts them."""
        self._endpoint = endpoint
        self._timeout = timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def exchange(self, request: bytes) -> Reply:
        """Send the bytes and return the reply. Raises NoAnswer; the connection is then closed."""
        sent = False
        try:
            async with asyncio.timeout(self._timeout):
                reader, writer = await self._open()
                sent = True
                writer.write(request)
                await writer.drain()
                reply, keep = await _read_reply(reader)
        except TimeoutError:
            self.close()
            raise NoAnswer(f"no reply within {self._timeout:g} s", sent=sent) from None
        except (OSError, EOFError, asyncio.LimitOverrunError, BadReply) as error:
            self.close()
            raise NoAnswer(str(error) or type(error).__name__, sent=sent) from error
        if not keep:
            self.close()
        return reply

    async def send_and_hang_up(self, data: bytes) -> None:
        """Send bytes, a whole request or a part of one, and drop the connection without reading. Raises NoAnswer."""
        try:
            async with asyncio.timeout(self._timeout):
                _, writer = await self._open()
                writer.write(data)
                await writer.drain()
        except (TimeoutError, OSError) as error:
            raise NoAnswer(str(error) or type(error).__name__, sent=False) from error
        finally:
            self.close()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is not None:
            reader, _ = self._streams
            # A server may end an idle connection; seen before anything is sent, that is no lost reply.
            if not reader.at_eof() and reader.exception() is None:
                return self._streams
            self.close()
        self._streams = await asyncio.open_connection(
            self._endpoint.host, self._endpoint.port, ssl=self._endpoint.tls, limit=MAX_REPLY_BYTES
        )
        return self._streams

    def close(self) -> None:
        """Drop the connection at once: bytes not yet sent are not sent any more."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


async def _read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """The next final reply, and whether the connection may be used again. Raises BadReply, EOFError, OSError."""
    status = 100
    while status < 200:  # interim replies (100, 103) say nothing to a device
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
        version, _, rest = status_line.partition(" ")
        if version not in ("HTTP/1.1", "HTTP/1.0") or not (rest[:3].isdecimal() and rest[3:4] in ("", " ")):
            raise BadReply(f"not an HTTP reply: {status_line[:80]!r}")
        status = int(rest[:3])
        headers = {}
        for line in lines:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadReply(f"not a header: {line[:80]!r}")
            headers[name.lower()] = value.strip()
    keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    length = headers.get("content-length")
    if status in (204, 304):
        body = b""
    elif "transfer-encoding" in headers:
        raise BadReply("the reply is chunked; a device reads replies with a Content-Length")
    elif length is None:
        keep = False
        body = await reader.read(MAX_REPLY_BYTES)
    elif not length.isdecimal() or int(length) > MAX_REPLY_BYTES:
        raise BadReply(f"Content-Length {length[:20]!r} is not a size a device can take")
    else:
        body = await reader.readexactly(int(length))
    return Reply(status, headers, body), keep


def retry_delay(attempt: int, retry_after: str | None = None) -> float:
    """Seconds to wait before try `attempt` + 1 (`attempt` counts from 1).

    The server's `Retry-After` in seconds is obeyed; without one the delay doubles from 0.5 s to 8 s, ±20 % so that a
    fleet that failed together does not come back together.
    """
    if retry_after is not None and retry_after.isdecimal():
        return max(0.1, float(retry_after))
    return min(LONGEST_DELAY, FIRST_DELAY * 2.0 ** min(attempt - 1, 10)) * random.uniform(0.8, 1.2)
