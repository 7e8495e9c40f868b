"""Webhooks as *Standard Webhooks* has them: three headers, and a signature over id, time and body."""

import base64
import hashlib
import hmac
import http.client
import socket
import ssl
from functools import cache
from time import monotonic, time
from typing import Final
from urllib.parse import SplitResult, urlsplit

from alerts.carriers.outgoing import Outcome, Outgoing
from alerts.carriers.outward import Late, NotAllowed, connect, ended_at, left

SECRET_PREFIX: Final = "whsec_"  # noqa: S105
SECRET_BYTES: Final = 24
SECONDS: Final = 10.0
"""For all of it: the name, the connection, the question and the answer."""
MOST_READ: Final = 4096
"""Bytes of an answer's body. What it says interests nobody."""
LONGEST_WAIT: Final = 3600.0
"""Seconds of a Retry-After that are believed."""


def signature(secret: bytes, message: str, timestamp: int, body: bytes) -> str:
    """`v1,<Base64>` of the HMAC-SHA256 over `<id>.<timestamp>.<body>`."""
    signed = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()


def shown_secret(secret: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def send(message: Outgoing) -> Outcome:
    """One POST. A redirect is an answer like any other that is not 2xx."""
    url, timestamp = urlsplit(message.target), int(time())
    headers = {
        "Host": url.netloc,
        "Content-Type": "application/json",
        "Content-Length": str(len(message.body)),
        "User-Agent": "ozone-telemetry",
        "Connection": "close",
        "webhook-id": message.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(message.secret, message.id, timestamp, message.body),
    }
    is_asked = False
    try:
        until = monotonic() + SECONDS
        connection = _connected(url, until)
        try:
            with ended_at(until, connection.sock):
                is_asked = True
                connection.request("POST", _path(url), message.body, headers)
                answer = connection.getresponse()
                answer.read(MOST_READ)
            left(until)  # what was shut in the midst of an answer looks like its end
        finally:
            connection.close()
    except NotAllowed as error:
        return Outcome(False, error=str(error))
    except Late:
        return Outcome(False, error=_too_slow(), is_unknown=is_asked)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        is_late = monotonic() >= until
        return Outcome(False, error=_too_slow() if is_late else said(error), is_unknown=is_asked)
    return _judged(answer)


def _judged(answer: http.client.HTTPResponse) -> Outcome:
    code = answer.status
    if 200 <= code < 300:
        return Outcome(True, code)
    if 300 <= code < 400:
        return Outcome(False, code, f"It answered {code}: redirects are not followed.")
    wait = answer.getheader("Retry-After", "")
    seconds = min(float(wait), LONGEST_WAIT) if wait.isascii() and wait.isdigit() and len(wait) < 9 else 0.0
    return Outcome(False, code, f"It answered {code}.", retry_after=seconds, is_gone=code == http.HTTPStatus.GONE)


def _path(url: SplitResult) -> str:
    return (url.path or "/") + (f"?{url.query}" if url.query else "")


def _connected(url: SplitResult, until: float) -> http.client.HTTPConnection:
    """With a socket of ours: the library neither resolves nor connects. Raises as outward.connect."""
    host, is_tls = url.hostname or "", url.scheme == "https"
    port = url.port or (443 if is_tls else 80)
    bare = connect(host, port, until)
    try:
        bare.settimeout(left(until))
        link = _encrypted(bare, host, until) if is_tls else bare
    except BaseException:
        bare.close()
        raise
    connection = http.client.HTTPConnection(host, port)
    connection.auto_open = 0
    connection.sock = link
    return connection


def _encrypted(bare: socket.socket, host: str, until: float) -> ssl.SSLSocket:
    link = _tls().wrap_socket(bare, server_hostname=host, do_handshake_on_connect=False)
    try:
        with ended_at(until, link):
            link.do_handshake()
    except BaseException:
        link.close()
        raise
    return link


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _too_slow() -> str:
    return f"It did not answer within {SECONDS:.0f} s."


def said(error: BaseException) -> str:
    """A failure in words, short."""
    return f"{type(error).__name__}: {error}"[:300]
