"""What holds at every path of section 1: methods, slashes, hosts, TLS, and errors that are always JSON."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from device_gateway.tests.conftest import Meter, refusal, token_of
from tests.support.doors import Answer, Door

pytestmark = [pytest.mark.both_doors, pytest.mark.sqlite_only, pytest.mark.thorough]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
BOTH = {
    "devices/claim": {"POST"},
    "device-data/ingest": {"POST"},
    "devices/{id}/provision": {"POST"},
    "devices/{id}/telemetry/latest": {"GET", "HEAD"},
    "devices/{id}/telemetry": {"GET", "HEAD"},
}
ALLOWED = {f"/{mount}/{path}": methods for mount in ("gateway", "api") for path, methods in BOTH.items()} | {
    "/api/devices": {"GET", "HEAD", "POST"},
    "/api/devices/{id}": {"GET", "HEAD", "PATCH", "DELETE"},
    "/api/devices/{id}/restore": {"POST"},
}


@pytest.fixture
def staff(olga: User) -> dict[str, str]:
    return {"Authorization": f"Bearer {token_of(olga)}"}


def url(path: str, meter: Meter) -> str:
    return path.format(id=meter.device.pk)


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", ALLOWED)
def test_wrong_methods(door: Door, meter: Meter, staff: dict[str, str], path: str, slash: str) -> None:
    for method in METHODS:
        if method in ALLOWED[path]:
            continue
        for headers in ({}, staff):
            answer = door.send(method, url(path, meter) + slash, headers=headers)
            assert answer.status == 405, method
            assert set(answer.headers["allow"].split(", ")) == ALLOWED[path]
            assert answer.headers["content-type"] == "application/json"
            if method != "HEAD":
                assert refusal(answer) == (405, "method_not_allowed")


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", ALLOWED)
def test_right_methods_need_no_redirect(door: Door, meter: Meter, staff: dict[str, str], path: str, slash: str) -> None:
    meter.send(door)
    headers: dict[str, str] = staff | {"Content-Type": "application/json"}
    expected: dict[str, Any] = {"devices/claim": 400, "device-data/ingest": 401}
    for method in ALLOWED[path]:
        answer = door.send(method, url(path, meter) + slash, headers=headers)
        assert answer.status in {expected.get(path.split("/", 2)[2], 200), 201, 204}, (method, answer.body)
        if method == "DELETE":
            door.send("POST", url(path, meter) + "/restore", headers=headers)


@pytest.mark.parametrize("path", [path for path, methods in ALLOWED.items() if "GET" in methods])
def test_head_is_get_without_a_body(door: Door, meter: Meter, staff: dict[str, str], path: str) -> None:
    meter.send(door)
    answer = door.send("HEAD", url(path, meter), headers=staff)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    "path",
    [
        "/gateway/",
        "/gateway/nothing",
        "/gateway/devices",
        "/gateway/devices/",
        "/gateway/devices/1",
        "/gateway/devices/1/nothing",
        "/gateway/devices/claim/x",
        "/gateway/device-data",
        "/api/",
        "/api/nothing",
        "/api/devices/1/nothing",
        "/api/devices/1/telemetry/oldest",
        "/api/device-data/ingest/x",
        "/api/%ff",
        "/api/%00",
    ],
)
def test_nothing_there(door: Door, write_path: None, path: str) -> None:
    for method in ("GET", "POST", "DELETE", "OPTIONS"):
        answer = door.send(method, path, headers={"Content-Type": "application/json", "Accept": "text/html"})
        assert refusal(answer) in ((404, "not_found"), (405, "method_not_allowed")), method
    assert refusal(door.send("GET", path))[0] == 404


@pytest.mark.parametrize("path", ALLOWED)
def test_a_bad_host(door: Door, meter: Meter, staff: dict[str, str], path: str) -> None:
    for host in ("evil.example", "testserver.evil.example", "testserver,evil.example", "a b"):
        headers: dict[str, str] = staff | {"Host": host, "Content-Type": "application/json"}
        for method in ALLOWED[path] - {"HEAD"}:
            assert refusal(door.send(method, url(path, meter), headers=headers)) == (400, "bad_host")


class TestTls:
    @pytest.fixture(autouse=True)
    def _no_plain_http(self, settings: Settings) -> None:
        settings.ALLOW_PLAIN_HTTP = False

    @pytest.mark.parametrize("slash", ["", "/"])
    @pytest.mark.parametrize("path", ALLOWED)
    def test_plain_http_is_refused(
        self, door: Door, meter: Meter, staff: dict[str, str], path: str, slash: str
    ) -> None:
        for method in ALLOWED[path] - {"HEAD"}:
            answer = door.send(method, url(path, meter) + slash, headers=staff)
            assert refusal(answer) == (403, "https_required")
            assert "location" not in answer.headers

    def send(self, door: Door, meter: Meter, peer: str = "203.0.113.9", secure: bool = False, **more: str) -> Answer:
        headers = {"Authorization": f"Bearer {meter.key}", "Content-Type": "application/json"}
        headers |= {name.replace("_", "-"): text for name, text in more.items()}
        return door.send("POST", "/gateway/device-data/ingest", b"{}", headers, peer=peer, secure=secure)

    def test_over_tls(self, door: Door, meter: Meter, settings: Settings) -> None:
        assert self.send(door, meter, secure=True).status == 201
        settings.TRUSTED_PROXIES = ["10.0.0.7"]
        assert self.send(door, meter, peer="10.0.0.7", X_Forwarded_Proto="https").status == 201
        assert self.send(door, meter, peer="10.0.0.7", X_Forwarded_Proto="http", secure=True).status == 403

    def test_a_forged_scheme(self, door: Door, meter: Meter) -> None:
        assert refusal(self.send(door, meter, X_Forwarded_Proto="https")) == (403, "https_required")

    def test_a_lan_may_do_without(self, door: Door, meter: Meter, settings: Settings) -> None:
        settings.ALLOW_PLAIN_HTTP = True
        assert self.send(door, meter).status == 201

    def test_development_does_without(self, door: Door, meter: Meter, settings: Settings) -> None:
        settings.DEBUG = True
        assert self.send(door, meter).status == 201


class TestDevelopment:
    """Django's own yellow pages stay out of the API."""

    @pytest.fixture(autouse=True)
    def _debug(self, settings: Settings) -> None:
        settings.DEBUG = True

    @pytest.mark.parametrize("path", ["/api/nothing", "/gateway/nothing", "/gateway/devices/nobody/provision"])
    def test_errors_are_json(self, door: Door, write_path: None, path: str) -> None:
        assert refusal(door.send("POST", path))[0] in (401, 404)

    @pytest.mark.parametrize(
        ("path", "module"),
        [("/gateway/devices/1/telemetry", "readings.authentication"), ("/api/devices/1", "registry.views")],
    )
    def test_a_fault_of_ours(
        self, door: Door, meter: Meter, staff: dict[str, str], path: str, module: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("the secret of the day")

        monkeypatch.setattr(f"device_gateway.{module}.find_device", fail)
        answer = door.send("GET", path, headers=staff)
        assert refusal(answer) == (500, "internal_error")
        assert b"secret" not in answer.body


def test_a_fault_of_ours_on_a_device_route(door: Door, meter: Meter, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("the secret of the day")

    monkeypatch.setattr("device_gateway.readings.routes.read_readings", fail)
    answer = meter.send(door)
    assert answer.json() == {
        "detail": "The server failed on this request. It has been logged.",
        "code": "internal_error",
    }
    assert answer.status == 500


@pytest.mark.parametrize("path", ["/gateway//device-data///ingest//", "/api//device-data/ingest"])
def test_doubled_slashes_are_one(door: Door, meter: Meter, path: str) -> None:
    answer = door.post(path, {"kwh": 1}, meter.key)
    assert (answer.status, answer.json()) == (201, {"status": "ok"})
