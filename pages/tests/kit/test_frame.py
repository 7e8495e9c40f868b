"""What goes wrong on a page is shown as a page; no page is kept by a cache."""

import re
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.test import Client
from pytest_django import Settings

from ozone.wire.errors import TooManyRequests
from pages.tests.conftest import ACTIONS, TOKENS, SignIn

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


def is_page(reply: Any, title: str) -> bool:
    html = reply.content.decode()
    return reply["Content-Type"].startswith("text/html") and f"<h1>{title}</h1>" in html and "pages/pages.css" in html


@pytest.mark.parametrize("path", ["/", TOKENS, f"{TOKENS}/", f"{ACTIONS}/revoke-key", f"{ACTIONS}/", "/account"])
def test_signed_out_one_is_sent_to_sign_in_and_back(client: Client, path: str) -> None:
    reply = client.get(path)
    assert (reply.status_code, reply["Location"]) == (302, f"/login/?next={path}")


@pytest.mark.parametrize("path", ["/", TOKENS, f"{TOKENS}/", "/account", "/account/"])
def test_pages_are_not_kept(signed_in: SignIn, vera: User, path: str) -> None:
    reply = signed_in(vera).get(path)
    assert reply.status_code == 200
    assert "no-store" in reply["Cache-Control"]


def test_nothing_there(client: Client) -> None:
    reply = client.get("/no/such/page")
    assert reply.status_code == 404
    assert is_page(reply, "Nothing here")


def test_device_that_is_not_there(signed_in: SignIn, vera: User) -> None:
    reply = signed_in(vera).get(f"{ACTIONS}/revoke-key?device=999")
    assert reply.status_code == 404
    assert is_page(reply, "Nothing here")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", ACTIONS, {"GET", "HEAD", "POST"}),
        ("DELETE", "/account", {"GET", "HEAD", "POST"}),
        ("GET", f"{ACTIONS}/1/revoke", {"POST"}),
        ("POST", "/", {"GET", "HEAD"}),
        ("GET", "/logout/", {"POST", "OPTIONS"}),
    ],
)
def test_wrong_method(signed_in: SignIn, vera: User, method: str, path: str, allowed: set[str]) -> None:
    reply = signed_in(vera).generic(method, path)
    assert reply.status_code == 405
    assert set(reply["Allow"].split(", ")) == allowed
    assert is_page(reply, "Not this way")


OTHER_SITES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://testserver"},  # another scheme
]
OWN_FORMS = [
    {},  # no browser: a cookie jar
    {"Origin": "http://testserver"},
    {"Origin": "http://testserver", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "http://localhost:3000"},  # of CORS_ALLOWED_ORIGINS
]


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
@pytest.mark.parametrize("path", [ACTIONS, f"{ACTIONS}/1/revoke", f"{ACTIONS}/revoke-key", "/account", "/logout/"])
def test_forms_of_other_sites_are_refused(vera: User, path: str, headers: dict[str, str]) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(vera)
    reply = client.post(path, {"device": "1"}, headers=headers)
    assert reply.status_code == 403
    assert is_page(reply, "You may not do this")
    assert client.get("/", headers=headers).status_code == 200  # signed in still, and a link may lead here


@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
@pytest.mark.parametrize("path", ["/login/", "/register/"])
def test_forms_of_other_sites_are_refused_signed_out(path: str, headers: dict[str, str]) -> None:
    reply = Client(enforce_csrf_checks=True).post(path, {"username": "mallory", "password": "x"}, headers=headers)
    assert reply.status_code == 403
    assert is_page(reply, "You may not do this")


@pytest.mark.parametrize("headers", OWN_FORMS, ids=str)
def test_own_form_passes_the_check(vera: User, headers: dict[str, str], settings: Settings) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["http://localhost:3000"]
    vera.set_password("vera's own words")
    vera.save()
    client = Client(enforce_csrf_checks=True)
    form = {"username": vera.username, "password": "vera's own words"}
    assert client.post("/login/", form, headers=headers).status_code == 302
    assert client.get("/account").status_code == 200
    assert client.post("/logout/", headers=headers).status_code == 302
    assert client.get("/account").status_code == 302


