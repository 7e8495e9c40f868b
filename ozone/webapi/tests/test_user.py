"""`auth/user` and `auth/check`."""

import pytest
from django.contrib.auth.models import User

from ozone.accounts.tokens import issue
from ozone.webapi.tests.conftest import Http, described

pytestmark = pytest.mark.django_db

USER = "/api/auth/user/"
CHECK = "/api/auth/check/"
NOBODY = {"authenticated": False, "user": None}


@pytest.mark.parametrize("slash", ["", "/"])
def test_it_works(http: Http, olga: User, slash: str) -> None:
    http.force_login(olga)
    reply = http.send(USER.rstrip("/") + slash, method="GET")
    assert (reply.status_code, reply.json()) == (200, {"success": True, "user": described(olga)})
    reply = http.send(CHECK.rstrip("/") + slash, method="GET")
    assert (reply.status_code, reply.json()) == (200, {"authenticated": True, "user": described(olga)})


def test_with_an_access_token(vera: User) -> None:
    http = Http(token=issue(vera, as_staff=False)[0])
    assert http.send(USER, method="GET").json() == {"success": True, "user": described(vera)}
    assert http.send(CHECK, method="GET").json() == {"authenticated": True, "user": described(vera)}


def test_signed_out(http: Http) -> None:
    reply = http.send(USER, method="GET")
    assert reply.status_code == 401
    assert reply["WWW-Authenticate"] == "Bearer"
    assert reply.json() == {"detail": "Sign in, or send an access token.", "code": "signed_out"}
    reply = http.send(CHECK, method="GET")
    assert (reply.status_code, reply.json()) == (200, NOBODY)


@pytest.mark.parametrize("header", ["Bearer nonsense", "Bearer ", "Bearer", "Basic dmVyYTp2ZXJh", "", "Bearer \xff"])
@pytest.mark.sqlite_only
def test_a_bad_header_alone_decides(http: Http, vera: User, header: str) -> None:
    http.force_login(vera)
    reply = http.send(USER, method="GET", authorization=header)
    assert (reply.status_code, reply.json()["code"]) == (401, "bad_credential")
    reply = http.send(CHECK, method="GET", authorization=header)
    assert (reply.status_code, reply.json()) == (200, NOBODY)


def test_a_good_header_alone_decides(vera: User, olga: User) -> None:
    http = Http(token=issue(olga, as_staff=False)[0])
    http.force_login(vera)
    assert http.send(USER, method="GET").json()["user"]["username"] == "olga"


def test_deactivated(http: Http, vera: User) -> None:
    http.force_login(vera)
    vera.is_active = False
    vera.save()
    assert http.send(USER, method="GET").status_code == 401
    assert http.send(CHECK, method="GET").json() == NOBODY


def test_a_station_connector(connector: User) -> None:
    http = Http(token=issue(connector, as_staff=True)[0])
    reply = http.send(USER, method="GET")
    assert (reply.status_code, reply.json()["code"]) == (403, "stations_only")
    assert http.send(CHECK, method="GET").json() == NOBODY
