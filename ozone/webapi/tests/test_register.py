import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import IntegrityError, connections
from pytest_django import Settings

from conftest import MonotonicClock
from ozone.accounts import registration
from ozone.webapi.tests.conftest import PASSWORD, Http

pytestmark = pytest.mark.django_db

URL = "/api/auth/register/"
NEW: dict[str, Any] = {
    "username": "newuser",
    "password": PASSWORD,
    "email": "user@example.com",
    "first_name": "John",
    "last_name": "Doe",
}


@pytest.mark.parametrize("url", [URL, URL.rstrip("/")])
def test_it_works(http: Http, url: str) -> None:
    reply = http.send(url, NEW)
    user = User.objects.get()
    assert reply.status_code == 201
    assert reply.json() == {
        "success": True,
        "message": "User created successfully",
        "user": {
            "id": user.pk,
            "username": "newuser",
            "email": "user@example.com",
            "first_name": "John",
            "last_name": "Doe",
        },
    }
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)
    assert user.check_password(PASSWORD)
    assert "sessionid" not in reply.cookies
    assert http.send("/api/auth/login/", NEW).status_code == 200


def test_name_and_password_are_enough(http: Http) -> None:
    assert http.send(URL, {"username": "a", "password": PASSWORD}).status_code == 201
    assert http.send(URL, {"username": "b", "password": PASSWORD, "email": ""}).status_code == 201


def test_nobody_makes_themselves_staff(http: Http) -> None:
    http.send(URL, NEW | {"is_staff": True, "is_superuser": True, "id": 99})
    user = User.objects.get()
    assert (user.is_staff, user.is_superuser, user.pk == 99) == (False, False, False)


@pytest.mark.parametrize(
    ("change", "field", "sentence"),
    [
        ({"username": None}, "username", "This field may not be null."),
        ({"username": "two words"}, "username", "Enter a valid username."),
        ({"username": "x" * 151}, "username", "at most 150 characters"),
        ({"username": "VERA"}, "username", "This user name is taken."),
        ({"username": "\uff36era"}, "username", "This user name is taken."),  # a full-width V
        ({"email": "VERA@EXAMPLE.com"}, "email", "This e-mail address is in use."),
        ({"email": "no address"}, "email", "Enter a valid email address."),
        ({"first_name": "x" * 151}, "first_name", "at most 150 characters"),
        ({"password": "short"}, "password", "too short"),
        ({"password": "1234567890123"}, "password", "entirely numeric"),
        ({"password": "newuser1"}, "password", "too similar to the username"),
        ({"password": ""}, "password", "may not be blank"),
    ],
)
@pytest.mark.sqlite_only
def test_invalid(http: Http, vera: User, change: dict[str, Any], field: str, sentence: str) -> None:
    reply = http.send(URL, NEW | change)
    body = reply.json()
    assert reply.status_code == 400
    assert body.keys() == {"success", "message", "errors"}
    assert body["success"] is False
    assert body["errors"].keys() == {field}
    assert sentence in body["errors"][field][0]
    assert body["message"].startswith(f"{field}: ")
    assert User.objects.count() == 1


def test_the_common_password_of_the_seeds(http: Http, settings: Settings) -> None:
    """Refused in production; in development the settings leave that validator out."""
    assert http.send(URL, NEW | {"password": "password123"}).status_code == 400
    settings.AUTH_PASSWORD_VALIDATORS = [
        entry for entry in settings.AUTH_PASSWORD_VALIDATORS if "Common" not in entry["NAME"]
    ]
    assert http.send(URL, NEW | {"password": "password123"}).status_code == 201


@pytest.mark.parametrize("body", [NEW, {}, None])
def test_closed(http: Http, settings: Settings, body: Any) -> None:
    settings.REGISTRATION = "closed"
    reply = http.send(URL, body)
    assert (reply.status_code, reply.json()["code"]) == (403, "registration_closed")


def test_ten_an_hour_from_one_address(http: Http, vera: User, limits_clock: MonotonicClock) -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def register(number: int, address: str = "198.51.100.7") -> Any:
        body = {"username": f"user{number}", "password": PASSWORD}
        return http.generic("POST", URL, json.dumps(body), "application/json", REMOTE_ADDR=address)

    with time_machine.travel(now, tick=False):
        assert {http.send(URL, NEW | {"username": "vera"}).status_code for _ in range(15)} == {400}
        assert [register(number).status_code for number in range(10)] == [201] * 10
        refused = register(10)
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert refused["Retry-After"] == "3600"
        assert register(11, address="198.51.100.8").status_code == 201
        limits_clock.shift(3601)
        assert register(12).status_code == 201


def test_a_name_taken_in_between_is_400(http: Http, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(User, "save", taken)
    reply = http.send(URL, NEW)
    assert (reply.status_code, reply.json()["errors"]) == (400, {"username": ["This user name is taken."]})


@pytest.mark.each_case
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", [{"email": ""}, {"username": "NewUser", "email": ""}, {"username": "other"}])
def test_of_two_at_once_one_wins(change: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    both = Barrier(2)
    insert = registration._insert

    def together(user: User) -> None:
        both.wait(5)
        insert(user)

    monkeypatch.setattr(registration, "_insert", together)

    def register(body: dict[str, Any]) -> int:
        try:
            return int(Http().send(URL, body).status_code)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(register, [NEW, NEW | change])) == [201, 400]
    assert User.objects.count() == 1