def test_form_of_the_admin_site_needs_djangos_token(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    reply = client.post("/admin/device_gateway/device/add/", {"name": "no token"})
    assert reply.status_code == 403
    assert is_page(reply, "Please send it again")


def test_our_own_fault(signed_in: SignIn, vera: User) -> None:
    with patch("pages.dashboard.fleet.overview", side_effect=ZeroDivisionError("secret words")):
        reply = signed_in(vera).get("/")
    assert reply.status_code == 500
    assert is_page(reply, "Something failed on our side")
    assert b"secret words" not in reply.content


def test_database_away(signed_in: SignIn, vera: User) -> None:
    with patch("pages.dashboard.fleet.overview", side_effect=OperationalError("database is locked")):
        reply = signed_in(vera).get("/")
    assert reply.status_code == 503
    assert int(reply["Retry-After"]) > 0
    assert is_page(reply, "The server is busy")


def test_nothing_inline_and_nothing_from_elsewhere(signed_in: SignIn, olga: User) -> None:
    for path in ("/", "/stats/", TOKENS, "/account", f"{ACTIONS}/revoke-key"):
        html = signed_in(olga).get(path).content.decode()
        assert "<style" not in html
        assert " style=" not in html
        of_our_files = re.findall(r'<script src="/static/[^"]+"[^>]*></script>', html)
        assert 1 <= len(of_our_files) == html.count("<script")
        assert not re.search(r"<[^>]*\son\w+=", html)
        assert 'src="http' not in html
        assert 'href="http' not in html


def test_icon_for_pages_that_name_none(client: Client) -> None:
    reply = client.get("/favicon.ico")
    assert (reply.status_code, reply["Location"]) == (302, "/static/pages/favicon.svg")


def test_menu_has_the_entry_that_the_documentation_names(signed_in: SignIn, vera: User) -> None:
    html = signed_in(vera).get("/account").content.decode()
    assert f'<a href="{TOKENS}">Device Token Management</a>' in html


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", "/no/such/page", {}, 404),
        ("GET", "/devices/nobody/", {}, 404),
        ("GET", "/device-add/", {}, 403),
        ("PUT", "/account", {}, 405),
        ("POST", ACTIONS, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("GET", "/stats/", {}, 429),
    ],
)
def test_an_error_page_keeps_the_menu_and_says_who_is_signed_in(
    signed_in: SignIn, vera: User, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with patch("pages.stats.views.places.one", side_effect=TooManyRequests(65)):
        reply = signed_in(vera).generic(method, path, headers=headers)
    assert reply.status_code == status
    html = reply.content.decode()
    assert '<nav class="bar" aria-label="Main">' in html
    assert f"Account <small>{vera.username}</small>" in html
    assert ("Try again in 1 min 5 s." in html) is (status == 429)


def test_the_admin_sites_refusal_keeps_the_menu_too(olga: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(olga)
    html = client.post("/admin/device_gateway/device/add/", {"name": "no token"}).content.decode()
    assert '<nav class="bar" aria-label="Main">' in html
    assert "Account <small>olga</small>" in html


def test_an_error_page_of_nobody_offers_to_sign_in(client: Client) -> None:
    html = client.get("/no/such/page").content.decode()
    assert '<a href="/login">Sign in</a>' in html
    assert "Account <small>" not in html


def test_where_the_database_fails_the_page_asks_it_nothing(signed_in: SignIn, vera: User) -> None:
    with patch("pages.dashboard.fleet.overview", side_effect=OperationalError("database is locked")):
        html = signed_in(vera).get("/").content.decode()
    assert "<nav" not in html
