"""Requests and replies: hosts, forwarded facts, and the rule that says a request is from this machine."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from ozone.wire.errors import BadHost, NotFound
from ozone.wire.http import (
    Reply,
    Request,
    check_host,
    is_from_this_machine,
    is_plain_http,
    is_public_url,
    public_host,
    public_scheme,
    public_url,
)

PEER = "127.0.0.1"
HERE = {"host": "localhost:8000"}


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "127.4.4.4"])
@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]:8000"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "same-origin"},
        {"origin": "http://{host}"},
        {"origin": "http://{host}", "sec-fetch-site": "same-origin"},
        {"user-agent": "curl/8", "x-request-id": "7"},
    ],
)
def test_from_this_machine(peer: str, host: str, more: Mapping[str, str]) -> None:
    headers = {"host": host} | {name: value.format(host=host) for name, value in more.items()}
    assert is_from_this_machine(peer, headers, "http")


@pytest.mark.parametrize(
    ("peer", "headers"),
    [
        ("192.168.0.5", HERE),
        ("10.0.0.1", HERE),
        ("2001:db8::1", HERE),
        ("", HERE),
        ("unknown", HERE),
        (PEER, {}),
        (PEER, {"host": ""}),
        (PEER, {"host": "ozone.example.com"}),
        (PEER, {"host": "localhost.example.com"}),
        (PEER, {"host": "127.0.0.1.example.com"}),
        (PEER, {"host": "evil.localhost"}),
        (PEER, {"host": "192.168.0.5:8000"}),
        (PEER, {"host": "0.0.0.0:8000"}),
        (PEER, {"host": "localhost:8000,evil.example"}),
        (PEER, {"host": "evil.example:80@localhost"}),
        (PEER, HERE | {"forwarded": "for=127.0.0.1"}),
        (PEER, HERE | {"x-forwarded-for": "127.0.0.1"}),
        (PEER, HERE | {"x-forwarded-host": "localhost"}),
        (PEER, HERE | {"x-forwarded-proto": "http"}),
        (PEER, HERE | {"x-forwarded-port": "8000"}),
        (PEER, HERE | {"x-forwarded-server": "here"}),
        (PEER, HERE | {"x-forwarded-for": ""}),
        (PEER, HERE | {"x-real-ip": "127.0.0.1"}),
        (PEER, HERE | {"via": "1.1 proxy"}),
        (PEER, HERE | {"sec-fetch-site": "cross-site"}),
        (PEER, HERE | {"sec-fetch-site": "same-site"}),
        (PEER, HERE | {"sec-fetch-site": ""}),
        (PEER, HERE | {"origin": "null"}),
        (PEER, HERE | {"origin": ""}),
        (PEER, HERE | {"origin": "https://localhost:8000"}),
        (PEER, HERE | {"origin": "http://localhost"}),
        (PEER, HERE | {"origin": "http://localhost:3000"}),
        (PEER, HERE | {"origin": "http://127.0.0.1:8000"}),
        (PEER, HERE | {"origin": "https://evil.example"}),
        (PEER, HERE | {"origin": "http://localhost:8000", "sec-fetch-site": "cross-site"}),
    ],
)
def test_from_elsewhere_or_forged(peer: str, headers: Mapping[str, str]) -> None:
    assert not is_from_this_machine(peer, headers, "http")


def test_trusting_a_proxy_on_this_machine_does_not_let_its_clients_pass(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = ["127.0.0.1"]
    assert not is_from_this_machine(PEER, HERE | {"x-forwarded-for": "127.0.0.1"}, "http")


class TestHosts:
    @pytest.mark.parametrize(
        "host", ["meters.example.com", "METERS.example.com:8443", "a.fleet.example", "[2001:db8::1]"]
    )
    def test_allowed(self, settings: Settings, host: str) -> None:
        settings.ALLOWED_HOSTS = ["meters.example.com", ".fleet.example", "[2001:db8::1]"]
        check_host(host)

    @pytest.mark.parametrize(
        "host",
        ["", "evil.example", "meters.example.com.evil.example", "meters.example.com,evil", "a b", "localhost", ":80"],
    )
    def test_refused(self, settings: Settings, host: str) -> None:
        settings.ALLOWED_HOSTS = ["meters.example.com"]
        with pytest.raises(BadHost) as caught:
            check_host(host)
        assert (caught.value.status, caught.value.code) == (400, "bad_host")

    def test_none_named(self, settings: Settings) -> None:
        settings.ALLOWED_HOSTS = []
        with pytest.raises(BadHost):
            check_host("localhost")
        settings.DEBUG = True
        for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
            check_host(host)
        with pytest.raises(BadHost):
            check_host("ozone.example.com")


class TestForwardedFacts:
    HEADERS = {"host": "backend:8000", "x-forwarded-proto": "ftp, https", "x-forwarded-host": "spoofed, ozone.example"}

    def test_of_a_stranger_they_change_nothing(self) -> None:
        assert public_scheme("http", "10.0.0.1", self.HEADERS) == "http"
        assert public_host("10.0.0.1", self.HEADERS) == "backend:8000"

    def test_of_our_proxy_the_last_word_counts(self, settings: Settings) -> None:
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        assert public_scheme("http", "10.0.0.1", self.HEADERS) == "https"
        assert public_host("10.0.0.1", self.HEADERS) == "ozone.example"
        assert public_scheme("https", "10.0.0.1", {"x-forwarded-proto": "gopher"}) == "https"
        assert public_host("10.0.0.1", {"host": "backend"}) == "backend"
        assert public_host("203.0.113.9", self.HEADERS) == "backend:8000"

    @pytest.mark.parametrize(
        ("debug", "allowed", "scheme", "forwarded", "refused"),
        [
            (False, False, "http", "", True),
            (False, False, "https", "", False),
            (False, False, "http", "https", False),
            (False, False, "https", "http", True),
            (False, True, "http", "", False),
            (True, False, "http", "", False),
        ],
    )
    def test_plain_http(
        self, settings: Settings, debug: bool, allowed: bool, scheme: str, forwarded: str, refused: bool
    ) -> None:
        settings.DEBUG, settings.ALLOW_PLAIN_HTTP, settings.TRUSTED_PROXIES = debug, allowed, ["10.0.0.1"]
        headers = {"x-forwarded-proto": forwarded} if forwarded else {}
        assert is_plain_http(scheme, "10.0.0.1", headers) is refused
        if forwarded == "https":
            assert is_plain_http(scheme, "203.0.113.9", headers)


def request(**headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "/x", "", named, PEER, "http", b"", datetime.now(UTC))


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("BEARER a.b.c", "a.b.c"),
        ("Bearer", ""),
        ("Bearer ", ""),
        ("Basic abc", ""),
        ("abc", ""),
        ("", ""),
    ],
)
def test_bearer(header: str, token: str) -> None:
    assert request(authorization=header).bearer() == token


def test_no_bearer_at_all() -> None:
    assert request().bearer() == ""


def test_an_error_as_a_reply() -> None:
    reply = Reply.of_error(NotFound("No such device.", code="unknown_device", errors={"id": ["Unknown."]}))
    assert reply.status == 404
    assert reply.body == b'{"detail":"No such device.","code":"unknown_device","errors":{"id":["Unknown."]}}'
    assert dict(reply.raw_headers()) == {
        b"content-type": b"application/json",
        b"content-length": str(len(reply.body)).encode(),
        b"x-content-type-options": b"nosniff",
    }


@pytest.mark.parametrize(
    "text",
    [
        "https://telemetry.example.com",
        "http://192.168.0.159:8000",
        "https://[2001:db8::1]:8443/",
        "HTTPS://e.com/ozone",
    ],
)
def test_addresses_for_outside(settings: Settings, text: str) -> None:
    assert is_public_url(text)
    settings.PUBLIC_URL = text
    assert public_url("/machines/7/install/", "http://localhost:8000") == f"{text.rstrip('/')}/machines/7/install/"


@pytest.mark.parametrize(
    "text",
    [
        "telemetry.example.com",
        "//telemetry.example.com",
        "ftp://telemetry.example.com",
        "javascript:alert(1)",
        "https://",
        "https:///machines",
        "https://:8000",
        "https://example.com:port",
        "https://example.com:0",
        "https://example.com:65536",
        "https://[2001:db8::1",
        "https://admin:secret@example.com",
        "https://example.com?",
        "https://example.com/?from=label",
        "https://example.com#labels",
        "https://example.com\\@evil.example",
        "https://exa mple.com",
        "https://example.com\n",
        "https://例子.example",
    ],
)
def test_no_addresses_for_outside(text: str) -> None:
    assert not is_public_url(text)


def test_without_one_set_the_request_says_where_we_are(settings: Settings) -> None:
    settings.PUBLIC_URL = ""
    assert public_url("/machines/7/install/", "http://localhost:8000") == "http://localhost:8000/machines/7/install/"
    assert public_url("/machines/7/install/") == "/machines/7/install/"
