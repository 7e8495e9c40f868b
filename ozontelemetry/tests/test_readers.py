"""Clients that do not read, and clients that leave: neither holds a thread, memory or the database for long."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection

from ozone.webapi.heavy import has_marked_path
from ozone.wire.work import stop_if_left
from ozontelemetry import sending
from ozontelemetry.bridge import THREADS, DjangoBridge
from ozontelemetry.callers import AT_ONCE
from ozontelemetry.static import StaticFiles
from ozontelemetry.tests.test_bridge import KIB, Exchange, Message, Stream, Wsgi, run

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


class TestReaders:
    """Nobody's reading is waited for without an end, and no thread waits for any."""

    def test_one_that_does_not_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending, "SECONDS", 0.2)

        async def exchange() -> tuple[Exchange, int]:
            bridge = DjangoBridge(Wsgi(lambda: [b"x" * 300 * KIB]))
            one = Exchange()

            async def send(message: Message) -> None:
                one.sent.append(message)
                if message["type"] == "http.response.body":
                    await asyncio.sleep(60)

            await bridge(one.scope, one.receive, send)
            return one, sending.sender._size

        one, size = run(exchange)
        assert one.sent[-1]["more_body"] is True  # cut short
        assert size == 0

    def test_more_of_them_than_threads_hold_up_nobody(self) -> None:
        async def exchange() -> int:
            bridge = DjangoBridge(Wsgi(lambda: Stream(iter(lambda: b"x", None))))

            async def never(message: Message) -> None:
                await asyncio.sleep(60)

            readers = []
            for _ in range(40):
                one = Exchange()
                readers.append(asyncio.create_task(bridge(one.scope, one.receive, never)))
            await asyncio.sleep(0.1)
            whole = Exchange()
            bridge._wsgi = Wsgi()
            await bridge(whole.scope, whole.receive, whole.send)
            for reader in readers:
                reader.cancel()
            return whole.status

        assert run(exchange) == 201

    @pytest.mark.parametrize(("path", "method"), [("/api/stats/", "GET"), ("/api/auth/login/", "POST")])
    def test_nor_do_those_who_read_much_or_sign_in(self, path: str, method: str) -> None:
        """More of them than threads, each at work or waiting for a place: a page is answered beside them."""
        gate = threading.Event()

        def answer(environ: Message, start_response: Callable[..., Any]) -> list[bytes]:
            if environ["PATH_INFO"] == path:
                assert gate.wait(20)
            start_response("200 OK", [])
            return [b"ok"]

        async def exchange() -> list[int]:
            bridge = DjangoBridge(answer)
            slow = [Exchange(path=path, method=method) for _ in range(THREADS + 4)]
            waiting = [asyncio.create_task(bridge(one.scope, one.receive, one.send)) for one in slow]
            await asyncio.sleep(0.1)
            try:
                page = Exchange(method="GET")
                await asyncio.wait_for(bridge(page.scope, page.receive, page.send), 5)
            finally:
                gate.set()
            await asyncio.gather(*waiting)
            return [page.status, *{one.status for one in slow}]

        assert run(exchange) == [200, 200]

    @pytest.mark.parametrize(
        ("path", "most"), [("/devices", AT_ONCE), ("/api/internal/stations/data", THREADS)], ids=["a page", "stations"]
    )
    def test_nor_does_one_caller_with_many_requests(self, path: str, most: int) -> None:
        """Half of the threads are another's; who speaks for thousands of stations has all of them."""
        gate, under_way = threading.Event(), []

        def answer(environ: Message, start_response: Callable[..., Any]) -> list[bytes]:
            if environ["PATH_INFO"] == path:
                under_way.append(environ)
                assert gate.wait(20)
            start_response("200 OK", [])
            return [b"ok"]

        async def exchange() -> list[int]:
            bridge = DjangoBridge(answer)
            many = [
                Exchange(path=path, headers=[(b"cookie", b"sessionid=one; a=%d" % number)])
                for number in range(2 * THREADS)
            ]
            waiting = [asyncio.create_task(bridge(one.scope, one.receive, one.send)) for one in many]
            await asyncio.sleep(0.2)
            seen = len(under_way)
            if most < THREADS:
                other = Exchange(headers=[(b"cookie", b"sessionid=another")])
                await asyncio.wait_for(bridge(other.scope, other.receive, other.send), 5)
            gate.set()
            await asyncio.gather(*waiting)
            return [seen, len(under_way), *{one.status for one in many}]

        assert run(exchange) == [most, 2 * THREADS, 200]

    def test_past_the_bound_the_one_that_has_waited_longest_is_dropped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sending, "UNREAD_BYTES", 500 * KIB)

        async def exchange() -> list[bool]:
            bridge = DjangoBridge(Wsgi(lambda: [b"x" * 200 * KIB]))

            async def slowly(message: Message) -> None:
                await asyncio.sleep(60)

            async def reads(one: Exchange) -> None:
                async def send(message: Message) -> None:
                    if message["type"] == "http.response.body":
                        await asyncio.sleep(60)

                await bridge(one.scope, one.receive, send)

            readers = []
            for _ in range(3):
                readers.append(asyncio.create_task(reads(Exchange())))
                await asyncio.sleep(0.1)
            done = [reader.done() for reader in readers]
            for reader in readers:
                reader.cancel()
            return done

        assert run(exchange) == [True, False, False]


