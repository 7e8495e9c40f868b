"""Names and passwords of any length and any characters take no time: they are refused before they are looked at."""

import json
import time
from typing import Any

import pytest
from django.contrib.auth.models import User

from ozone.accounts.signin import LONGEST_PASSWORD
from ozone.webapi.serializers import AdminSignIn, Registration, SignIn
from ozone.webapi.tests.conftest import Http

pytestmark = pytest.mark.django_db

NAMES = {
    "marks": "a" + "\u0315" * 16_000 + "\u0300" * 16_000,
    "letters": "a" * 120_000,
    "hangul": "\u1100" * 30_000,
    "ligatures": "\ufdfa" * 30_000,
    "blanks": " " * 120_000,
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("url", "field", "statuses"),
    [
        ("/api/auth/login/", "username", {401, 400}),
        ("/api/auth/token/", "username", {401, 400}),
        ("/api/admin/login/", "username", {401, 400}),
        ("/api/admin/login/", "email", {401, 400}),
        ("/api/auth/register/", "username", {400}),
        ("/api/auth/register/", "email", {400}),
        ("/api/auth/register/", "first_name", {400, 201}),
        ("/api/auth/login/", "password", {401, 400}),
        ("/api/auth/register/", "password", {400}),
    ],
)
def test_a_name_of_any_length(http: Http, url: str, field: str, statuses: set[int], name: str) -> None:
    fields = {"username": "quokka", "password": "a long walk to the well"} | {field: NAMES[name]}
    if field == "email":
        del fields["username"]
    body = json.dumps(fields, ensure_ascii=False).encode()
    began = time.process_time()
    reply = http.send(url, body)
    assert reply.status_code in statuses
    # Normalising the marks would take three seconds; one password is hashed in a fifth of one.
    assert time.process_time() - began < 1.5


@pytest.mark.parametrize("serializer", [SignIn, AdminSignIn, Registration])
def test_no_more_of_them_is_looked_at_than_is_too_much(serializer: type[Any]) -> None:
    """By whatever goes through every character."""
    seen: list[int] = []
    asked = serializer(data=dict.fromkeys(serializer().fields, "a" * 120_000))
    for field in asked.fields.values():
        field.validators.insert(0, lambda value: seen.append(len(value)))
    asked.is_valid()
    assert len(seen) == len(asked.fields)
    assert max(seen) <= LONGEST_PASSWORD + 1


def test_a_long_password_is_nobodys(http: Http) -> None:
    User.objects.create_user("vera", password="x" * 2000)
    reply = http.send("/api/auth/login/", {"username": "vera", "password": "x" * 2000})
    assert reply.status_code == 401
