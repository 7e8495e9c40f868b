import pytest
from django.contrib.auth.models import User

from ozone.accounts.tokens import issue
from ozone.webapi.tests.conftest import Http

pytestmark = pytest.mark.django_db

URL = "/api/auth/logout/"
DONE = {"success": True, "message": "Successfully logged out"}


@pytest.mark.parametrize("url", [URL, URL.rstrip("/")])
def test_it_works(http: Http, vera: User, url: str) -> None:
    http.force_login(vera)
    reply = http.send(url)
    assert (reply.status_code, reply.json()) == (200, DONE)
    assert http.send("/api/auth/user/", method="GET").status_code == 401


def test_signed_out_already(http: Http) -> None:
    reply = http.send(URL)
    assert (reply.status_code, reply.json()) == (200, DONE)


def test_from_another_site(http: Http, vera: User) -> None:
    http.force_login(vera)
    reply = http.send(URL, origin="https://evil.example")
    assert (reply.status_code, reply.json()["code"]) == (403, "cross_site")
    assert http.send("/api/auth/user/", method="GET").status_code == 200


def test_a_header_alone_decides(vera: User, olga: User) -> None:
    http = Http(token=issue(olga, as_staff=False)[0])
    http.force_login(vera)
    assert http.send(URL).json() == DONE
    del http.defaults["HTTP_AUTHORIZATION"]
    assert http.send("/api/auth/user/", method="GET").json()["user"]["username"] == "vera"


def test_bad_token(vera: User) -> None:
    http = Http(token="nonsense")
    http.force_login(vera)
    assert http.send(URL).status_code == 401
