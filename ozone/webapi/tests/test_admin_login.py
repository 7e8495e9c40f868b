"""`admin/login` and `auth/token`: access tokens."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from ozone.webapi.tests.conftest import PASSWORD, Http, described

pytestmark = pytest.mark.django_db

ADMIN = "/api/admin/login"
TOKEN = "/api/auth/token/"
INVALID = {"success": False, "message": "Invalid credentials", "error": "INVALID_CREDENTIALS"}


def take_tokens(data: dict[str, Any]) -> tuple[str, str]:
    access, refresh = data.pop("access_token"), data.pop("refresh_token")
    assert access.count(".") == refresh.count(".") == 2
    assert access != refresh
    return access, refresh


@pytest.mark.parametrize("name", [{"username": "olga"}, {"email": "olga@example.com"}, {"email": "OLGA@Example.com"}])
def test_it_works(http: Http, olga: User, name: dict[str, str]) -> None:
    reply = http.send(ADMIN, name | {"password": PASSWORD})
    body = reply.json()
    access, _ = take_tokens(body["data"])
    assert reply.status_code == 200
    assert reply["Cache-Control"] == "no-store"
    assert body == {
        "success": True,
        "message": "Admin login successful",
        "data": {"user_id": olga.pk, "user": described(olga)},
    }
    assert "sessionid" not in reply.cookies
    assert Http(token=access).send("/api/auth/user", method="GET").json()["user"] == described(olga)


def test_any_user_gets_tokens_at_the_other_door(http: Http, vera: User) -> None:
    reply = http.send(TOKEN, {"username": "vera", "password": PASSWORD})
    body = reply.json()
    access, _ = take_tokens(body["data"])
    assert reply.status_code == 200
    assert body == {"success": True, "data": {"user_id": vera.pk, "user": described(vera)}}
    assert "sessionid" not in reply.cookies
    assert Http(token=access).send("/api/auth/user", method="GET").json()["user"] == described(vera)


@pytest.mark.parametrize(
    ("door", "name", "password"),
    [
        (ADMIN, {"username": "olga"}, "wrong"),
        (ADMIN, {"email": "olga@example.com"}, "wrong"),
        (ADMIN, {"username": "olga@example.com"}, PASSWORD),
        (ADMIN, {"email": "olga"}, PASSWORD),
        (ADMIN, {"email": "nobody@example.com"}, PASSWORD),
        (ADMIN, {"username": "vera"}, PASSWORD),
        (ADMIN, {"email": "vera@example.com"}, PASSWORD),
        (TOKEN, {"username": "vera"}, "wrong"),
        (TOKEN, {"username": "nobody"}, PASSWORD),
    ],
)
def test_wrong(http: Http, olga: User, vera: User, door: str, name: dict[str, str], password: str) -> None:
    reply = http.send(door, name | {"password": password})
    assert (reply.status_code, reply.json()) == (401, INVALID)
    assert reply["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("door", [ADMIN, TOKEN])
def test_inactive(http: Http, olga: User, door: str) -> None:
    olga.is_active = False
    olga.save()
    reply = http.send(door, {"username": "olga", "password": PASSWORD})
    assert (reply.status_code, reply.json()) == (401, INVALID)


def test_no_name(http: Http) -> None:
    reply = http.send(ADMIN, {"password": PASSWORD})
    assert (reply.status_code, reply.json()) == (
        400,
        {
            "detail": "email: Send an email or a username.",
            "code": "invalid",
            "errors": {"email": ["Send an email or a username."]},
        },
    )


class TestEmail:
    def sign_in(self, http: Http) -> int:
        return int(http.send(ADMIN, {"email": "olga@example.com", "password": PASSWORD}).status_code)

    def test_of_two_members_of_staff(self, http: Http, olga: User) -> None:
        User.objects.create_user("olga2", "Olga@Example.com", "another", is_staff=True)
        assert self.sign_in(http) == 401

    def test_shared_with_somebody_who_is_not_staff(self, http: Http, olga: User) -> None:
        User.objects.create_user("olga2", "olga@example.com", PASSWORD)
        assert self.sign_in(http) == 200

    def test_shared_with_somebody_who_has_left(self, http: Http, olga: User) -> None:
        User.objects.create_user("olga2", "olga@example.com", PASSWORD, is_staff=True, is_active=False)
        assert self.sign_in(http) == 200

    def test_that_is_another_account_s_user_name(self, http: Http, olga: User) -> None:
        User.objects.create_user("olga@example.com", "", "another", is_staff=True)
        assert self.sign_in(http) == 200

    def test_empty_ones_do_not_match(self, http: Http, db: None) -> None:
        User.objects.create_user("noname", "", PASSWORD, is_staff=True)
        assert http.send(ADMIN, {"email": " ", "password": PASSWORD}).status_code == 400


def test_a_station_connector(http: Http, connector: User) -> None:
    data = http.send(ADMIN, {"email": "kiosk@example.com", "password": PASSWORD}).json()["data"]
    access = http.send("/api/admin/refresh", {"refresh_token": data["refresh_token"]}).json()["data"]["access_token"]
    for token in (data["access_token"], access):
        bearer = Http(token=token)
        assert bearer.send("/api/stations", method="GET").json() == {"caller": "kiosk"}
        for path in ("/api/any", "/api/staff", "/api/staff-writes", "/api/local", "/api/meter"):
            reply = bearer.send(path, method="GET")
            assert (reply.status_code, reply.json()["code"]) == (403, "stations_only")
    connector.groups.clear()
    assert bearer.send("/api/any", method="GET").status_code == 200
