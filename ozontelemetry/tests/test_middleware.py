"""What holds for every request that Django answers: errors in JSON, policies, TLS, other origins, proxies."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib.auth.models import User
from django.db import IntegrityError, OperationalError
from django.http import HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from ozone.accounts.tokens import issue
from ozone.wire.errors import Conflict
from ozontelemetry.middleware import ApiErrors, ContentSecurityPolicy
from tests.support.doors import Door

pytestmark = pytest.mark.both_doors


@pytest.fixture
def staff(write_path: None) -> dict[str, str]:
    olga = User.objects.create_user("olga", is_staff=True)
    return {"Authorization": f"Bearer {issue(olga, as_staff=True)[0]}"}


class TestErrors:
    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize(
        "path", ["/api", "/gateway", "/api/nothing", "/gateway/nothing", "/api/devices/1/nothing/at/all"]
    )
    def test_of_the_api_are_json(self, door: Door, path: str, debug: bool, settings: Settings) -> None:
        settings.DEBUG = debug
        answer = door.send("GET", path, headers={"Accept": "text/html"})
        assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
        assert answer.json() == {"detail": "There is nothing at this address.", "code": "not_found"}

    @pytest.mark.parametrize("path", ["/nothing", "/login/nothing"])
    def test_of_pages_are_pages(self, door: Door, path: str) -> None:
        answer = door.send("GET", path)
        assert answer.status == 404
        assert answer.headers["content-type"].startswith("text/html")

    @pytest.mark.parametrize("debug", [False, True])
    def test_a_database_that_is_away_is_503(
        self, door: Door, staff: dict[str, str], debug: bool, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise OperationalError("database is locked")

        settings.DEBUG = debug
        monkeypatch.setattr("device_gateway.registry.views.find_device", fail)
        answer = door.send("GET", "/api/devices/1", headers=staff)
        assert (answer.status, answer.json()["code"]) == (503, "unavailable")
        assert "retry-after" in answer.headers
        assert b"locked" not in answer.body

    @pytest.mark.parametrize(
        ("path", "error", "status"),
        [
            ("/api/x", OperationalError("locked"), 503),
            ("/devices/", OperationalError("locked"), 503),
            ("/api/x", Conflict(), 409),
            ("/devices/", Conflict(), None),
            ("/api/x", IntegrityError(), None),
            ("/api/x", ValueError(), None),
        ],
    )
    def test_which_exceptions_are_answers(self, path: str, error: Exception, status: int | None) -> None:
        middleware = ApiErrors(lambda request: HttpResponse())
        response = middleware.process_exception(RequestFactory().get(path), error)
        assert (response and response.status_code) == status

    @pytest.mark.parametrize(
        ("status", "code"),
        [(400, "invalid"), (401, "bad_credential"), (403, "forbidden"), (404, "not_found"), (500, "internal_error")],
    )
    def test_html_that_somebody_else_made(self, status: int, code: str) -> None:
        request = RequestFactory().get("/api/x")
        request.resolver_match = None
        response = ApiErrors(lambda _: HttpResponse("<h1>Oh", status=status))(request)
        assert (response.status_code, json.loads(response.content)["code"]) == (status, code)  # type: ignore[attr-defined]
        assert response["Content-Type"] == "application/json"


class TestPolicy:
    @pytest.mark.parametrize("path", ["/login/", "/api/auth/check", "/nothing", "/gateway/nothing"])
    def test_strict(self, door: Door, path: str) -> None:
        answer = door.send("GET", path)
        policy = answer.headers["content-security-policy"]
        assert policy == ContentSecurityPolicy.STRICT
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"

    @pytest.mark.parametrize("path", ["/admin/login/", "/api/docs/"])
    def test_pages_that_bring_inline_scripts(self, door: Door, path: str, settings: Settings) -> None:
        settings.DEBUG = path == "/api/docs/"  # shown to anybody
        policy = door.send("GET", path).headers["content-security-policy"]
        assert policy == ContentSecurityPolicy.INLINE
        assert "frame-ancestors 'none'" in policy

    def test_no_look_alike_is_excepted(self, door: Door) -> None:
        for path in ("/administration", "/x/admin/", "/api/auth/check?/admin/"):
            assert door.send("GET", path).headers["content-security-policy"] == ContentSecurityPolicy.STRICT


class TestTls:
    @pytest.fixture(autouse=True)
    def _no_plain_http(self, settings: Settings) -> None:
        settings.ALLOW_PLAIN_HTTP = False

    @pytest.mark.parametrize("path", ["/api/auth/login", "/api/auth/check/", "/gateway/nothing", "/api/schema/"])
    def test_an_api_request_is_refused(self, door: Door, path: str) -> None:
        for method in ("GET", "POST", "OPTIONS"):
            answer = door.send(method, path)
            assert (answer.status, answer.json()["code"]) == (403, "https_required")

    def test_a_page_is_sent_to_its_https_address(self, door: Door) -> None:
        answer = door.send("GET", "/login/?next=/account/")
        assert (answer.status, answer.headers["location"]) == (302, "https://testserver/login/?next=/account/")
        assert door.send("POST", "/login/").status == 403
        assert door.send("GET", "/login/", secure=True).status == 200

    def test_a_proxy_we_trust_speaks_for_its_client(self, door: Door, settings: Settings) -> None:
        forwarded = {"X-Forwarded-Proto": "https"}
        assert door.send("GET", "/api/auth/check", headers=forwarded).status == 403
        settings.TRUSTED_PROXIES = ["203.0.113.9"]
        assert door.send("GET", "/api/auth/check", headers=forwarded).status == 200


PRODUCTION = """
import django, json
django.setup()
from django.conf import settings
from django.test import Client
secure, plain = (Client().get("/login/", secure=secure) for secure in (True, False))
names = ("SESSION_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "CSRF_COOKIE_SECURE", "CSRF_COOKIE_HTTPONLY")
print(json.dumps({
    "settings": {name: getattr(settings, name) for name in names},
    "hsts": secure.get("Strict-Transport-Security", ""),
    "statuses": [secure.status_code, plain.status_code, Client().post("/api/auth/login").status_code],
}))
"""


@pytest.mark.thorough
@pytest.mark.parametrize("plain", [False, True])
def test_production_as_it_starts(tmp_path: Any, plain: bool) -> None:
    environment = {
        "DJANGO_DEBUG": "0",
        "DJANGO_SECRET_KEY": "for-tests-only-and-good-for-nothing-else-at-all",
        "DJANGO_ALLOWED_HOSTS": "testserver",
        "ALLOW_PLAIN_HTTP": "1" if plain else "0",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'production.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "ozontelemetry.settings",
    }
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTION],
        cwd=project.BASE_DIR,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["settings"] == {
        "SESSION_COOKIE_SECURE": not plain,
        "SESSION_COOKIE_HTTPONLY": True,
        "CSRF_COOKIE_SECURE": not plain,
        "CSRF_COOKIE_HTTPONLY": True,
    }
    assert found["hsts"] == ("" if plain else "max-age=31536000")
    assert found["statuses"] == ([200, 200, 415] if plain else [200, 302, 403])


class TestOtherOrigins:
    PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}

    def test_none_unless_told(self, door: Door) -> None:
        answer = door.send("GET", "/api/auth/check", headers={"Origin": "https://app.example"})
        assert "access-control-allow-origin" not in answer.headers

    def test_one_that_is_allowed(self, door: Door, settings: Settings) -> None:
        settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
        origin = {"Origin": "https://app.example"}
        for answer in (
            door.send("GET", "/api/auth/check", headers=origin),
            door.send("OPTIONS", "/api/auth/login", headers=origin | self.PREFLIGHT),
            door.send("OPTIONS", "/api/events/", headers=origin | self.PREFLIGHT),  # a path that devices share
        ):
            assert answer.status == 200
            assert answer.headers["access-control-allow-origin"] == "https://app.example"
            assert answer.headers["access-control-allow-credentials"] == "true"
        other = door.send("GET", "/api/auth/check", headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers

    def test_what_the_api_says_in_headers_can_be_read_and_sent(self, door: Door, settings: Settings) -> None:
        settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
        origin = {"Origin": "https://app.example"}
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "if-none-match"}
        answer = door.send("OPTIONS", "/api/devices/", headers=origin | asked)
        assert "if-none-match" in answer.headers["access-control-allow-headers"].split(", ")
        answer = door.send("GET", "/api/devices/", headers=origin)
        assert answer.headers["access-control-expose-headers"] == "ETag, Link, Retry-After"

    def test_pages_are_nobody_elses(self, door: Door, settings: Settings) -> None:
        settings.CORS_ALLOWED_ORIGINS = ["https://app.example"]
        answer = door.send("GET", "/login/", headers={"Origin": "https://app.example"})
        assert "access-control-allow-origin" not in answer.headers


class TestProxy:
    def test_links_are_what_the_client_can_follow(self, door: Door, staff: dict[str, str], settings: Settings) -> None:
        from django.utils import timezone

        from device_gateway.models import Device, DeviceTelemetry

        device = Device.objects.create()
        for number in range(2):
            DeviceTelemetry.objects.create(
                device=device, occurred_at=timezone.now(), received_at=timezone.now(), payload={"n": number}
            )
        path = f"/gateway/devices/{device.pk}/telemetry?limit=1"
        forwarded = staff | {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "meters.example.com"}
        assert door.send("GET", path, headers=forwarded).json()["next"].startswith("http://testserver/")
        settings.TRUSTED_PROXIES = ["203.0.113.9"]
        following = door.send("GET", path, headers=forwarded).json()["next"]
        assert following.startswith(f"https://meters.example.com/gateway/devices/{device.pk}/telemetry?limit=1&cursor=")

    def test_a_forwarded_host_must_be_one_of_ours(self, door: Door, settings: Settings) -> None:
        settings.TRUSTED_PROXIES = ["203.0.113.9"]
        answer = door.send("GET", "/api/auth/check", headers={"X-Forwarded-Host": "evil.example"})
        assert (answer.status, answer.json()["code"]) == (400, "bad_host")
