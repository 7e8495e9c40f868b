"""Bodies at the ASGI door: on the routes that Django does not see, and what becomes of those that are refused."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pytest_django import Settings

from device_gateway.gate import LARGE_BODY, DeviceRoute
from ozone.wire import bodies
from ozone.wire.http import Reply
from ozontelemetry.bridge import DjangoBridge
from ozontelemetry.tests.test_bridge import KIB, Exchange, Wsgi, run

FOR_A_WHILE = 0.2
"""Seconds for which a refused body is read on, here."""


@pytest.fixture(autouse=True)
def _not_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "READ_ON_SECONDS", FOR_A_WHILE)


class TestDeviceRoute:
    """The same care of bodies on the routes that Django does not see."""

    def exchanged(self, prepare: Callable[[Exchange], None]) -> tuple[Exchange, list[bytes]]:
        read: list[bytes] = []

        def handler(request: Any) -> Reply:
            read.append(request.body)
            return Reply(200, b"{}")

        async def exchange() -> Exchange:
            one = Exchange(path="/x")
            prepare(one)
            await DeviceRoute("x", {"POST": handler}, is_open=True)(one.scope, one.receive, one.send)
            return one

        return run(exchange), read

    def test_a_body_in_parts(self) -> None:
        def parts(one: Exchange) -> None:
            one.parts = [b"one ", b"two"]

        one, read = self.exchanged(parts)
        assert (one.status, read) == (200, [b"one two"])

    @pytest.mark.parametrize(("number", "status"), [(bodies.MAX_CHUNKS, 200), (bodies.MAX_CHUNKS + 2, 400)])
    def test_one_in_very_many_chunks(self, number: int, status: int) -> None:
        def crumbs(one: Exchange) -> None:
            one.scope["headers"].append((b"transfer-encoding", b"chunked"))
            one.parts = [b" "] * number

        one, read = self.exchanged(crumbs)
        assert (one.status, read) == (status, [b" " * number] if status == 200 else [])
        assert status == 200 or b"too_many_chunks" in one.body

    def test_one_that_a_sketch_writes_byte_by_byte(self) -> None:
        def crumbs(one: Exchange) -> None:
            one.scope["headers"].append((b"content-length", b"10000"))
            one.parts = [b" "] * 10_000

        one, read = self.exchanged(crumbs)
        assert (one.status, read) == (200, [b" " * 10_000])

    @pytest.mark.parametrize("parts", [[b"abcdef"], [b"abc", b"def"]])
    def test_the_end_of_one_that_is_all_there_is_not_waited_for(self, parts: list[bytes]) -> None:
        """As granian tells it: there may be more, until it is asked again."""

        def there(one: Exchange) -> None:
            one.scope["headers"].append((b"content-length", b"6"))
            one.parts, one.ends = parts, False

        one, read = self.exchanged(there)
        assert (one.status, read) == (200, [b"abcdef"])

    def test_nor_is_that_of_none(self) -> None:
        def none(one: Exchange) -> None:
            one.scope["headers"].append((b"content-length", b"0"))
            one.parts, one.ends = [], False

        one, read = self.exchanged(none)
        assert (one.status, read) == (200, [b""])

    def test_one_that_is_cut_short(self) -> None:
        def cut(one: Exchange) -> None:
            one.scope["headers"].append((b"content-length", b"7"))
            one.parts, one.ends = [b"abcdef"], False
            one.left.set()

        one, read = self.exchanged(cut)
        assert (one.status, read) == (400, [])

    def test_a_large_one_is_read_beside_small_ones(self) -> None:
        """However long it takes to understand: the event loop goes on."""
        gate = threading.Event()

        def handler(request: Any) -> Reply:
            if len(request.body) > 1:
                assert gate.wait(5)
            return Reply(200, b"{}")

        async def exchange() -> tuple[bool, int, int]:
            route = DeviceRoute("x", {"POST": handler}, is_open=True)
            large, small = Exchange(path="/x"), Exchange(path="/x")
            large.parts, small.parts = [b"x" * (LARGE_BODY + 1)], [b"x"]
            reading = asyncio.create_task(route(large.scope, large.receive, large.send))
            await asyncio.sleep(0.1)
            await route(small.scope, small.receive, small.send)
            was_first = not reading.done()
            gate.set()
            await reading
            return was_first, small.status, large.status

        assert run(exchange) == (True, 200, 200)

    def test_one_that_grows_past_the_limit_unannounced(self) -> None:
        def grows(one: Exchange) -> None:
            one.parts, one.ends = [b"x" * 200 * KIB, b"x" * 200 * KIB], False

        one, read = self.exchanged(grows)
        assert (one.status, read) == (413, [])
        assert b"body_too_large" in one.body

    def test_one_that_is_announced_too_large_is_not_read(self) -> None:
        def announced(one: Exchange) -> None:
            one.scope["headers"].append((b"content-length", b"300000"))
            one.parts, one.ends = [], False

        one, _ = self.exchanged(announced)
        assert one.status == 413

    def test_one_that_does_not_come(self, settings: Settings) -> None:
        settings.BODY_SECONDS = 0.2

        def slow(one: Exchange) -> None:
            one.parts, one.ends = [b"x"], False

        one, read = self.exchanged(slow)
        assert (one.status, read) == (408, [])
        assert one.headers[b"connection"] == b"close"

    def test_a_client_that_leaves_meanwhile(self) -> None:
        def leaves(one: Exchange) -> None:
            one.parts, one.ends = [b"x"], False
            one.left.set()

        one, read = self.exchanged(leaves)
        assert (one.status, read) == (400, [])


Refused = Callable[[Callable[[Exchange], None], list[tuple[bytes, bytes]]], Exchange]


class TestWhatIsRefusedIsReadOn:
    """For a little: who is still sending, or his proxy, would find the connection gone and the reply with it."""

    @pytest.fixture(params=["Django", "a device route"])
    def refused(self, request: pytest.FixtureRequest) -> Refused:
        async def exchange(prepare: Callable[[Exchange], None], headers: list[tuple[bytes, bytes]]) -> Exchange:
            one = Exchange(path="/x", headers=headers)
            prepare(one)
            if request.param == "Django":
                await DjangoBridge(Wsgi())(one.scope, one.receive, one.send)
            else:
                route = DeviceRoute("x", {"POST": lambda _: Reply(200, b"{}")}, is_open=True)
                await route(one.scope, one.receive, one.send)
            return one

        return lambda prepare, headers: run(lambda: exchange(prepare, headers))

    @pytest.mark.parametrize(
        ("header", "status"),
        [
            ((b"content-length", b"600000"), 413),
            ((b"transfer-encoding", b"chunked"), 413),
            ((b"content-type", b"a" * 300), 415),
            ((b"x-long", b"a" * 17 * KIB), 431),
        ],
    )
    def test_to_its_end(self, refused: Refused, header: tuple[bytes, bytes], status: int) -> None:
        def large(one: Exchange) -> None:
            one.parts = [b"x" * 100 * KIB for _ in range(6)]

        one = refused(large, [header])
        assert (one.status, one.parts) == (status, [])

    def test_not_without_a_bound(self, refused: Refused) -> None:
        def endless(one: Exchange) -> None:
            one.parts = [b"x" * 100 * KIB for _ in range(100)]

        one = refused(endless, [(b"content-length", b"10000000")])
        assert one.status == 413
        assert len(one.parts) > 80

    def test_nor_for_long(self, refused: Refused) -> None:
        def silent(one: Exchange) -> None:
            one.parts, one.ends = [b"x"], False

        assert refused(silent, [(b"content-length", b"600000")]).status == 413

    def test_who_asks_first_is_told_first(self, refused: Refused) -> None:
        def waits(one: Exchange) -> None:
            one.parts = [b"x" * 600 * KIB]

        one = refused(waits, [(b"content-length", b"600000"), (b"expect", b"100-continue")])
        assert one.status == 413
        assert one.parts
