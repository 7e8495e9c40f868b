"""Host names in the list: asked by a thread, never by a request; a failure keeps the last answer."""

import socket
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address

import pytest
from pytest_django import Settings

from ozone.wire.errors import Unavailable
from stations.errors import IpNotAllowed
from stations.partner import addresses
from stations.partner.addresses import Address, HostNames, check_address

pytestmark = pytest.mark.sqlite_only

PARTNER, OTHER = ip_address("203.0.113.9"), ip_address("203.0.113.10")


class Resolver:
    """Answers as it is told; counts, and can hold an answer back."""

    def __init__(self) -> None:
        self.answer: frozenset[Address] | OSError = frozenset([PARTNER])
        self.asked = 0
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, name: str) -> frozenset[Address]:
        self.may_answer.wait(10)
        self.asked += 1
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Resolver:
    resolver = Resolver()
    monkeypatch.setattr(addresses, "host_names", HostNames(resolver))
    monkeypatch.setattr(addresses, "RESOLVE_SECONDS", 0.0)  # the loop's own floor of a second remains
    settings.IOT_SYSTEM_ALLOWED_IPS = ["198.51.100.0/24", "partner.example"]
    return resolver


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def allowed(client: object) -> bool:
    try:
        check_address(str(client))
    except IpNotAllowed:
        return False
    return True


def test_resolved_and_resolved_again(resolver: Resolver) -> None:
    wait_until(lambda: _answered() and allowed(PARTNER))
    assert not allowed(OTHER)
    resolver.answer = frozenset([OTHER])
    wait_until(lambda: allowed(OTHER))
    assert not allowed(PARTNER)
    assert resolver.asked >= 2


def _answered() -> bool:
    try:
        check_address("192.0.2.1")
    except Unavailable:
        return False
    except IpNotAllowed:
        return True
    raise AssertionError


def test_no_request_waits(resolver: Resolver) -> None:
    resolver.may_answer.clear()
    assert allowed("198.51.100.7")
    with pytest.raises(Unavailable):  # nobody knows yet whether this is the partner: it is to come again
        check_address(str(PARTNER))
    assert resolver.asked == 0  # both were decided while the resolver held its answer back
    resolver.may_answer.set()
    wait_until(_answered)
    assert allowed(PARTNER)


def test_a_failure_keeps_the_last_answer(resolver: Resolver) -> None:
    wait_until(_answered)
    resolver.answer = socket.gaierror("Temporary failure in name resolution")
    asked = resolver.asked
    wait_until(lambda: resolver.asked > asked)
    assert allowed(PARTNER)
    assert allowed("198.51.100.7")
    assert not allowed(OTHER)


def test_a_name_that_was_never_resolved(resolver: Resolver) -> None:
    resolver.answer = socket.gaierror("Name or service not known")
    wait_until(_answered)
    assert allowed("198.51.100.7")
    assert not allowed(PARTNER)


def test_the_real_resolver() -> None:
    assert any(one.is_loopback for one in addresses._look_up("localhost"))


def test_every_minute() -> None:
    assert addresses.RESOLVE_SECONDS == 60


def test_a_thread_that_a_fork_left_behind_is_replaced(resolver: Resolver) -> None:
    names = addresses.host_names
    wait_until(_answered)
    names.watch(frozenset())  # ends the thread
    assert names._thread is not None
    names._changed.set()
    names._thread.join(5)
    check_address("198.51.100.7")
    assert names._thread.is_alive()
