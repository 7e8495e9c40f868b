"""The cross-site rule of section 0, at every door that has it."""

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from ozone.accounts.tokens import issue
from ozone.webapi.tests.conftest import PASSWORD, Http

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

OUR_APP = "https://app.example.com"
RULE = [
    # Origin, Sec-Fetch-Site, passes
    (None, None, True),
    ("https://testserver", None, True),
    ("https://testserver", "same-origin", True),
    (None, "same-origin", True),
    (None, "none", True),
    (OUR_APP, None, True),
    (OUR_APP, "cross-site", True),
    (OUR_APP, "same-site", True),
    ("https://evil.example", None, False),
    ("https://evil.example", "cross-site", False),
    ("http://testserver", None, False),
    ("https://testserver:8443", None, False),
    ("https://testserver.evil.example", None, False),
    ("null", None, False),
    ("null", "cross-site", False),
    ("", None, False),
    (None, "same-site", False),
    (None, "cross-site", False),
    (None, "anything", False),
]


@pytest.fixture(autouse=True)
def _our_app(settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = [OUR_APP]


def headers(origin: str | None, fetch_site: str | None) -> dict[str, str]:
    pairs = {"origin": origin, "sec_fetch_site": fetch_site}
    return {name: value for name, value in pairs.items() if value is not None}


@pytest.mark.parametrize(("origin", "fetch_site", "passes"), RULE)
def test_rule(http: Http, olga: User, origin: str | None, fetch_site: str | None, passes: bool) -> None:
    sent = headers(origin, fetch_site)
    credentials = {"username": "olga", "password": PASSWORD}
    for door, body in [
        ("/api/auth/login", credentials),
        ("/api/auth/token", credentials),
        ("/api/admin/login", credentials),
        ("/api/auth/register", credentials | {"username": "new"}),
        ("/api/any", {}),
        ("/api/auth/logout", None),
    ]:
        http.force_login(olga)
        reply = http.send(door, body, **sent)
        assert (door, reply.status_code in (200, 201)) == (door, passes)
        if not passes:
            assert (reply.status_code, reply.json()["code"]) == (403, "cross_site")


def test_reading_is_free(http: Http, olga: User) -> None:
    http.force_login(olga)
    assert http.send("/api/any", method="GET", origin="https://evil.example").status_code == 200


def test_a_token_is_not_a_cookie(olga: User) -> None:
    token = issue(olga, as_staff=False)[0]
    assert Http(token=token).send("/api/any", {}, origin="https://evil.example").status_code == 200


def test_none_is_allowed_by_default(http: Http, olga: User, settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = []
    http.force_login(olga)
    assert http.send("/api/any", {}, origin=OUR_APP).status_code == 403


@pytest.mark.parametrize(("proxies", "status"), [(["127.0.0.1"], 200), ([], 403)])
def test_behind_a_proxy(http: Http, olga: User, settings: Settings, proxies: list[str], status: int) -> None:
    settings.TRUSTED_PROXIES = proxies
    settings.ALLOWED_HOSTS = ["testserver", "ozone.example.com"]
    http.force_login(olga)
    forwarded = {"x_forwarded_host": "ozone.example.com", "x_forwarded_proto": "https"}
    reply = http.send("/api/any", {}, origin="https://ozone.example.com", **forwarded)
    assert reply.status_code == status
