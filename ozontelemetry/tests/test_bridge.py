"""Django behind the ASGI door: what it sees of a request, streams, clients that leave, bodies and their limits."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any

import pytest
from pytest_django import Settings

from ozone.wire.waiting import waiting_bodies
from ozontelemetry import uploads
from ozontelemetry.bridge import DjangoBridge

KIB = 1024
Message = dict[str, Any]


class Exchange:
    """One request to an ASGI application: the parts of its body in turn, then silence until the client leaves."""

    def __init__(self, path: str = "/page", method: str = "POST", headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.scope: Message = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"a=1&b=%20",
            "scheme": "http",
            "http_version": "1.1",
            "server": ("127.0.0.1", 8000),
            "client": ("203.0.113.9", 40000),
            "headers": [(b"host", b"testserver"), *headers],
        }
        self.parts: list[bytes] = [b""]
        self.ends = True
        self.left = asyncio.Event()
        self.sent: list[Message] = []

    async def receive(self) -> Message:
        if self.parts:
            body = self.parts.pop(0)
            return {"type": "http.request", "body": body, "more_body": bool(self.parts) or not self.ends}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


class Wsgi:
    """A WSGI application that remembers what it was given."""

    def __init__(self, reply: Callable[[], Iterable[bytes]] = lambda: [b"ok"]) -> None:
        self.seen: Message = {}
        self.read = b""
        self._reply = reply

    def __call__(self, environ: Message, start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.seen = environ
        self.read = environ["wsgi.input"].read()
        start_response("201 Created", [("X-Thing", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        return self._reply()


class Stream:
    """A reply that is made as it is sent, as Django's StreamingHttpResponse."""

    streaming = True

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.made = 0
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.made += 1
            yield chunk

    def close(self) -> None:
        self.closed.set()


def run(make: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    async def bounded() -> Any:
        return await asyncio.wait_for(make(), 10)

    return asyncio.run(bounded())


def exchanged(wsgi: Any, prepare: Callable[[Exchange], None] = lambda _: None, **request: Any) -> Exchange:
    async def exchange() -> Exchange:
        one = Exchange(**request)
        prepare(one)
        await DjangoBridge(wsgi)(one.scope, one.receive, one.send)
        return one

    found: Exchange = run(exchange)
    return found


class TestRequest:
    def test_what_django_sees(self) -> None:
        wsgi = Wsgi()
        one = exchanged(wsgi, path="/page/é", headers=[(b"content-type", b"text/plain"), (b"x-one", b"1")])
        assert (one.status, one.body) == (201, b"ok")
        assert [value for name, value in one.sent[0]["headers"] if name == b"set-cookie"] == [b"a=1", b"b=2"]
        expected = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/page/é".encode().decode("latin-1"),
            "QUERY_STRING": "a=1&b=%20",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "8000",
            "REMOTE_ADDR": "203.0.113.9",
            "HTTP_HOST": "testserver",
            "HTTP_X_ONE": "1",
            "CONTENT_TYPE": "text/plain",
            "CONTENT_LENGTH": "0",
            "wsgi.url_scheme": "http",
        }
        assert {name: wsgi.seen[name] for name in expected} == expected

    def test_a_header_with_an_underscore_passes_for_no_other(self) -> None:
        wsgi = Wsgi()
        exchanged(wsgi, headers=[(b"x_forwarded_for", b"127.0.0.1"), (b"remote_user", b"root"), (b"x-b", b"2")])
        assert wsgi.seen["HTTP_X_B"] == "2"
        assert "HTTP_X_FORWARDED_FOR" not in wsgi.seen
        assert "HTTP_REMOTE_USER" not in wsgi.seen

    def test_nor_beside_the_real_one(self) -> None:
        wsgi = Wsgi()
        exchanged(wsgi, headers=[(b"x-forwarded-for", b"1.1.1.1"), (b"x_forwarded_for", b"127.0.0.1")])
        assert wsgi.seen["HTTP_X_FORWARDED_FOR"] == "1.1.1.1"

    def test_several_of_one_name(self) -> None:
        wsgi = Wsgi()
        exchanged(wsgi, headers=[(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"2.2.2.2")])
        assert wsgi.seen["HTTP_X_FORWARDED_FOR"] == "1.1.1.1,2.2.2.2"

    def test_a_body_in_parts(self) -> None:
        def parts(one: Exchange) -> None:
            one.parts = [b"one ", b"", b"two"]

        wsgi = Wsgi()
        exchanged(wsgi, parts, headers=[(b"transfer-encoding", b"chunked")])
        assert (wsgi.read, wsgi.seen["CONTENT_LENGTH"]) == (b"one two", "7")

    def test_a_caller_without_an_address(self) -> None:
        def on_a_socket_file(one: Exchange) -> None:
            one.scope["client"] = one.scope["server"] = None

        wsgi = Wsgi()
        exchanged(wsgi, on_a_socket_file)
        assert wsgi.seen["REMOTE_ADDR"] == ""


class TestBody:
    @pytest.mark.parametrize(
        ("path", "limit"),
        [
            ("/api/x", 256 * KIB),
            ("/gateway/x", 256 * KIB),
            ("/device-tokens", 256 * KIB),
            ("/device-upload", 5 * KIB * KIB),
        ],
    )
    def test_its_limit(self, path: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(
            uploads._LARGER, "/device-upload", lambda headers: uploads.UPLOAD_LIMIT
        )  # somebody signed in

        def sized(size: int) -> Callable[[Exchange], None]:
            def prepare(one: Exchange) -> None:
                one.parts = [b"x" * (size // 2), b"x" * (size - size // 2)]

            return prepare

        wsgi = Wsgi()
        assert exchanged(wsgi, sized(limit), path=path).status == 201
        assert len(wsgi.read) == limit
        refused = exchanged(wsgi, sized(limit + 1), path=path)
        assert refused.status == 413
        assert b"body_too_large" in refused.body

    def test_a_stranger_uploads_nothing(self, db: None) -> None:
        """Nor does a cookie that somebody has made up."""

        def large(one: Exchange) -> None:
            one.parts = [b"x" * 300 * KIB]

        wsgi = Wsgi()
        for cookie in (b"", b"sessionid=" + b"a" * 32, b'sessionid="a'):
            assert exchanged(wsgi, large, path="/device-upload", headers=[(b"cookie", cookie)]).status == 413
        assert wsgi.seen == {}

    def test_one_bound_for_all_that_wait(self, settings: Settings) -> None:
        settings.WAITING_BODY_BYTES = 300 * KIB

        def large(one: Exchange) -> None:
            one.parts = [b"x" * 100 * KIB, b"x" * 100 * KIB]

        with waiting_bodies.hold() as others:
            assert exchanged(Wsgi(), large).status == 201
            others.add(150 * KIB)
            refused = exchanged(Wsgi(), large)
            assert (refused.status, b"too_many_bodies" in refused.body) == (503, True)
            assert b"retry-after" in refused.headers
        assert exchanged(Wsgi(), large).status == 201
        assert waiting_bodies.size == 0

    @pytest.mark.parametrize(("path", "kind"), [("/device-upload", "text/html"), ("/api/x", "application/json")])
    def test_too_large_a_form_in_a_browser_gets_a_page(self, path: str, kind: str) -> None:
        def large(one: Exchange) -> None:
            one.parts = [b"x" * 6 * KIB * KIB]

        one = exchanged(Wsgi(), large, path=path, headers=[(b"accept", b"text/html,*/*;q=0.8")])
        assert one.status == 413
        assert one.headers[b"content-type"].decode().partition(";")[0] == kind
        assert (b"<h1>That is too large</h1>" in one.body) == (kind == "text/html")
        assert b" KiB." in one.body

    def test_one_that_does_not_come(self, settings: Settings) -> None:
        settings.BODY_SECONDS = 0.2

        def slow(one: Exchange) -> None:
            one.parts, one.ends = [b"x"], False

        one = exchanged(Wsgi(), slow)
        assert one.status == 408
        assert one.headers[b"connection"] == b"close"
        assert b"body_timeout" in one.body

    def test_a_client_that_leaves_meanwhile(self) -> None:
        def leaves(one: Exchange) -> None:
            one.parts, one.ends = [b"x"], False
            one.left.set()

        wsgi = Wsgi()
        one = exchanged(wsgi, leaves)
        # Chunks that are none look the same from here, and that client does read the reply.
        assert one.status == 400
        assert b"bad_encoding" in one.body
        assert wsgi.seen == {}


class TestStream:
    def test_it_is_sent_as_it_is_made(self) -> None:
        """Never a chunk more in memory than the one the server is taking."""
        ahead: list[int] = []

        async def exchange() -> Exchange:
            one = Exchange()
            stream = Stream(iter([b"%d," % number for number in range(50)]))

            async def send(message: Message) -> None:
                await asyncio.sleep(0)
                one.sent.append(message)
                ahead.append(stream.made - (len(one.sent) - 1))

            await DjangoBridge(Wsgi(lambda: stream))(one.scope, one.receive, send)
            assert stream.closed.is_set()
            return one

        one = run(exchange)
        assert one.body == b"".join(b"%d," % number for number in range(50))
        assert [message.get("more_body", False) for message in one.sent[1:]] == [True] * 50 + [False]
        assert max(ahead) <= 0

    def test_a_client_that_leaves_ends_it(self) -> None:
        async def exchange() -> tuple[Exchange, Stream]:
            one = Exchange()

            def endless() -> Iterator[bytes]:
                while True:
                    yield b"x"

            stream = Stream(endless())

            async def send(message: Message) -> None:
                one.sent.append(message)
                if len(one.sent) == 3:
                    one.left.set()
                await asyncio.sleep(0.01)

            await DjangoBridge(Wsgi(lambda: stream))(one.scope, one.receive, send)
            return one, stream

        one, stream = run(exchange)
        assert stream.closed.is_set()
        assert len(one.sent) < 10

    @pytest.mark.parametrize("error", [OSError, RuntimeError])
    def test_a_connection_that_breaks_ends_it(self, error: type[Exception]) -> None:
        async def exchange() -> Stream:
            one = Exchange()
            stream = Stream(iter([b"x"] * 1000))

            async def send(message: Message) -> None:
                one.sent.append(message)
                if len(one.sent) == 3:
                    raise error

            await DjangoBridge(Wsgi(lambda: stream))(one.scope, one.receive, send)
            return stream

        stream = run(exchange)
        assert stream.closed.is_set()
        assert stream.made < 10

    def test_a_failure_in_it_cuts_it_short(self, caplog: pytest.LogCaptureFixture) -> None:
        def fails() -> Iterator[bytes]:
            yield b"one"
            raise ValueError

        stream = Stream(fails())
        one = exchanged(Wsgi(lambda: stream))
        assert one.body == b"one"
        assert one.sent[-1]["more_body"] is True  # never told that it is whole
        assert stream.closed.is_set()
        assert caplog.messages == ["a streamed reply failed"]

    def test_its_thread_is_free_again(self) -> None:
        """More clients leave their streams than there are threads, and the next is served."""

        async def exchange() -> int:
            bridge = DjangoBridge(Wsgi(lambda: Stream(iter(lambda: b"x", None))))
            for _ in range(10):
                one = Exchange()

                async def send(message: Message, one: Exchange = one) -> None:
                    one.sent.append(message)
                    one.left.set()
                    await asyncio.sleep(0.001)

                await bridge(one.scope, one.receive, send)
            whole = Exchange()
            bridge._wsgi = Wsgi()
            await bridge(whole.scope, whole.receive, whole.send)
            return whole.status

        assert run(exchange) == 201
