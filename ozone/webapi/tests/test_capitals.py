"""Capitals in a user name: registration refuses what differs in them alone, and signing in does not ask for them."""

import re
from typing import Any, Final

import pytest
from django.contrib.auth.models import User
from django.db import connection

from ozone.accounts.names import accounts_called
from ozone.webapi.tests.conftest import PASSWORD, Http

pytestmark = pytest.mark.django_db

WAYS: Final = {
    "/api/auth/login": 200,
    "/api/auth/token": 200,
    "/api/admin/login": 200,
    "/login/?next=/there": 302,
    "/admin/login/?next=/there": 302,
}
OTHER: Final = "a short ride to the mill"


def sign_in(way: str, username: str, password: str = PASSWORD) -> tuple[int, str]:
    """The status, and the name of whom it let in."""
    http = Http()
    fields = {"username": username, "password": password}
    reply: Any = http.post(way, fields) if WAYS[way] == 302 else http.send(way, fields)
    if way == "/api/auth/login" and reply.status_code == 200:
        return 200, reply.json()["user"]["username"]
    if WAYS[way] == reply.status_code == 200:
        return 200, reply.json()["data"]["user"]["username"]
    user = http.send("/api/auth/check", method="GET").json()["user"]
    return reply.status_code, user["username"] if user else ""


def make(name: str, password: str = PASSWORD, **fields: Any) -> User:
    return User.objects.create_user(name, password=password, is_staff=True, **fields)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("name", "typed"),
    [("olga", "Olga"), ("Olga", "OLGA"), ("Ольга", "ольга"), ("zoë", "ZOË"), ("Στέλλα", "στέλλα"), ("a.b+c", "A.B+C")],
)
def test_any_case_signs_in(name: str, typed: str, way: str) -> None:
    make(name)
    assert sign_in(way, typed) == (WAYS[way], name)


@pytest.mark.parametrize("name", ["olga", "Ольга"])
def test_registration_refuses_another_case(http: Http, name: str) -> None:
    make(name)
    reply = http.send("/api/auth/register", {"username": name.upper(), "password": PASSWORD})
    assert (reply.status_code, reply.json()["errors"]) == (400, {"username": ["This user name is taken."]})


@pytest.mark.parametrize("way", WAYS)
def test_old_accounts_that_differ_in_case_need_their_spelling(way: str) -> None:
    make("Olga")
    make("olga", OTHER)
    refused = sign_in(way, "OLGA")
    assert refused[1] == ""
    assert refused[0] in (200, 401)
    assert [sign_in(way, "OLGA", OTHER)[1], sign_in(way, "Olga", OTHER)[1], sign_in(way, "olga")[1]] == [""] * 3
    assert [sign_in(way, "Olga")[1], sign_in(way, "olga", OTHER)[1]] == ["Olga", "olga"]


def test_of_two_the_one_that_is_active(http: Http) -> None:
    make("Olga", is_active=False)
    make("olga", OTHER)
    way = "/api/auth/login"
    assert sign_in(way, "OLGA", OTHER) == (200, "olga")
    assert sign_in(way, "Olga", OTHER) == sign_in(way, "Olga") == (401, "")


@pytest.mark.parametrize("typed", [".lga", "olga|vera", "(?i)olga", "olg", "olgaa", "[olga]", "olga\\", "%", "_lga"])
def test_a_name_is_no_pattern(typed: str) -> None:
    make("olga")
    assert sign_in("/api/auth/login", typed) == (401, "")


def test_the_page_says_where_capitals_matter(http: Http) -> None:
    reply = http.post("/login/", {"username": "olga", "password": "wrong"})
    assert b"Please enter a correct username and password. Capitals matter in the password only." in reply.content


@pytest.mark.sqlite_only
def test_of_many_names_few_are_compared(db: None) -> None:
    """SQLite asks Python about each, with its lock held: those of the same length only."""
    User.objects.bulk_create([User(username=f"{'x' * length}{length:02}") for length in range(40)])
    compared: list[str] = []
    connection.ensure_connection()
    connection.connection.create_function("regexp", 2, lambda pattern, name: compared.append(name))
    try:
        assert not accounts_called("Vera").exists()
    finally:
        connection.connection.create_function("regexp", 2, lambda pattern, name: re.search(pattern, name) is not None)
    assert compared == ["xx02"]
