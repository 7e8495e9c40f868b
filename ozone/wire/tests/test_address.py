"""Who is calling, behind proxies that may or may not be ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from ozone.wire.address import client_address, is_loopback, limit_key, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("203.0.113.9:4711", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::1"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("[::ffff:203.0.113.9]:80", "203.0.113.9"),
    ],
)
def test_spellings(text: str, address: str) -> None:
    assert str(parse(text)) == address


@pytest.mark.parametrize(
    "text", ["", "unknown", "_hidden", "203.0.113", "256.1.1.1", "203.0.113.9.1", "localhost", "["]
)
def test_no_address(text: str) -> None:
    assert parse(text) is None
    assert client_address(text, None) == ""


@given(st.text(max_size=40))
def test_garbage_never_breaks_it(text: str) -> None:
    parse(text)
    limit_key(text)


class TestForwarded:
    @pytest.fixture(autouse=True)
    def _proxies(self, settings: Settings) -> None:
        settings.TRUSTED_PROXIES = ["10.0.0.0/8", "192.0.2.7", "2001:db8:ffff::/48"]

    @pytest.mark.parametrize(
        ("peer", "chain", "client"),
        [
            # Nobody we trust: the header is ignored.
            ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
            ("203.0.113.9", None, "203.0.113.9"),
            # Our proxy: the right-most hop that is not ours.
            ("10.1.1.1", None, "10.1.1.1"),
            ("10.1.1.1", "", "10.1.1.1"),
            ("10.1.1.1", "198.51.100.1", "198.51.100.1"),
            ("10.1.1.1", "198.51.100.66, 198.51.100.1", "198.51.100.1"),
            ("10.1.1.1", "198.51.100.66,198.51.100.1,10.2.2.2,192.0.2.7", "198.51.100.1"),
            ("10.1.1.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
            ("::ffff:10.1.1.1", "198.51.100.1", "198.51.100.1"),
            ("2001:db8:ffff::1", "2001:db8::5", "2001:db8::5"),
            ("10.1.1.1", "198.51.100.1:5000", "198.51.100.1"),
            ("10.1.1.1", "[2001:db8::5]:5000", "2001:db8::5"),
            ("10.1.1.1", "::ffff:198.51.100.1", "198.51.100.1"),
            # All ours: the left-most.
            ("10.1.1.1", "10.3.3.3, 10.2.2.2", "10.3.3.3"),
            # A hop that is no address ends the chain: left of it a stranger may have written anything.
            ("10.1.1.1", "198.51.100.66, unknown", "10.1.1.1"),
            ("10.1.1.1", "198.51.100.66, unknown, 10.2.2.2", "10.2.2.2"),
            ("10.1.1.1", "198.51.100.66, , 10.2.2.2", "10.2.2.2"),
            ("10.1.1.1", "garbage", "10.1.1.1"),
            ("10.1.1.1", ",", "10.1.1.1"),
        ],
    )
    def test_chain(self, peer: str, chain: str | None, client: str) -> None:
        assert client_address(peer, chain) == client


def test_no_proxy_is_trusted_unless_told() -> None:
    assert client_address("127.0.0.1", "198.51.100.1") == "127.0.0.1"
    assert client_address("10.1.1.1", "198.51.100.1") == "10.1.1.1"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", ""),
    ],
)
def test_how_limits_count(address: str, key: str) -> None:
    assert limit_key(address) == key


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("[::1]:80", True),
        ("::ffff:127.0.0.1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback(text: str, loopback: bool) -> None:
    assert is_loopback(text) is loopback
