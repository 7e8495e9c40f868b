"""Where messages come to: a real HTTP server and a real SMTP server on this machine, kind or not."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from bench.ports import free_port


@dataclass(frozen=True)
class Post:
    """One that came in: `headers` by lower-case name."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class HttpSink:
    """Keeps what is posted. The path says how it answers: `/ok`, `/status/503`, `/redirect`, `/hang`, `/drip` (a header
    a moment, for ever), `/huge` (a body without end)."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.arrived = threading.Event()
        self.ended = threading.Event()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.posts.append(Post(self.path, headers, body))
                sink.arrived.set()
                with suppress(OSError):  # whoever asked has gone
                    sink.answer(self)

            def log_message(self, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def answer(self, to: BaseHTTPRequestHandler) -> None:
        _, how, *more = to.path.partition("?")[0].split("/")
        if how == "hang":
            self.ended.wait(60)
            return
        to.send_response(int(more[0]) if how == "status" else 302 if how == "redirect" else 200)
        if how == "redirect":
            to.send_header("Location", self.url("/ok"))
        if how == "status":
            to.send_header("Retry-After", "7")
        if how == "drip":
            to.flush_headers()
            while not self.ended.wait(0.05):
                to.wfile.write(b"X-A: b\r\n")
        if how not in ("huge", "drip"):
            to.send_header("Content-Length", "0")
        to.end_headers()
        while how == "huge" and not self.ended.is_set():
            to.wfile.write(b"x" * 65536)

    def close(self) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()


def words_of(letter: EmailMessage) -> str:
    """Its plain text."""
    body = letter.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


class SmtpSink:
    """Keeps what is mailed. `refuses`: what it says to each message; `hangs`: it takes each, and says nothing."""

    def __init__(self, *, refuses: str = "", hangs: bool = False) -> None:
        self.letters: list[EmailMessage] = []
        self.refuses = refuses
        self.hangs = hangs
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        letter = message_from_bytes(content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        if self.hangs:
            await asyncio.sleep(60)
        return self.refuses or "250 OK"

    def close(self) -> None:
        if not self._controller.loop.is_closed():
            self._controller.stop(no_assert=True)


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    sink = HttpSink()
    try:
        yield sink
    finally:
        sink.close()


@contextmanager
def smtp_sink(**how: Any) -> Iterator[SmtpSink]:
    sink = SmtpSink(**how)
    try:
        yield sink
    finally:
        sink.close()


def until(is_so: Any, seconds: float = 20.0) -> None:
    """Waits until it is so; fails where it is not in time."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.02)
