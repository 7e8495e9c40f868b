"""The connection of a simulated device: what it reads as a reply, and what it takes for a lost one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from simulators.client import Connection, Endpoint, NoAnswer, Reply, retry_delay

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def exchange(serve: Serve, times: int = 1, timeout: float = 2.0) -> tuple[list[Reply | NoAnswer], int]:
    """What `times` exchanges over one Connection gave, and how many connections it opened."""

    async def run() -> tuple[list[Reply | NoAnswer], int]:
        opened = 0

        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal opened
            opened += 1
            await serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(count, "127.0.0.1", 0)
        endpoint = Endpoint.parse(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        connection = Connection(endpoint, timeout=timeout)
        found: list[Reply | NoAnswer] = []
        for _ in range(times):
            try:
                found.append(await connection.exchange(endpoint.post("/x", b"{}", bearer="k")))
            except NoAnswer as problem:
                found.append(problem)
            await asyncio.sleep(0.02)  # lets a close by the server arrive
        connection.close()
        server.close()
        return found, opened

    return asyncio.run(run())


def saying(reply: bytes, *, close_after: int = 99) -> Serve:
    """A server that answers every request on a connection with these bytes, and hangs up after so many."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(close_after):
            try:
                await reader.readuntil(b"{}")
            except asyncio.IncompleteReadError:
                return
            writer.write(reply)

    return serve


def test_it_works_over_one_connection() -> None:
    found, opened = exchange(saying(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nRetry-After: 3\r\n\r\nok"), times=3)
    assert found == [Reply(201, {"content-length": "2", "retry-after": "3"}, b"ok")] * 3
    assert opened == 1


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200\r\nCONTENT-LENGTH:  2 \r\n\r\nok",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ],
)
def test_spellings_of_a_reply(reply: bytes) -> None:
    [found], _ = exchange(saying(reply))
    assert isinstance(found, Reply) and (found.status, found.body) == (200, b"ok")


def test_a_reply_in_pieces() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.001)

    [found], _ = exchange(serve)
    assert isinstance(found, Reply) and found.body == b"ok"


def test_connection_close_is_obeyed() -> None:
    reply = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"
    found, opened = exchange(saying(reply), times=2)
    assert [type(each) for each in found] == [Reply, Reply]
    assert opened == 2


def test_an_idle_connection_ended_by_the_server_is_no_lost_reply() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    found, opened = exchange(saying(reply, close_after=1), times=2)
    assert [type(each) for each in found] == [Reply, Reply]
    assert opened == 2


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 twohundred\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_what_is_no_reply(reply: bytes) -> None:
    [found], _ = exchange(saying(reply, close_after=1))
    assert isinstance(found, NoAnswer) and found.sent


def test_silence_is_a_lost_reply_after_the_time_out() -> None:
    [found], _ = exchange(saying(b"HTTP/1.1 200 OK\r\n"), timeout=0.1)
    assert isinstance(found, NoAnswer) and found.sent and "0.1 s" in str(found)


def test_nothing_is_sent_where_nobody_listens() -> None:
    connection = Connection(Endpoint.parse("http://127.0.0.1:1"), timeout=1.0)
    with pytest.raises(NoAnswer) as caught:
        asyncio.run(connection.exchange(b"x"))
    assert not caught.value.sent


def test_retry_after_is_obeyed_and_delays_grow() -> None:
    assert retry_delay(1, "7") == 7.0
    assert retry_delay(1, "0") == 0.1
    assert 0.4 <= retry_delay(1) <= 0.6
    assert 0.4 <= retry_delay(1, "Wed, 21 Oct 2026 07:28:00 GMT") <= 0.6
    assert 1.6 <= retry_delay(3) <= 2.4
    assert 6.4 <= retry_delay(5000) <= 9.6


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://localhost", "http://", "http://a:b@localhost", "http://x/?q=1"]
)
def test_addresses_refused(url: str) -> None:
    with pytest.raises(ValueError):
        Endpoint.parse(url)


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:8000", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:8000", True),
        ("http://localhost", True),
        ("http://192.168.0.159:8000", False),
        ("http://localhost.example.com", False),
        ("http://0.0.0.0:8000", False),
    ],
)
def test_loopback(url: str, loopback: bool) -> None:
    assert Endpoint.parse(url).is_loopback is loopback


def test_the_bytes_of_a_request() -> None:
    request = Endpoint.parse("http://[::1]:81/site/").post("/api/x", b'{"a":1}', bearer="k")
    assert request == (
        b"POST /site/api/x HTTP/1.1\r\nHost: [::1]:81\r\nAuthorization: Bearer k\r\n"
        b'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )
