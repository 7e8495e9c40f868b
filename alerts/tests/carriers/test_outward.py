"""Where a channel may lead: whatever it is spelled like, it is judged by the address that is connected to."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address
from time import monotonic
from typing import Any

import pytest
from pytest_django import Settings

from alerts.carriers import outward
from alerts.carriers.outward import NotAllowed, check_literal, connect, may_reach
from tests.support.sinks import HttpSink

pytestmark = pytest.mark.sqlite_only

AT_HOME = [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "10.255.255.255", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "192.0.2.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
    "fd00::1", "fec0::1", "ff02::1", "ff0e::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "::7f00:1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::", "2001:0:7f00:1::", "2001:db8::1",
]  # fmt: skip
SPELLED = ["2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "0", "2852039166", "[fe80::1%25eth0]"]


@pytest.mark.parametrize("text", AT_HOME)
def test_not_to_what_is_no_public_address(text: str) -> None:
    assert not may_reach(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_to_a_public_one(text: str) -> None:
    assert may_reach(ip_address(text))


def test_to_a_network_that_is_allowed(settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["10.1.0.0/16", "fd00::/8"]
    reached = [text for text in ("10.1.2.3", "::ffff:10.1.2.3", "10.2.0.1", "fd00::7", "fc00::7") if _may(text)]
    assert reached == ["10.1.2.3", "::ffff:10.1.2.3", "fd00::7"]


def _may(text: str) -> bool:
    return may_reach(ip_address(text))


@pytest.mark.parametrize("host", [*SPELLED, "127.0.0.1", "169.254.169.254"])
def test_an_address_in_digits_is_refused_when_it_is_written(host: str) -> None:
    with pytest.raises(NotAllowed):
        check_literal(host)


@pytest.mark.parametrize("host", ["localhost", "0x7f.1", "2130706433", "127.1", "::1"])
def test_nothing_at_home_is_connected_to(host: str, sink: HttpSink, settings: Settings) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = []
    with pytest.raises((NotAllowed, OSError)) as caught:
        connect(host, sink.port, monotonic() + 5)
    assert isinstance(caught.value, NotAllowed)


class Rebinding:
    """A name server of an attacker: what a name means changes from one question to the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def test_a_name_is_resolved_once(sink: HttpSink, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    names = Rebinding(["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(outward.socket, "getaddrinfo", names)
    with connect("turn.example.com", sink.port, monotonic() + 5) as connection:
        assert connection.getpeername()[0] == "127.0.0.1"
    assert names.asked == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_a_name_that_leads_home(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outward.socket, "getaddrinfo", Rebinding([address]))
    with pytest.raises(NotAllowed, match="no public address"):
        connect("home.example.com", 80, monotonic() + 5)


def test_of_two_addresses_the_allowed_one(sink: HttpSink, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_ALLOWED_NETWORKS = ["127.0.0.2/32"]
    monkeypatch.setattr(outward.socket, "getaddrinfo", Rebinding(["127.0.0.1", "127.0.0.2"]))
    try:
        with connect("both.example.com", sink.port, monotonic() + 5) as connection:
            assert connection.getpeername()[0] == "127.0.0.2"
    except ConnectionRefusedError:
        pass  # the sink listens on the first alone: what counts is that this was not it
