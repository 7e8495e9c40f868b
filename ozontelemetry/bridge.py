"""Django behind an ASGI server: its WSGI handler in a few threads that live as long as the process.

Threads that live keep their database connections. Against Django's own ASGI handler this answers five to ten times
the requests, and a long streamed reply holds one chunk in memory (docs/decisions/0002).

No thread waits for a client: bodies are read and replies are sent by the event loop, a stream's next chunk is asked
for when the one before has been taken. Heavy reads have threads of their own.
"""

import asyncio
import io
import logging
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any, Final, cast
from urllib.parse import quote

from django.db import DEFAULT_DB_ALIAS, connections

from ozone.webapi.heavy import has_marked_path
from ozone.wire.bodies import check_length, read_body, read_on
from ozone.wire.conf import options
from ozone.wire.errors import ApiError
from ozone.wire.heads import fold_headers
from ozone.wire.http import Reply
from ozone.wire.waiting import waiting_bodies
from ozone.wire.work import Work, computing
from ozontelemetry.callers import Callers, caller_of
from ozontelemetry.openapi.shapes import error_reply
from ozontelemetry.sending import SlowReader, sender
from ozontelemetry.uploads import body_limit

logger = logging.getLogger("ozontelemetry")

THREADS: Final = 8
HEAVY_THREADS: Final = 24
"""Most of them wait for a place (ozone.webapi.heavy), and each holds a connection to the database while it does."""
HASHING_THREADS: Final = 2
"""Who signs in waits for those who do so at the same time, and nobody else does."""
STOP_AGAIN_SECONDS: Final = 0.25
CANCEL_SECONDS: Final = 1.0
SAFE: Final = ("GET", "HEAD")
"""What nobody waits for any more is dropped; another method's work is done all the same."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


class DjangoBridge:
    """An ASGI application around a WSGI one."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]]) -> None:
        self._wsgi = wsgi
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="django")
        self._heavy_threads = ThreadPoolExecutor(HEAVY_THREADS, thread_name_prefix="heavy")
        self._hashing_threads = ThreadPoolExecutor(HASHING_THREADS, "hashing", initializer=_be_nice)
        self._callers = Callers()
        self._speaks_for_many = has_marked_path("speaks_for_many")
        self._is_heavy, self._is_hashing = has_marked_path("is_heavy"), has_marked_path("is_hashing")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        threads = self._threads_for(scope)
        work = Work(is_dropped=scope["method"] in SAFE)
        try:
            headers, limit = await self._judge(scope, receive)
            body = await read_body(scope, headers, receive, limit)
            with waiting_bodies.hold() as held:
                held.add(len(body))
                watching = asyncio.create_task(_watch(receive, work))
                environ = _environ(scope, headers, body)
                del body
                try:
                    reply = await self._reply(threads, work, environ, headers)
                except BaseException:
                    watching.cancel()
                    raise
        except ApiError as error:
            accept = next((value for name, value in scope["headers"] if name == b"accept"), b"")
            await _send_reply(send, error_reply(error, scope["path"], accept[:1024].decode("latin-1")))
            return
        try:
            if reply is not None and not work.has_left:
                await _send(send, reply, threads, work)
        finally:
            watching.cancel()
            if reply is not None and reply.body is None:
                await _in(threads, work, reply.close, even_if_left=True)

    async def _reply(
        self, threads: Executor, work: Work, environ: dict[str, Any], headers: dict[str, str]
    ) -> "_Reply | None":
        if threads is not self._threads or self._speaks_for_many(environ["PATH_INFO"]):
            return cast("_Reply | None", await _in(threads, work, self._answer, environ))
        async with self._callers.one(caller_of(headers, environ["REMOTE_ADDR"])):
            return cast("_Reply | None", await _in(threads, work, self._answer, environ))

    def _threads_for(self, scope: Scope) -> Executor:
        if self._is_heavy(scope["path"]):
            return self._heavy_threads
        if scope["method"] == "POST" and self._is_hashing(scope["path"]):
            return self._hashing_threads
        return self._threads

    async def _judge(self, scope: Scope, receive: Receive) -> tuple[dict[str, str], int]:
        """The headers, and how long the body may be."""
        target = len(scope["method"]) + len(scope["path"]) + len(scope.get("query_string", b""))
        try:
            headers = fold_headers(scope["headers"], target)
            limit = options().BODY_LIMIT
            if scope["method"] not in SAFE and (larger := body_limit(scope["path"])) is not None:
                limit = await _in(self._threads, Work(), partial(larger, headers))
            check_length(headers, limit)
        except ApiError:
            await read_on(scope, receive)
            raise
        return headers, limit

    def _answer(self, environ: dict[str, Any]) -> "_Reply":
        """In a thread."""
        reply = _Reply()
        reply.take(self._wsgi(environ, reply.start))
        return reply


