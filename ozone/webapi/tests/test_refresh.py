"""`admin/refresh`, and when tokens die."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
import time_machine
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from pytest_django import Settings

from ozone.accounts.tokens import AUDIENCE, issue
from ozone.webapi.tests.conftest import Http

pytestmark = pytest.mark.django_db

URL = "/api/admin/refresh"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def refreshed(token: str) -> int:
    return int(Http().send(URL, {"refresh_token": token}).status_code)


def read_with(token: str) -> int:
    return int(Http(token=token).send("/api/auth/user", method="GET").status_code)


@pytest.mark.parametrize("url", [URL, f"{URL}/"])
def test_it_works(http: Http, olga: User, url: str) -> None:
    reply = http.send(url, {"refresh_token": issue(olga, as_staff=True)[1]})
    body = reply.json()
    access = body["data"].pop("access_token")
    assert (reply.status_code, body) == (200, {"success": True, "data": {}})
    assert reply["Cache-Control"] == "no-store"
    assert read_with(access) == 200


def test_an_access_token_is_no_refresh_token(http: Http, olga: User) -> None:
    access, refresh = issue(olga, as_staff=True)
    assert (refreshed(access), read_with(refresh)) == (401, 401)
    reply = http.send(URL, {"refresh_token": access})
    assert reply.json() == {"detail": "This is not a refresh token.", "code": "bad_credential"}
    assert reply["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["nonsense", "a.b.c", "é", "null"])
def test_nonsense(token: str) -> None:
    assert refreshed(token) == 401


def test_lifetimes(olga: User) -> None:
    with time_machine.travel(NOW, tick=False):
        access, refresh = issue(olga, as_staff=True)
    for age, expected in [
        (timedelta(minutes=60, seconds=-1), (200, 200)),
        (timedelta(minutes=60, seconds=1), (401, 200)),
        (timedelta(hours=24, seconds=-1), (401, 200)),
        (timedelta(hours=24, seconds=1), (401, 401)),
    ]:
        with time_machine.travel(NOW + age, tick=False):
            assert (read_with(access), refreshed(refresh)) == expected


def test_lifetimes_are_options(olga: User, settings: Settings) -> None:
    settings.ACCESS_TOKEN_MINUTES, settings.REFRESH_TOKEN_HOURS = 5, 1
    settings.SIMPLE_JWT = {"ACCESS_TOKEN_LIFETIME": timedelta(days=9), "ALGORITHM": "HS512"}
    with time_machine.travel(NOW, tick=False):
        access, refresh = issue(olga, as_staff=True)
    with time_machine.travel(NOW + timedelta(minutes=6), tick=False):
        assert (read_with(access), refreshed(refresh)) == (401, 200)
    with time_machine.travel(NOW + timedelta(minutes=61), tick=False):
        assert refreshed(refresh) == 401


@pytest.mark.parametrize("as_staff", [True, False])
class TestTokensDieWith:
    def check(self, tokens: tuple[str, str], status: int) -> None:
        access, refresh = tokens
        assert (read_with(access), refreshed(refresh)) == (status, status)

    def test_deactivation(self, olga: User, as_staff: bool) -> None:
        tokens = issue(olga, as_staff=as_staff)
        self.check(tokens, 200)
        User.objects.update(is_active=False)
        self.check(tokens, 401)

    def test_a_new_password(self, olga: User, as_staff: bool) -> None:
        tokens = issue(olga, as_staff=as_staff)
        olga.set_password("another one")
        olga.save()
        self.check(tokens, 401)

    def test_the_account(self, olga: User, as_staff: bool) -> None:
        tokens = issue(olga, as_staff=as_staff)
        olga.delete()
        self.check(tokens, 401)

    def test_loss_of_staff_status_if_they_came_with_it(self, olga: User, as_staff: bool) -> None:
        tokens = issue(olga, as_staff=as_staff)
        User.objects.update(is_staff=False)
        self.check(tokens, 401 if as_staff else 200)
        assert Http(token=tokens[0]).send("/api/staff", method="GET").status_code == (401 if as_staff else 403)


def test_a_refreshed_token_dies_with_the_staff_status_too(http: Http, olga: User) -> None:
    access = http.send(URL, {"refresh_token": issue(olga, as_staff=True)[1]}).json()["data"]["access_token"]
    User.objects.update(is_staff=False)
    assert read_with(access) == 401


def test_forged(olga: User) -> None:
    access, _ = issue(olga, as_staff=True)
    key = django_settings.SECRET_KEY
    claims = jwt.decode(access, key, algorithms=["HS256"], audience=AUDIENCE)
    assert read_with(jwt.encode(claims, key, algorithm="HS256")) == 200
    unsigned = jwt.encode(claims, "", algorithm="none")
    other_key = jwt.encode(claims, "x" * 40, algorithm="HS256")
    of_the_host = jwt.encode({k: v for k, v in claims.items() if k != "aud"}, key, algorithm="HS256")
    assert [read_with(token) for token in (unsigned, other_key, of_the_host)] == [401, 401, 401]


def test_a_token_tells_nothing_of_the_password(olga: User) -> None:
    claims = jwt.decode(issue(olga, as_staff=True)[0], options={"verify_signature": False})
    assert claims.keys() == {"use", "user", "staff", "stamp", "exp", "aud"}
    assert claims["stamp"] not in olga.password + olga.get_session_auth_hash()
