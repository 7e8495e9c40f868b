"""What holds at every endpoint of section 3."""

import gzip

import pytest
from django.contrib.auth.models import User

from ozone.webapi.tests.conftest import PASSWORD, Http, described
from ozone.wire.conf import Options

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

POSTS = ["auth/login", "auth/register", "auth/token", "admin/login", "admin/refresh"]
ALLOWED = {**dict.fromkeys([*POSTS, "auth/logout"], "POST"), "auth/user": "GET, HEAD", "auth/check": "GET, HEAD"}
OWN_SHAPE = {"auth/register"}


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("door", ALLOWED)
def test_wrong_method(http: Http, door: str, slash: str) -> None:
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "GET" if ALLOWED[door] == "POST" else "POST"):
        reply = http.send(f"/api/{door}{slash}", method=method)
        assert reply.status_code == 405
        assert reply["Allow"] == ALLOWED[door]
        assert reply.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("door", ["auth/login", "auth/token", "admin/login"])
def test_with_and_without_slash(http: Http, olga: User, door: str, slash: str) -> None:
    reply = http.send(f"/api/{door}{slash}", {"username": "olga", "password": PASSWORD})
    assert reply.status_code == 200
    assert reply["Cache-Control"] == "no-store"
    reply = http.send(f"/api/auth/check{slash}", method="GET")
    assert reply.json()["user"] == (described(olga) if door == "auth/login" else None)


@pytest.mark.parametrize("door", POSTS)
def test_a_compressed_body(http: Http, door: str) -> None:
    reply = http.send(f"/api/{door}", gzip.compress(b"{}"), content_encoding="gzip")
    assert (reply.status_code, reply.json()["code"]) == (415, "wrong_content_encoding")


@pytest.mark.parametrize("door", POSTS)
@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b'{"username": ', "application/json", 400, "malformed_json"),
        (b'{"username": "a", "username": "b"}', "application/json", 400, "duplicate_key"),
        (b'{"username": NaN}', "application/json", 400, "malformed_json"),
        (b'{"username": "\\u0000"}', "application/json", 400, "nul_character"),
        (b'"text"', "application/json", 400, "invalid"),
        (b"[]", "application/json", 400, "invalid"),
        (b"{}", "", 415, "wrong_content_type"),
        (b"{}", "application/json; charset=latin-1", 415, "wrong_content_type"),
        (b"username=a&password=b", "application/x-www-form-urlencoded", 415, "wrong_content_type"),
        (b" " * (Options.BODY_LIMIT + 1), "application/json", 413, "body_too_large"),
    ],
)
def test_bad_body(http: Http, door: str, body: bytes, kind: str, status: int, code: str) -> None:
    reply = http.send(f"/api/{door}", body, kind=kind or "?")
    assert reply.status_code == status
    if door in OWN_SHAPE and status == 400:
        assert reply.json().keys() == {"success", "message", "errors"}
    else:
        assert reply.json()["code"] == code


@pytest.mark.parametrize("door", POSTS)
def test_a_missing_body_needs_no_content_type(http: Http, door: str) -> None:
    reply = http.send(f"/api/{door}")
    assert reply.status_code == 400
    assert reply.json()["errors"]


@pytest.mark.parametrize("door", ["auth/login", "auth/token", "admin/login"])
def test_missing_and_wrong_fields(http: Http, door: str) -> None:
    reply = http.send(f"/api/{door}", {"username": {"$ne": ""}, "password": ["x"]})
    assert reply.status_code == 400
    assert reply.json() == {
        "detail": "username: Not a valid string.",
        "code": "invalid",
        "errors": {"username": ["Not a valid string."], "password": ["Not a valid string."]},
    }


@pytest.mark.parametrize("door", ["auth/login", "auth/token", "admin/login"])
def test_a_password_keeps_its_blanks(http: Http, olga: User, door: str) -> None:
    olga.set_password("  blanks  ")
    olga.save()
    assert http.send(f"/api/{door}", {"username": "olga", "password": "  blanks  "}).status_code == 200
    assert http.send(f"/api/{door}", {"username": "olga", "password": "blanks"}).status_code == 401


@pytest.mark.parametrize("door", ["auth/login", "auth/token", "admin/login"])
def test_a_bad_header_does_not_keep_one_from_signing_in(olga: User, door: str) -> None:
    assert Http(token="old").send(f"/api/{door}", {"username": "olga", "password": PASSWORD}).status_code == 200
