"""Signing in on a page, and in Django's admin site."""

import pytest
from django.contrib import admin
from django.contrib.auth.models import User

from conftest import MonotonicClock
from ozone.accounts.forms import AdminSignInForm
from ozone.webapi.tests.conftest import PASSWORD, Http

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]


def test_it_works(http: Http, olga: User) -> None:
    assert admin.site.login_form is AdminSignInForm
    for page in ("/login/?next=/there", "/admin/login/?next=/there"):
        reply = http.post(page, {"username": "olga", "password": PASSWORD})
        assert (reply.status_code, reply["Location"]) == (302, "/there")
        assert http.send("/api/auth/check", method="GET").json()["authenticated"]
        http.logout()


def test_wrong(http: Http, olga: User, vera: User) -> None:
    for page, name, password in [
        ("/login/", "olga", "wrong"),
        ("/admin/login/", "olga", "wrong"),
        ("/admin/login/", "vera", PASSWORD),
    ]:
        reply = http.post(page, {"username": name, "password": password})
        assert reply.status_code == 200
        assert b"Please enter a correct username" in reply.content or b"Please enter the correct" in reply.content
        assert not http.send("/api/auth/check", method="GET").json()["authenticated"]


def test_past_the_limit_the_page_says_for_how_long(http: Http, olga: User, limits_clock: MonotonicClock) -> None:
    for page in ("/login/", "/admin/login/"):
        for _ in range(10):
            http.post(page, {"username": "olga", "password": "wrong"})
        reply = http.post(page, {"username": "olga", "password": PASSWORD})
        assert reply.status_code == 429
        assert reply["Retry-After"] == "300"
        assert b"Too many failed sign-ins. Try again in 5 min." in reply.content
