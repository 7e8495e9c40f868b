"""Failed sign-ins: one count over every way to sign in, per account and address, and per address."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.db import OperationalError, connections
from pytest_django import Settings

from conftest import MonotonicClock
from ozone.accounts import signin
from ozone.webapi.tests.conftest import PASSWORD, Http

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGES = ["/login/", "/admin/login/"]
WAYS: dict[str, dict[str, str]] = {
    "/api/auth/login": {"username": "olga"},
    "/api/auth/token": {"username": "OLGA"},
    "/api/admin/login": {"email": "Olga@example.com"},
    "/api/admin/login/": {"username": " olga "},
    "/login/": {"username": "olga"},
    "/admin/login/": {"username": "Olga"},
}


def attempt(way: str, name: dict[str, str], password: str, address: str = "198.51.100.7", **headers: str) -> Any:
    http = Http()
    http.defaults["REMOTE_ADDR"] = address
    if way not in PAGES:
        return http.send(way, name | {"password": password}, **headers)
    return http.post(way, name | {"password": password})


def fail(times: int, way: str = "/api/auth/login", address: str = "198.51.100.7") -> list[int]:
    return [attempt(way, WAYS[way], "wrong", address).status_code for _ in range(times)]


@pytest.mark.parametrize("way", WAYS)
def test_ten_failures_lock_every_way(olga: User, way: str, limits_clock: MonotonicClock) -> None:
    with time_machine.travel(NOW, tick=False) as server_time:
        assert set(fail(10, way)) == ({200} if way in PAGES else {401})
        for door, name in WAYS.items():
            reply = attempt(door, name, PASSWORD)
            assert (door, reply.status_code, reply["Retry-After"]) == (door, 429, "300")
            if door not in PAGES:
                assert reply.json() == {
                    "detail": "Too many failed sign-ins. Try again in 5 min.",
                    "code": "too_many_requests",
                }
        assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD, "198.51.100.8").status_code == 200
        for hours in (3, -6):  # the server's time is set: nothing ends sooner or later
            server_time.shift(timedelta(hours=hours))
            assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD).status_code == 429
        limits_clock.shift(301)
        assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD).status_code == 200


@pytest.mark.alike
def test_the_failures_of_all_ways_are_added_up(olga: User) -> None:
    for way in WAYS:
        fail(2, way)
    assert fail(1) == [429]


@pytest.mark.django_db(transaction=True)
def test_many_guesses_at_once_are_no_way_past_it(olga: User) -> None:
    def guess(_: int) -> int:
        try:
            return fail(1)[0]
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(guess, range(24))) == [401] * 10 + [429] * 14


def test_nothing_is_hashed_past_the_limit(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(10)

    def hashed(*_: Any, **__: Any) -> None:
        pytest.fail("a password was hashed")

    monkeypatch.setattr(hashers, "verify_password", hashed)
    monkeypatch.setattr(hashers, "make_password", hashed)
    assert set(fail(3)) == {429}


def test_a_hundred_failures_lock_the_address(olga: User) -> None:
    def guess(number: int, address: str = "198.51.100.7") -> int:
        return int(attempt("/api/auth/login", {"username": f"user{number}"}, "wrong", address).status_code)

    assert {guess(number) for number in range(99)} == {401}
    assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD).status_code == 200  # takes nothing back
    assert guess(99) == 401
    assert guess(100) == 429
    assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD).status_code == 429
    assert guess(100, "198.51.100.8") == 401


@pytest.mark.alike
def test_success_forgives_the_account_only(olga: User) -> None:
    fail(9)
    assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD).status_code == 200
    assert fail(11) == [401] * 10 + [429]


def test_a_right_password_without_staff_status_is_a_failure_at_the_admin_door(vera: User) -> None:
    statuses = [attempt("/api/admin/login", {"username": "vera"}, PASSWORD).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]


def test_a_failed_database_is_no_failed_sign_in(olga: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        patch.setattr(signin, "authenticate", away)
        assert set(fail(12)) == {503}
    assert attempt("/api/auth/login", {"username": "olga"}, PASSWORD).status_code == 200


def test_ipv6_counts_by_subscriber(olga: User) -> None:
    assert set(fail(10, address="2001:db8::1")) == {401}
    assert fail(1, address="2001:db8::ffff") == [429]
    assert fail(1, address="2001:db8:0:1::1") == [401]


@pytest.mark.alike
def test_behind_a_trusted_proxy(olga: User, settings: Settings) -> None:
    def statuses(times: int, forwarded: str) -> list[int]:
        name = {"username": "olga"}
        tries = (attempt("/api/auth/login", name, "wrong", "10.0.0.1", x_forwarded_for=forwarded) for _ in range(times))
        return [reply.status_code for reply in tries]

    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
    assert statuses(11, "203.0.113.5") == [401] * 10 + [429]
    assert statuses(1, "203.0.113.5, 203.0.113.6") == [401]
    assert statuses(1, "203.0.113.6, 203.0.113.5") == [429]
    settings.TRUSTED_PROXIES = []
    assert statuses(11, "203.0.113.7") == [401] * 10 + [429]
    assert statuses(1, "203.0.113.8") == [429]  # nobody gets a new address by saying so
