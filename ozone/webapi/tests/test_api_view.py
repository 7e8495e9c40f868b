"""What ApiView does for every view: roles, local operator, limits, errors."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from pytest_django import Settings

from conftest import MonotonicClock
from ozone.accounts.tokens import issue
from ozone.webapi.tests.conftest import Http

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite_only]

LOCAL = {"host": "localhost:8000"}


def statuses(http: Http, path: str) -> tuple[int, int]:
    return http.send(path, method="GET").status_code, http.send(path, {}).status_code


@pytest.mark.parametrize(
    ("path", "nobody", "vera_may", "olga_may", "root_may"),
    [
        ("/api/any", (401, 401), (200, 200), (200, 200), (200, 200)),
        ("/api/staff", (401, 401), (403, 403), (200, 200), (200, 200)),
        ("/api/staff-writes", (401, 401), (200, 403), (200, 200), (200, 200)),
        ("/api/flush", (401, 401), (403, 403), (403, 403), (200, 200)),
        ("/api/local", (401, 401), (403, 403), (200, 200), (200, 200)),
    ],
)
def test_roles(
    vera: User, olga: User, root: User, path: str, nobody: Any, vera_may: Any, olga_may: Any, root_may: Any
) -> None:
    assert statuses(Http(), path) == nobody
    for user, may in [(vera, vera_may), (olga, olga_may), (root, root_may)]:
        http = Http()
        http.force_login(user)
        assert statuses(http, path) == may
        if path != "/api/flush":
            assert statuses(Http(token=issue(user, as_staff=False)[0]), path) == may


def test_a_session_is_asked_for(root: User) -> None:
    reply = Http(token=issue(root, as_staff=True)[0]).send("/api/flush", {})
    assert (reply.status_code, reply.json()["code"]) == (403, "session_required")


def test_another_kind_of_key(olga: User) -> None:
    assert Http(token="meter-key").send("/api/meter", method="GET").json() == {"caller": "a meter"}
    assert Http(token="meter-key").send("/api/any", method="GET").status_code == 401
    token = issue(olga, as_staff=True)[0]
    assert Http(token=token).send("/api/meter", method="GET").json() == {"caller": "olga"}
    assert Http(token="other").send("/api/meter", method="GET").status_code == 401


class TestLocalOperator:
    @pytest.fixture(autouse=True)
    def _development(self, settings: Settings) -> None:
        settings.DEBUG = True
        settings.ALLOWED_HOSTS = ["*"]

    def test_it_works(self, http: Http) -> None:
        assert http.send("/api/local", {}, **LOCAL).json() == {"caller": "local operator", "body": {}}
        assert http.send("/api/local", {}, host="127.0.0.1").status_code == 200
        assert http.send("/api/local", {}, host="[::1]:8000").status_code == 200

    def test_never_in_production(self, http: Http, settings: Settings) -> None:
        settings.DEBUG = False
        assert http.send("/api/local", {}, **LOCAL).status_code == 401

    def test_only_where_a_view_allows_it(self, http: Http) -> None:
        assert http.send("/api/staff", {}, **LOCAL).status_code == 401

    @pytest.mark.parametrize(
        "forged",
        [
            {"host": "ozone.example.com"},
            {"host": "localhost.evil.example"},
            {"x_forwarded_for": "127.0.0.1"},
            {"x_forwarded_host": "localhost"},
            {"x_forwarded_proto": "https"},
            {"forwarded": "for=127.0.0.1"},
            {"x_real_ip": "127.0.0.1"},
            {"via": "1.1 proxy"},
            {"sec_fetch_site": "cross-site"},
            {"sec_fetch_site": "same-site"},
            {"origin": "https://evil.example"},
            {"origin": "http://localhost:3000"},
            {"origin": "null"},
            {"authorization": "Bearer nonsense"},
        ],
    )
    def test_not_with(self, http: Http, forged: dict[str, str]) -> None:
        assert http.send("/api/local", {}, **(LOCAL | forged)).status_code == 401

    @pytest.mark.parametrize("address", ["192.168.0.5", "::ffff:10.0.0.1", ""])
    def test_not_from_elsewhere(self, http: Http, address: str) -> None:
        http.defaults["REMOTE_ADDR"] = address
        assert http.send("/api/local", {}, **LOCAL).status_code == 401

    def test_a_credential_comes_first(self, http: Http, vera: User) -> None:
        http.force_login(vera)
        assert http.send("/api/local", {}, **LOCAL).status_code == 403


def test_fifty_calls_a_second(vera: User, olga: User, settings: Settings, limits_clock: MonotonicClock) -> None:
    settings.LIMIT_PERSON_CALLS = "5/10"
    http, token = Http(), Http(token=issue(vera, as_staff=False)[0])
    http.force_login(vera)
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        replies = [client.send("/api/any", method="GET") for client in (http, token, http, token, http, token)]
        assert [reply.status_code for reply in replies] == [200] * 5 + [429]
        assert replies[5].json()["code"] == "too_many_requests"
        assert replies[5]["Retry-After"] == "2"
        assert Http(token=issue(olga, as_staff=False)[0]).send("/api/any", method="GET").status_code == 200


class TestErrors:
    @pytest.fixture
    def signed_in(self, vera: User) -> Http:
        http = Http()
        http.force_login(vera)
        return http

    def test_fields(self, signed_in: Http) -> None:
        slots = [{"status": "FULL"}, {"status": "HALF"}, {}]
        reply = signed_in.send("/api/failing/fields", {"slots": slots, "numbers": [1, "x"]})
        assert reply.status_code == 400
        assert reply.json() == {
            "detail": 'slots[1].status: "HALF" is not a valid choice.',
            "code": "invalid",
            "errors": {
                "slots[1].status": ['"HALF" is not a valid choice.'],
                "slots[2].status": ["This field is required."],
                "numbers[1]": ["A valid integer is required."],
            },
        }

    def test_a_sentence_about_the_whole(self, signed_in: Http) -> None:
        reply = signed_in.send("/api/failing/fields", {"slots": [], "numbers": []})
        assert (reply.status_code, reply.json()) == (400, {"detail": "A station needs a name.", "code": "invalid"})

    def test_database(self, signed_in: Http) -> None:
        reply = signed_in.send("/api/failing/database", {})
        assert (reply.status_code, reply.json()["code"]) == (503, "unavailable")
        assert 1 <= int(reply["Retry-After"]) <= 5

    def test_missing(self, signed_in: Http) -> None:
        reply = signed_in.send("/api/failing/missing", {})
        assert (reply.status_code, reply.json()["code"]) == (404, "not_found")
        assert "secret" not in reply.content.decode()

    def test_bug(self, signed_in: Http, caplog: pytest.LogCaptureFixture) -> None:
        reply = signed_in.send("/api/failing/bug", {})
        assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")
        assert "ZeroDivisionError" in caplog.text

    def test_a_bug_in_development_is_json_too(self, signed_in: Http, settings: Settings) -> None:
        settings.DEBUG = True
        reply = signed_in.send("/api/failing/bug", {})
        assert (reply.status_code, reply.json()["code"]) == (500, "internal_error")

    def test_host(self, signed_in: Http) -> None:
        reply = signed_in.send("/api/any", method="GET", host="evil.example")
        assert reply.status_code == 400
        assert reply["Content-Type"] == "application/json"

    def test_accept_is_never_406(self, signed_in: Http) -> None:
        for path in ("/api/any", "/api/any?format=xml"):
            reply = signed_in.send(path, method="GET", accept="text/html")
            assert (reply.status_code, reply["Content-Type"]) == (200, "application/json")