class _Reply:
    """What Django answers: `body` whole, or `chunks` where it is a stream."""

    def __init__(self) -> None:
        self.head: dict[str, Any] = {"type": "http.response.start"}
        self.body: bytes | None = None
        self.close: Callable[[], None] = lambda: None

    def start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
        self.head["status"] = int(status[:3])
        self.head["headers"] = [
            (name.lower().encode("latin-1"), value.strip().encode("latin-1")) for name, value in headers
        ]

    def take(self, response: Iterable[bytes]) -> None:
        self.close = getattr(response, "close", self.close)
        if getattr(response, "streaming", False):
            self._chunks = iter(response)
            return
        try:
            self.body = b"".join(response)
        finally:
            self.close()

    def next_chunk(self) -> bytes | None:
        """In a thread; None at its end."""
        return next(self._chunks, None)


def _be_nice() -> None:
    """A thread that hashes passwords lets those that answer go first, and yields no more than that to other programs.
    Linux knows this of single threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 3)


async def _in(
    threads: Executor, work: Work, do: Callable[..., Any], *arguments: Any, even_if_left: bool = False
) -> Any:
    """The result of `do` in a thread; None where the client has left before its turn came."""

    def run() -> Any:
        if work.is_off and not even_if_left:
            return None
        with computing, work.in_this_thread(partial(_interrupt, connections[DEFAULT_DB_ALIAS])):
            return do(*arguments)

    return await asyncio.get_running_loop().run_in_executor(threads, run)


def _interrupt(connection: Any) -> None:
    """Ends the statement that a thread is at. PostgreSQL is asked over a connection of its own; until it has heard,
    the thread gets no other work (Work), and to a connection without a statement it does nothing."""
    open_one = connection.connection
    if hasattr(open_one, "interrupt"):
        open_one.interrupt()
    elif hasattr(open_one, "cancel_safe"):
        try:
            open_one.cancel_safe(timeout=CANCEL_SECONDS)
        except Exception as error:  # it is asked again, and the statement may end by itself
            logger.info("a statement that nobody waits for could not be cancelled: %s", error)


async def _send(send: Send, reply: _Reply, threads: Executor, work: Work) -> None:
    try:
        if reply.body is not None:
            await sender.send_whole(send, reply.head, reply.body)
            return
        await sender.take(send, reply.head)
        while not work.has_left and (chunk := await _in(threads, work, reply.next_chunk)) is not None:
            await sender.take(send, {"type": "http.response.body", "body": chunk, "more_body": True})
        if not work.has_left:
            await sender.take(send, {"type": "http.response.body", "body": b""})
    except (SlowReader, OSError, RuntimeError):
        pass  # nobody reads it
    except Exception:
        # The status has gone out already; all that is left is to cut the reply short.
        if not work.has_left:  # else it failed because nobody waits: its statement was ended
            logger.exception("a streamed reply failed")


async def _watch(receive: Receive, work: Work) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    work.has_left = True
    while work.is_off:  # a statement may just have been about to begin
        await asyncio.get_running_loop().run_in_executor(_stopping(), work.stop)
        await asyncio.sleep(STOP_AGAIN_SECONDS)


@lru_cache(maxsize=1)
def _stopping() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="stopping")


async def _send_reply(send: Send, reply: Reply) -> None:
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
