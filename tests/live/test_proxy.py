"""The proxy that we ship, in front of the real server: TLS, and what it says where it refuses by itself."""

import http.client
import json
import os
import re
import signal
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ozontelemetry.server import IDLE_SECONDS
from tests.support import needs
from tests.support.proxy import CONFIGURATION, NAME, Proxy, nginx
from tests.support.server import LiveServer, live_server
from tests.support.staff import Answer, Device, Staff

pytestmark = [pytest.mark.real_server, pytest.mark.sqlite_only]

INGEST = "/api/device-data/ingest"
STATIONS = "/api/internal/stations/data"
BODY_SECONDS = 1
RECORD = 4096 + 64
"""Bytes: ssl_buffer_size, and what encryption adds to a record."""
TROUBLE = (500, 502, 504)


class TlsStaff(Staff):
    """Straight to the server, as the proxy would: over TLS, it says."""

    def call(self, *request: Any, headers: dict[str, str] | None = None, **more: Any) -> Answer:
        return super().call(*request, headers={"X-Forwarded-Proto": "https", **(headers or {})}, **more)


@dataclass(frozen=True)
class Site:
    server: LiveServer
    proxy: Proxy
    device: Device

    def ask(self, text: str | bytes, *, tls: bool = True) -> Answer:
        """What comes back for these bytes."""
        connection: socket.socket
        if tls:
            connection = self.proxy.connect()
        else:
            connection = socket.create_connection(("127.0.0.1", self.proxy.plain), timeout=10)
        with connection:
            connection.sendall(text.encode() if isinstance(text, str) else text)
            return _answer(connection)

    def send(self, connection: socket.socket, body: str, **headers: str) -> Answer:
        """One reading on a connection that stays open."""
        more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        connection.sendall(
            f"POST {INGEST} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {self.device.api_key}\r\n{more}"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        return _answer(connection)


def _answer(connection: socket.socket) -> Answer:
    reply = http.client.HTTPResponse(connection)
    reply.begin()
    return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    program = needs.nginx()
    if program is None:
        pytest.skip("nginx is not here")
    with live_server(
        production=True,
        ALLOW_PLAIN_HTTP="0",
        BODY_SECONDS=str(BODY_SECONDS),
        DJANGO_ALLOWED_HOSTS=f"127.0.0.1,{NAME}",
        TRUSTED_PROXIES="127.0.0.1",
    ) as server:
        device = TlsStaff(server.url).enrol(1)[0]
        with nginx(program, tmp_path_factory.mktemp("nginx"), server.port) as proxy:
            yield Site(server, proxy, device)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_it_works(site: Site, newest: ssl.TLSVersion) -> None:
    with site.proxy.connect(newest) as meter:
        replies = [site.send(meter, '{"kwh": 1}') for _ in range(3)]  # on one connection
        assert meter.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[newest]
    assert [(reply.status, reply.json()) for reply in replies] == [(201, {"status": "ok"})] * 3


def test_addresses_in_replies_are_those_of_the_proxy(site: Site) -> None:
    token = TlsStaff(site.server.url).provision(site.device.pk)
    body = json.dumps({"token": token})
    claimed = site.ask(
        f"POST /gateway/devices/claim HTTP/1.1\r\nHost: {NAME}\r\nX-Forwarded-Host: evil.example\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    assert (claimed.status, claimed.json()["ingest_url"]) == (201, f"https://{NAME}/gateway/device-data/ingest")
    object.__setattr__(site, "device", Device(site.device.pk, claimed.json()["api_key"], None))


@pytest.mark.parametrize("path", [INGEST, f"/{INGEST}/", "/gateway/devices/claim", "/api/iot"])
def test_who_closes_its_side_early_gets_the_reply(site: Site, path: str) -> None:
    with socket.create_connection(("127.0.0.1", site.proxy.plain), timeout=10) as meter:
        meter.sendall(f"POST {path} HTTP/1.0\r\nHost: {NAME}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        meter.shutdown(socket.SHUT_WR)
        assert _answer(meter).json()["code"] == "https_required"


def test_names_of_headers_are_capital(site: Site) -> None:
    with site.proxy.connect() as meter:
        meter.sendall(f"POST {INGEST} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 2\r\n\r\n{{}}".encode())
        assert b"\r\nContent-Length: " in meter.recv(4096)


def test_plain_http_is_refused_by_the_server(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.proxy.plain), timeout=10) as meter:
        reply = site.send(meter, "{}", X_Forwarded_Proto="https")
    assert (reply.status, reply.json()["code"]) == (403, "https_required")


LONG = f"X: {'a' * 4000}\r\n"
REFUSALS: dict[str, tuple[int, str, str]] = {
    "no host": (400, "invalid", "GET {path} HTTP/1.1\r\n\r\n"),
    "a bad length": (400, "invalid", f"POST {{path}} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: x\r\n\r\n"),
    "TRACE": (405, "method_not_allowed", f"TRACE {{path}} HTTP/1.1\r\nHost: {NAME}\r\n\r\n"),
    "7 MB": (413, "body_too_large", f"POST {{path}} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 7000000\r\n\r\n"),
    "many headers": (431, "headers_too_large", f"GET {{path}} HTTP/1.1\r\nHost: {NAME}\r\n{LONG * 5}\r\n"),
    "one header": (431, "headers_too_large", f"GET {{path}} HTTP/1.1\r\nHost: {NAME}\r\nX: {'a' * 20_000}\r\n\r\n"),
    "encoded": (501, "bad_encoding", f"POST {{path}} HTTP/1.1\r\nHost: {NAME}\r\nTransfer-Encoding: br\r\n\r\n"),
}


@pytest.mark.parametrize("what", REFUSALS)
def test_what_it_refuses_itself_is_json_at_an_api_address(site: Site, what: str) -> None:
    status, code, request = REFUSALS[what]
    for path in (INGEST, "/gateway/devices/claim", "/api", "//api//x"):
        _is_json(site.ask(request.format(path=path)), status, code)


@pytest.mark.parametrize("what", REFUSALS)
def test_the_stations_have_their_own_shape(site: Site, what: str) -> None:
    status, code, request = REFUSALS[what]
    for path in (STATIONS, "/api/stations", "/api/power-banks/x"):
        _is_stations(site.ask(request.format(path=path)), status, code)


@pytest.mark.parametrize("what", REFUSALS)
def test_a_person_gets_a_page(site: Site, what: str) -> None:
    status, _, request = REFUSALS[what]
    reply = site.ask(request.format(path="/devices/"))
    assert (reply.status, reply.headers["content-type"]) == (status, "text/html")
    assert re.search(rb"<p>[A-Z][^<]+\.</p>", reply.body)


def test_a_request_line_that_is_too_long(site: Site) -> None:
    _is_json(site.ask(f"GET {INGEST}?{'a' * 20_000} HTTP/1.1\r\nHost: {NAME}\r\n\r\n"), 431, "headers_too_large")


def test_what_is_not_http(site: Site) -> None:
    _is_json(site.ask(b"\x00\x01\x02\r\n\r\n"), 400, "invalid")


def test_plain_http_at_the_port_for_tls(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.proxy.tls), timeout=10) as meter:
        _is_json(site.send(meter, "{}"), 403, "https_required")


@pytest.mark.parametrize("count", [15, 30, 55])
def test_headers_within_the_bound_reach_the_server(site: Site, count: int) -> None:
    """15,000 bytes of them, whatever they are made of."""
    headers = {f"X_{number}": "a" * (15_000 // count - 10) for number in range(count)}
    with site.proxy.connect() as meter:
        assert site.send(meter, '{"kwh": 2}', **headers).status == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ("{", 400, "malformed_json"),
        (" " * 300_000, 413, "body_too_large"),
        (" " * 1_000_000, 413, "body_too_large"),
        (" " * 2_000_000, 413, "body_too_large"),  # the proxy's own
    ],
)
def test_the_servers_own_refusals_come_through(site: Site, body: str, status: int, code: str) -> None:
    """Though they are said before the body has come: a server that hung up then was a 502 every other time."""
    for _ in range(10):
        with site.proxy.connect() as meter:
            reply = site.send(meter, body)
        assert (reply.status, reply.json()["code"]) == (status, code)


def test_a_refusal_by_the_head_comes_through_beside_a_body(site: Site) -> None:
    request = f"PUT {INGEST} HTTP/1.1\r\nHost: {NAME}\r\nContent-Length: 200000\r\n\r\n{' ' * 200_000}"
    for _ in range(10):
        _is_json(site.ask(request), 405, "method_not_allowed")


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_a_body_that_does_not_come_is_the_servers_408(site: Site, framing: str) -> None:
    reply = site.ask(
        f"POST {INGEST} HTTP/1.1\r\nHost: {NAME}\r\nAuthorization: Bearer {site.device.api_key}\r\n"
        f"Content-Type: application/json\r\n{framing}\r\n\r\n"
    )
    _is_json(reply, 408, "body_timeout")


def test_its_patience_with_a_body_is_longer_than_the_servers() -> None:
    assert 10 < _seconds("client_body_timeout") < 53


def test_no_connection_meets_the_close() -> None:
    assert _seconds("keepalive_timeout", "server") == IDLE_SECONDS
    assert _seconds("keepalive_timeout", "upstream") < IDLE_SECONDS - 10


def test_records_fit_a_chip(site: Site) -> None:
    """Every TLS record on the wire, of a reply that is much longer than one."""
    page = site.ask(f"GET /login/ HTTP/1.1\r\nHost: {NAME}\r\n\r\n").body.decode()
    (style,) = set(re.findall(r'href="(/static/[^"]+\.css)"', page))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = site.proxy.context().wrap_bio(incoming, outgoing, server_hostname=NAME)
    wire = b""
    body = b""
    with socket.create_connection(("127.0.0.1", site.proxy.tls), timeout=10) as connection:

        def run(step: Any) -> Any:
            nonlocal wire
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    got = connection.recv(65536)
                    if not got:
                        raise EOFError from None
                    wire += got
                    incoming.write(got)

        run(client.do_handshake)
        client.write(f"GET {style} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n".encode())
        try:
            while chunk := run(lambda: client.read(65536)):
                body += chunk
        except (EOFError, ssl.SSLZeroReturnError):
            pass
    sizes = []
    while wire:
        sizes.append(int.from_bytes(wire[3:5]))
        wire = wire[5 + sizes[-1] :]
    assert len(body) > 3 * 4096
    assert max(sizes) <= RECORD


def test_a_server_that_hangs_is_504_and_one_that_is_gone_502(site: Site) -> None:
    request = f"GET {{path}} HTTP/1.1\r\nHost: {NAME}\r\n\r\n"
    worker = site.server.workers[0].pid
    os.kill(worker, signal.SIGSTOP)
    try:
        _is_json(site.ask(request.format(path=INGEST)), 504, "unavailable")
    finally:
        os.kill(worker, signal.SIGCONT)
    site.server.kill()
    waits = {_is_json(site.ask(request.format(path=INGEST)), 502, "unavailable") for _ in range(30)}
    _is_stations(site.ask(request.format(path=STATIONS)), 502, "unavailable")
    assert site.ask(request.format(path="/devices/")).headers["content-type"] == "text/html"
    assert len(waits) > 1  # a fleet does not come back as one
    assert waits <= {"1", "2", "3", "4", "5"}


def _is_json(reply: Answer, status: int, code: str) -> str | None:
    """Its Retry-After, where one has to be."""
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    assert reply.json() == {"detail": reply.json()["detail"], "code": code}
    assert ("retry-after" in reply.headers) is (status in TROUBLE)
    assert reply.headers["x-content-type-options"] == "nosniff"
    return reply.headers.get("retry-after")


def _is_stations(reply: Answer, status: int, code: str) -> None:
    assert (reply.status, reply.headers["content-type"]) == (status, "application/json")
    error = "VALIDATION_ERROR" if code == "invalid" else code.upper()
    assert reply.json() == {"success": False, "message": reply.json()["message"], "error": error}
    assert reply.json()["message"]


def _seconds(name: str, block: str = "server") -> int:
    text = CONFIGURATION.read_text(encoding="utf-8")
    found = re.search(rf"^{block} .*?^    {name} +(\d+)s;", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return int(found[1])