class TestWorkThatNobodyWaitsFor:
    def leaving(self, method: str, work: Callable[[], bytes]) -> Exchange:
        async def exchange() -> Exchange:
            one = Exchange(method=method)
            asyncio.get_running_loop().call_later(0.1, one.left.set)
            await DjangoBridge(Wsgi(lambda: [work()]))(one.scope, one.receive, one.send)
            return one

        found: Exchange = run(exchange)
        return found

    def test_a_statement_is_ended(self, transactional_db: None) -> None:
        def endless() -> bytes:
            try:
                with connection.cursor() as cursor:
                    cursor.execute(ENDLESS)
            finally:
                connection.close()  # of a thread that outlives this test
            return b"never"

        with pytest.raises(OperationalError, match=r"interrupted|canceling statement"):
            self.leaving("GET", endless)

    def test_nor_is_a_stream_said_to_fail(self, transactional_db: None, caplog: pytest.LogCaptureFixture) -> None:
        def endless() -> Iterator[bytes]:
            yield b"begun"
            try:
                with connection.cursor() as cursor:
                    cursor.execute(ENDLESS)
                yield b"never"
            finally:
                connection.close()

        stream = Stream(endless())

        async def exchange() -> Exchange:
            one = Exchange(method="GET")

            async def send(message: Message) -> None:
                await one.send(message)
                if message.get("body"):
                    asyncio.get_running_loop().call_later(0.1, one.left.set)

            await DjangoBridge(Wsgi(lambda: stream))(one.scope, one.receive, send)
            return one

        assert [message.get("body") for message in run(exchange).sent] == [None, b"begun"]
        assert (stream.made, stream.closed.is_set(), caplog.messages) == (1, True, [])

    def test_code_between_statements_asks(self) -> None:
        def endless() -> bytes:
            while True:
                stop_if_left()
                time.sleep(0.01)

        assert self.leaving("GET", endless).status == 503

    def test_what_changes_something_is_done_all_the_same(self) -> None:
        done = []

        def work() -> bytes:
            time.sleep(0.3)
            stop_if_left()
            done.append(1)
            return b""

        self.leaving("POST", work)
        assert done == [1]


class TestStaticFiles:
    PATH = "/static/pages/pages.css"

    def asked(self, path: str, method: str = "GET", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Exchange:
        async def exchange() -> Exchange:
            async def otherwise(*_: Any) -> None:
                one.sent.append({"status": 404})

            one = Exchange(path=path, method=method, headers=headers)
            await StaticFiles(otherwise)(one.scope, one.receive, one.send)
            return one

        found: Exchange = run(exchange)
        return found

    def test_a_file(self) -> None:
        one = self.asked(self.PATH)
        assert (one.status, one.headers[b"content-type"]) == (200, b'text/css; charset="utf-8"')
        assert one.headers[b"x-content-type-options"] == b"nosniff"
        assert len(one.body) == int(one.headers[b"content-length"]) > 1000
        assert self.asked(self.PATH, "HEAD").body == b""

    def test_one_that_is_there_already(self) -> None:
        tag = self.asked(self.PATH).headers[b"etag"]
        one = self.asked(self.PATH, headers=((b"if-none-match", tag),))
        assert (one.status, one.body) == (304, b"")

    def test_a_part(self) -> None:
        one = self.asked(self.PATH, headers=((b"range", b"bytes=10-19"),))
        assert (one.status, len(one.body)) == (206, 10)
        assert self.asked(self.PATH, headers=((b"range", b"bytes=" + b"9" * 5000 + b"-"),)).status in (200, 416)

    @pytest.mark.parametrize(
        "path", ["/static/none.css", "/static/../manage.py", "/static/\0", "/static/" + "a" * 9000, "/"]
    )
    def test_what_is_no_file(self, path: str) -> None:
        assert self.asked(path).status == 404

    def test_wrong_host_and_method(self) -> None:
        assert self.asked(self.PATH, headers=((b"host", b"elsewhere.example"),)).status == 400
        assert self.asked(self.PATH, "POST").status == 405


def test_which_addresses_are_heavy() -> None:
    is_heavy, is_hashing = has_marked_path("is_heavy"), has_marked_path("is_hashing")
    for path in (
        "/api/stats", "/api/stats/", "/api/stats/export.csv", "/api/test/stats/", "/api/events/", "/api/export/",
        "/api/events/analytics", "/api/flush/", "/api/machines/5/logs/", "/gateway/devices/5/telemetry",
        "/api/devices/x/telemetry/",
        "/stats/", "/device-bulk/", "/device-upload",
        "/api/incidents/", "/api/statements/5-2026-03/", "/api/statements/5-2026-03/close",
        "/statements/5-2026-03/", "/statements/5-2026-03/close/",
    ):  # fmt: skip
        assert is_heavy(path), path
    for path in ("/", "/login/", "/api/auth/login/", "/api/devices/", "/api/devices/5/telemetry/latest", "/api/statsx"):
        assert not is_heavy(path), path
        assert not is_hashing(path) or "login" in path, path
    for path in (
        "/login/", "/register", "/account/", "/admin/login/", "/device-tokens/revoke-key/", "/api/auth/login",
        "/api/auth/token/", "/api/auth/register/", "/api/admin/login/",
    ):  # fmt: skip
        assert is_hashing(path), path
