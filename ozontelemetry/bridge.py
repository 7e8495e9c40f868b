"""Django behind an ASGI server: its WSGI handler in a few threads that live as long as the process.

Threads that live keep their database connections. Against Django's own ASGI handler this answers five to ten times
the requests, and a long streamed reply holds one chunk in memory (docs/decisions/0002).
"""

import asyncio
import io
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final
from urllib.parse import quote

from device_gateway.gate import ClientLeft, read_body
from ozone.wire.conf import options
from ozone.wire.deadlines import deadlines
from ozone.wire.errors import ApiError, BodyTimeout
from ozone.wire.heads import fold_headers
from ozone.wire.http import Reply
from ozontelemetry.openapi.shapes import error_reply, is_api

logger = logging.getLogger("ozontelemetry")

THREADS: Final = 8
UPLOAD_LIMIT: Final = 5 * 1024 * 1024
"""Bytes of a form on a page, as a CSV of devices; the API has BODY_LIMIT."""
SEND_SECONDS: Final = 30.0
"""How long one chunk may wait for a slow reader before its thread is wanted back."""

Scope = MutableMapping[str, Any]


class DjangoBridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]]) -> None:
        self._wsgi = wsgi
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="django")

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        try:
            target = len(scope["method"]) + len(scope["path"]) + len(scope.get("query_string", b""))
            headers = fold_headers(scope["headers"], target)
            body = await _read(scope, receive)
        except ApiError as error:
            accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
            await _send_reply(send, error_reply(error, scope["path"], accept[:1024].decode("latin-1")))
            return
        loop = asyncio.get_running_loop()
        left = asyncio.Event()
        watching = loop.create_task(_watch(receive, left))

        async def deliver(message: dict[str, Any]) -> None:
            await send(message)  # a server may return any awaitable, and the call below wants a coroutine

        def send_now(message: dict[str, Any]) -> None:
            """From the thread: waits until the server has taken the chunk. Raises ClientLeft when nobody reads."""
            if left.is_set():
                raise ClientLeft
            try:
                asyncio.run_coroutine_threadsafe(deliver(message), loop).result(SEND_SECONDS)
            except (TimeoutError, OSError, RuntimeError):
                raise ClientLeft from None

        try:
            whole = await loop.run_in_executor(self._threads, self._run, _environ(scope, headers, body), send_now)
            if whole is not None:
                start, content = whole
                await send(start)
                await send({"type": "http.response.body", "body": content})
        finally:
            watching.cancel()

    def _run(
        self, environ: dict[str, Any], send_now: Callable[[dict[str, Any]], None]
    ) -> tuple[dict[str, Any], bytes] | None:
        """In a thread: the reply's start and body; None when it was a stream and has been sent."""
        start: dict[str, Any] = {"type": "http.response.start"}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            start["status"] = int(status[:3])
            start["headers"] = [
                (name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers
            ]

        response = self._wsgi(environ, start_response)
        try:
            if not getattr(response, "streaming", False):
                return start, b"".join(response)
            send_now(start)
            for chunk in response:
                send_now({"type": "http.response.body", "body": chunk, "more_body": True})
            send_now({"type": "http.response.body", "body": b""})
        except ClientLeft:
            pass
        except Exception:
            # The status has gone out already; all that is left is to cut the reply short.
            logger.exception("a streamed reply failed: %s", environ["PATH_INFO"])
        finally:
            if hasattr(response, "close"):
                response.close()
        return None


async def _read(scope: Scope, receive: Callable[[], Awaitable[Any]]) -> bytes:
    limit = options().BODY_LIMIT if is_api(scope["path"]) else UPLOAD_LIMIT
    try:
        body: bytes = await deadlines().within(options().BODY_SECONDS, read_body(receive, limit))
        return body
    except TimeoutError:
        raise BodyTimeout from None


async def _watch(receive: Callable[[], Awaitable[Any]], left: asyncio.Event) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    left.set()


async def _send_reply(send: Callable[[Any], Awaitable[None]], reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.raw_headers()})
    await send({"type": "http.response.body", "body": reply.body})


def _environ(scope: Scope, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """A WSGI environment (PEP 3333) of an ASGI scope."""
    host, port = scope.get("server") or ("", 0)
    client = scope.get("client")
    environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode().decode("latin-1"),
        "RAW_URI": quote(scope["path"]),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope.get('http_version', '1.1')}",
        "SERVER_NAME": host or "localhost",
        "SERVER_PORT": str(port or 80),
        "REMOTE_ADDR": client[0] if client else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        if "_" in name:
            continue  # X_Forwarded_For would pass for X-Forwarded-For
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ
