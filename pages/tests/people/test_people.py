"""Signing in and out, making an account, and one's own account."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from conftest import MonotonicClock
from pages.tests.conftest import PASSWORD, TOKENS, SignIn

pytestmark = pytest.mark.django_db

NEW = "a short ride to the mill"


def sign_in(client: Client, password: str, path: str = "/login/") -> Any:
    return client.post(path, {"username": "vera", "password": password})


def register(client: Client, **fields: str) -> Any:
    return client.post("/register/", {"username": "nora", "password": NEW, "password_again": NEW, **fields})


class TestSignIn:
    @pytest.mark.parametrize("path", ["/login", "/login/"])
    def test_it_works(self, client: Client, vera: User, path: str) -> None:
        assert b"<h1>Sign in</h1>" in client.get(path).content
        reply = sign_in(client, PASSWORD, path)
        assert (reply.status_code, reply["Location"]) == (302, "/")
        assert client.get(TOKENS).status_code == 200

    def test_back_to_where_one_wanted_to_go(self, client: Client, vera: User) -> None:
        html = client.get("/login/?next=/account").content.decode()
        assert '<input type="hidden" name="next" value="/account">' in html
        fields = {"username": "vera", "password": PASSWORD, "next": "/account"}
        assert client.post("/login/", fields)["Location"] == "/account"

    @pytest.mark.parametrize("elsewhere", ["https://evil.example", "//evil.example", "javascript:alert(1)"])
    def test_never_to_another_site(self, client: Client, vera: User, elsewhere: str) -> None:
        fields = {"username": "vera", "password": PASSWORD, "next": elsewhere}
        assert client.post("/login/", fields)["Location"] == "/"

    def test_wrong_password(self, client: Client, vera: User) -> None:
        reply = sign_in(client, "wrong")
        assert reply.status_code == 200
        assert b'role="alert"' in reply.content
        assert client.get(TOKENS).status_code == 302

    @pytest.mark.parametrize("path", ["/login/", "/admin/login/"])
    def test_a_station_connector(self, client: Client, vera: User, path: str) -> None:
        vera.is_staff = vera.is_superuser = True
        vera.save()
        vera.groups.add(Group.objects.create(name="station-connector"))
        reply = sign_in(client, PASSWORD, path)
        assert reply.status_code == 200
        assert b"stations&#x27; messages and has no pages" in reply.content
        assert "sessionid" not in client.cookies
        assert client.get(TOKENS).status_code == client.get("/admin/").status_code == 302

    @pytest.mark.parametrize("path", [TOKENS, "/", "/devices", "/account", "/admin/"])
    def test_pages_end_for_a_station_connector(self, signed_in: SignIn, vera: User, path: str) -> None:
        vera.is_staff = vera.is_superuser = True
        vera.save()
        browser = signed_in(vera)
        assert browser.get(path).status_code == 200
        vera.groups.add(Group.objects.create(name="station-connector"))
        reply = browser.get(path)
        assert (reply.status_code, "login" in reply["Location"]) == (302, True)

    def test_lockout(self, client: Client, vera: User) -> None:
        for _ in range(10):
            sign_in(client, "wrong")
        reply = sign_in(client, PASSWORD)
        assert reply.status_code == 429
        assert int(reply["Retry-After"]) > 0
        assert b"Too many failed sign-ins" in reply.content

    def test_signed_in_already(self, signed_in: SignIn, vera: User) -> None:
        for path in ("/login/", "/register/"):
            assert signed_in(vera).get(path).status_code == 302

    def test_sign_out(self, signed_in: SignIn, vera: User) -> None:
        client = signed_in(vera)
        reply = client.post("/logout/")
        assert (reply.status_code, reply["Location"]) == (302, "/login/")
        assert client.get(TOKENS).status_code == 302


class TestRegister:
    def test_it_works(self, client: Client) -> None:
        reply = register(client, email="nora@example.com")
        assert (reply.status_code, reply["Location"]) == (302, "/")
        nora = User.objects.get(username="nora")
        assert (nora.email, nora.is_staff, nora.check_password(NEW)) == ("nora@example.com", False, True)
        assert b"Welcome, nora." in client.get("/").content

    def test_name_taken(self, client: Client, vera: User) -> None:
        reply = register(client, username="Vera")
        assert reply.status_code == 200
        assert '<ul class="errorlist" id="id_username_error"><li>This user name is taken.</li></ul>' in str(
            reply.content.decode()
        )
        assert User.objects.count() == 1

    def test_passwords_differ(self, client: Client) -> None:
        reply = register(client, password_again="another")
        assert b"The two passwords differ." in reply.content
        assert not User.objects.exists()

    def test_a_weak_password(self, client: Client) -> None:
        reply = register(client, password="123", password_again="123")
        assert b'id="id_password_error"' in reply.content
        assert not User.objects.exists()

    def test_names_are_escaped(self, client: Client) -> None:
        reply = register(client, username="<script>alert(1)</script>")
        assert b"<script>alert" not in reply.content
        assert not User.objects.exists()

    def test_closed(self, client: Client, settings: Settings) -> None:
        settings.REGISTRATION = "closed"
        for reply in (client.get("/register/"), register(client)):
            assert reply.status_code == 403
            assert b"<h1>Registration is closed</h1>" in reply.content
        assert not User.objects.exists()
        assert b"Make an account" not in client.get("/login/").content

    def test_too_many_from_one_address(self, settings: Settings, limits_clock: MonotonicClock) -> None:
        settings.LIMIT_REGISTRATIONS = "1/3600"
        assert register(Client()).status_code == 302
        reply = register(Client(), username="nils")
        assert reply.status_code == 429
        assert reply["Retry-After"] == "3600"
        assert b"Too many accounts were made from this address. Try again in 1 h." in reply.content
        assert User.objects.count() == 1


class TestAccount:
    def change(self, client: Client, old: str, new: str = NEW, again: str = NEW) -> Any:
        return client.post("/account", {"old_password": old, "new_password1": new, "new_password2": again})

    def test_who_am_i(self, signed_in: SignIn, vera: User) -> None:
        html = signed_in(vera).get("/account").content.decode()
        assert "<dd>vera@example.com</dd>" in html
        assert "Sees their own devices" in html

    def test_new_password(self, signed_in: SignIn, vera: User) -> None:
        client, other = signed_in(vera), signed_in(vera)
        reply = self.change(client, PASSWORD)
        assert (reply.status_code, reply["Location"]) == (302, "/account")
        assert b"Your password is changed." in client.get("/account").content
        assert other.get("/account").status_code == 302
        vera.refresh_from_db()
        assert vera.check_password(NEW)

    def test_wrong_current_password(self, signed_in: SignIn, vera: User) -> None:
        reply = self.change(signed_in(vera), "wrong")
        assert reply.status_code == 200
        assert b'id="id_old_password_error"><li>This is not your password.' in reply.content
        vera.refresh_from_db()
        assert vera.check_password(PASSWORD)

    def test_new_ones_differ(self, signed_in: SignIn, vera: User) -> None:
        assert b'id="id_new_password2_error"' in self.change(signed_in(vera), PASSWORD, again="other").content

    def test_wrong_tries_count_as_failed_sign_ins(self, signed_in: SignIn, vera: User) -> None:
        client = signed_in(vera)
        for _ in range(10):
            self.change(client, "wrong")
        reply = self.change(client, PASSWORD)
        assert reply.status_code == 429
        assert int(reply["Retry-After"]) > 0
        assert sign_in(Client(), PASSWORD).status_code == 429
        vera.refresh_from_db()
        assert vera.check_password(PASSWORD)
