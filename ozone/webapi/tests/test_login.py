from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore

from ozone.webapi.tests.conftest import PASSWORD, Http, described

pytestmark = pytest.mark.django_db

URL = "/api/auth/login/"


def test_it_works(http: Http, vera: User) -> None:
    reply = http.send(URL, {"username": "vera", "password": PASSWORD})
    assert reply.status_code == 200
    assert reply.json() == {
        "success": True,
        "user": {
            "id": vera.pk,
            "username": "vera",
            "email": "vera@example.com",
            "first_name": "Vera",
            "last_name": "Lind",
            "is_staff": False,
            "is_superuser": False,
        },
    }
    assert reply.cookies["sessionid"]["httponly"]
    assert http.send("/api/auth/user/", method="GET").json() == {"success": True, "user": described(vera)}


@pytest.mark.parametrize(
    ("username", "password"),
    [("vera", "wrong"), ("nobody", PASSWORD), ("vera@example.com", PASSWORD), ("x" * 500, "x")],
)
def test_wrong(http: Http, vera: User, username: str, password: str) -> None:
    reply = http.send(URL, {"username": username, "password": password})
    assert reply.status_code == 401
    assert reply["WWW-Authenticate"] == "Bearer"
    assert reply.json() == {"success": False, "message": "Invalid credentials"}
    assert "sessionid" not in reply.cookies


def test_inactive(http: Http, vera: User) -> None:
    vera.is_active = False
    vera.save()
    assert http.send(URL, {"username": "vera", "password": PASSWORD}).status_code == 401


def test_the_session_of_before_is_left_behind(http: Http, vera: User, olga: User) -> None:
    def key(username: str) -> str:
        reply = http.send(URL, {"username": username, "password": PASSWORD})
        return str(reply.cookies["sessionid"].value)

    planted = SessionStore()
    planted.create()
    http.cookies["sessionid"] = str(planted.session_key)
    keys = [str(planted.session_key), key("vera"), key("olga")]
    assert len(set(keys)) == 3
    assert not any(SessionStore().exists(old) for old in keys[:2])


def test_an_unknown_name_costs_a_hash_too(http: Http, vera: User, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counting(self: Any, password: str, salt: str) -> str:
        hashed.append(password)
        return encode(self, password, salt)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counting)
    http.send(URL, {"username": "vera", "password": "wrong"})
    http.send(URL, {"username": "nobody", "password": "wrong"})
    http.send("/api/admin/login", {"email": "nobody@example.com", "password": "wrong"})
    assert hashed == ["wrong"] * 3


def test_no_word_of_the_password_in_logs_and_replies(http: Http, vera: User, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        replies = [
            http.send(URL, {"username": "vera", "password": "hunter2-wrong"}),
            http.send(URL, {"username": {}, "password": "hunter2-wrong"}),
            http.send(URL, b'{"username": "vera", "password": "hunter2-wrong"', kind="application/json"),
        ]
    assert "hunter2" not in caplog.text
    assert not any(b"hunter2" in reply.content for reply in replies)


def test_a_station_connector_gets_no_session(http: Http, connector: User) -> None:
    reply = http.send(URL, {"username": "kiosk", "password": PASSWORD})
    assert (reply.status_code, reply.json()["code"]) == (403, "stations_only")
    assert "sessionid" not in reply.cookies
    assert http.send("/api/auth/check/", method="GET").json() == {"authenticated": False, "user": None}
    assert http.send("/api/admin/login", {"username": "kiosk", "password": PASSWORD}).status_code == 200


def test_a_session_ends_where_its_account_becomes_a_station_connector(http: Http, root: User) -> None:
    assert http.send(URL, {"username": "root", "password": PASSWORD}).status_code == 200
    root.groups.add(Group.objects.create(name="station-connector"))
    assert http.send("/api/auth/user/", method="GET").status_code == 401
