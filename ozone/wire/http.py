"""One request and one reply of a device route, the same whichever door they came through."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

from django.http.request import split_domain_port, validate_host

from ozone.wire import address, jsonio
from ozone.wire.conf import options
from ozone.wire.errors import ApiError, BadHost

JSON_TYPE: Final = "application/json"
NO_STORE: Final[Mapping[str, str]] = {"Cache-Control": "no-store"}
LONGEST_HOST: Final = 253 + len(":65535")
"""Characters. What is longer is no host, and is not remembered either."""
NOSNIFF: Final = {"X-Content-Type-Options": "nosniff"}


@dataclass
class Request:
    """What a handler may know of a request.

    `headers` has lower-case names, several of one name joined by commas; `path` has no query string; `body` is
    already decompressed and within the limit; `received_at` is when the server had read it.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    peer: str
    scheme: str
    body: bytes
    received_at: datetime
    params: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def client(self) -> str:
        """The client's address, behind trusted proxies too; "" where there is none."""
        return address.client_address(self.peer, self.headers.get("x-forwarded-for"))

    @property
    def origin(self) -> str:
        """Scheme and host as the client wrote them: `https://host:port`."""
        return f"{public_scheme(self.scheme, self.peer, self.headers)}://{public_host(self.peer, self.headers)}"

    def bearer(self) -> str:
        """The token of `Authorization: Bearer …`; "" where there is none."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


class Reply:
    """A status, a body of bytes, and headers beyond the content type."""

    __slots__ = ("_raw_headers", "body", "content_type", "headers", "status")

    def __init__(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, content_type: str = JSON_TYPE
    ) -> None:
        self.status = status
        self.body = body
        self.headers = headers
        self.content_type = content_type
        self._raw_headers: list[tuple[bytes, bytes]] | None = None

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """As ASGI takes them; kept, because the commonest reply is one object for all."""
        if self._raw_headers is None:
            named = {"Content-Type": self.content_type, "Content-Length": str(len(self.body)), **NOSNIFF}
            named |= self.headers or {}
            self._raw_headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items()]
        return self._raw_headers

    @classmethod
    def json(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> "Reply":
        return cls(status, jsonio.encode(value), headers)

    @classmethod
    def of_error(cls, error: ApiError) -> "Reply":
        return cls(error.status, jsonio.encode(error.body()), error.headers)


def _forwarded(name: str, peer: str, headers: Mapping[str, str]) -> str:
    """The last value of a forwarded header, the one our own proxy wrote; "" from anybody we do not trust."""
    value = headers.get(name)
    if not value or not options().TRUSTED_PROXIES or not address.is_trusted(address.parse(peer)):
        return ""
    return value.rpartition(",")[2].strip()


def public_scheme(scheme: str, peer: str, headers: Mapping[str, str]) -> str:
    """`http` or `https`, as the client sees it."""
    forwarded = _forwarded("x-forwarded-proto", peer, headers).lower()
    return forwarded if forwarded in ("http", "https") else scheme


def public_host(peer: str, headers: Mapping[str, str]) -> str:
    """Host and port as the client wrote them."""
    return _forwarded("x-forwarded-host", peer, headers) or headers.get("host", "")


def is_public_url(text: str) -> bool:
    """Whether it may be PUBLIC_URL: http or https and a host, perhaps a path; no name or password, query, fragment."""
    try:
        parts = urlsplit(text)
        is_place = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        return False
    return (
        is_place
        and "@" not in parts.netloc
        and re.fullmatch(r"[!-~]+", text) is not None
        and not set(text) & set("?#\\")
    )


def public_url(path: str, here: str = "") -> str:
    """The address of `path`, empty or beginning with a slash, for who reads it outside: on a label, in a message.

    It lies under PUBLIC_URL; where that is empty under `here`, scheme and host as the request had them.
    """
    return f"{options().PUBLIC_URL.rstrip('/') or here}{path}"


@lru_cache(maxsize=1024)
def _allowed(host: str, allowed: tuple[str, ...]) -> bool:
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def check_host(host: str) -> None:
    """Raises BadHost unless `host` is one of ALLOWED_HOSTS (in development also the loopback names)."""
    allowed = options().ALLOWED_HOSTS
    if not allowed and options().DEBUG:
        allowed = (".localhost", "127.0.0.1", "[::1]")
    if len(host) > LONGEST_HOST or not _allowed(host, allowed):
        raise BadHost


def is_plain_http(scheme: str, peer: str, headers: Mapping[str, str]) -> bool:
    """Whether production must refuse this request: it, or the hop before our proxy, came without TLS."""
    return not options().DEBUG and not options().ALLOW_PLAIN_HTTP and public_scheme(scheme, peer, headers) != "https"


def is_from_this_machine(peer: str, headers: Mapping[str, str], scheme: str) -> bool:
    """Whether no other machine and no web page can have sent this (contract, *Development and production*).

    The peer and the Host are loopback, nothing was forwarded, and a browser, if it was one, was on a page of ours.
    """
    host = headers.get("host", "")
    domain, _ = split_domain_port(host)
    if not address.is_loopback(peer) or not (domain == "localhost" or address.is_loopback(domain.strip("[]"))):
        return False
    if any(name in ("forwarded", "x-real-ip", "via") or name.startswith("x-forwarded-") for name in headers):
        return False
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    return headers.get("origin") in (None, f"{scheme}://{host}")
