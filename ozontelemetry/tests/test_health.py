"""/healthz, /readyz, /metrics: who may look, and what they say when something is wrong."""

import re
import threading
from typing import Any

import pytest
from django.db import OperationalError
from pytest_django import Settings

from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device
from device_gateway.versions import RegistryVersion
from ozone.intake import write_path
from ozontelemetry import health
from tests.support.doors import Answer, Door

pytestmark = pytest.mark.both_doors

HERE = {"Host": "localhost:8000"}
PROBES = ["/healthz", "/readyz"]


@pytest.fixture(autouse=True)
def _nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health._Ready, "until", 0.0)


def refusal(answer: Answer) -> tuple[int, str]:
    return answer.status, answer.json()["code"]


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("path", PROBES)
def test_all_is_well(door: Door, path: str, slash: str) -> None:
    answer = door.send("GET", path + slash)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    assert answer.headers["content-type"] == "application/json"
    answer = door.send("HEAD", path + slash)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize("path", [*PROBES, "/metrics"])
def test_other_methods(door: Door, path: str) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        answer = door.send(method, path)
        assert refusal(answer) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("path", [*PROBES, "/metrics"])
def test_a_bad_host(door: Door, path: str) -> None:
    assert refusal(door.send("GET", path, headers={"Host": "evil.example"})) == (400, "bad_host")


@pytest.mark.parametrize("path", PROBES)
def test_a_probe_needs_no_tls(door: Door, path: str, settings: Settings) -> None:
    settings.ALLOW_PLAIN_HTTP = False
    assert door.send("GET", path).status == 200


@pytest.mark.parametrize("lane", ["_quick", "_slow", "_apart"])
def test_a_dead_writer(door: Door, monkeypatch: pytest.MonkeyPatch, lane: str) -> None:
    dead = threading.Thread(target=lambda: None)
    dead.start()
    dead.join()
    with monkeypatch.context() as patch:
        patch.setattr(getattr(write_path, lane), "_thread", dead)
        answer = door.send("GET", "/healthz")
        assert refusal(answer) == (503, "writer_dead")
        assert "retry-after" in answer.headers
    assert door.send("GET", "/healthz").status == 200


class TestReady:
    @pytest.fixture
    def touches(self, monkeypatch: pytest.MonkeyPatch) -> list[Exception | None]:
        """What the next writes come to; each takes one off, and none left is a write that works."""
        coming: list[Exception | None] = []
        real = RegistryVersion.touch

        def touch() -> None:
            outcome = coming.pop(0) if coming else None
            if outcome is not None:
                raise outcome
            real()

        monkeypatch.setattr(RegistryVersion, "touch", touch)
        return coming

    def test_a_database_that_takes_no_writes(self, door: Door, touches: list[Any]) -> None:
        touches.append(OperationalError("database is locked"))
        answer = door.send("GET", "/readyz")
        assert refusal(answer) == (503, "unavailable")
        assert "retry-after" in answer.headers
        assert door.send("GET", "/readyz").status == 200  # a failure is not remembered

    def test_the_answer_is_good_for_five_seconds(
        self, door: Door, touches: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 1000.0
        monkeypatch.setattr(health.time, "monotonic", lambda: now)
        assert door.send("GET", "/readyz").status == 200
        touches.append(OperationalError("database is locked"))
        now = 1004.9
        assert door.send("GET", "/readyz").status == 200
        now = 1005.0
        assert door.send("GET", "/readyz").status == 503


class TestMetrics:
    @pytest.mark.parametrize(
        ("peer", "headers", "status"),
        [
            ("127.0.0.1", HERE, 200),
            ("::1", {"Host": "127.0.0.1:8000"}, 200),
            ("203.0.113.9", HERE, 401),
            ("127.0.0.1", {}, 401),
            ("127.0.0.1", HERE | {"X-Forwarded-For": "127.0.0.1"}, 401),
            ("127.0.0.1", HERE | {"Origin": "https://evil.example"}, 401),
            ("127.0.0.1", HERE | {"Sec-Fetch-Site": "cross-site"}, 401),
            ("203.0.113.9", {"Authorization": "Bearer "}, 401),
            ("203.0.113.9", {"Authorization": "Bearer wrong"}, 401),
        ],
    )
    def test_who(self, door: Door, peer: str, headers: dict[str, str], status: int) -> None:
        assert door.send("GET", "/metrics", headers=headers, peer=peer).status == status

    def test_by_token(self, door: Door, settings: Settings) -> None:
        settings.METRICS_TOKEN = "a-scrapers-token"
        for header, status in (
            ("Bearer a-scrapers-token", 200),
            ("bearer a-scrapers-token", 200),
            ("Bearer a-scrapers-tokens", 401),
            ("Bearer ", 401),
            ("a-scrapers-token", 401),
        ):
            answer = door.send("GET", "/metrics", headers={"Authorization": header})
            assert answer.status == status, header
            assert b"a-scrapers-token" not in answer.body

    def figures(self, door: Door) -> dict[str, float]:
        answer = door.send("GET", "/metrics", headers=HERE, peer="127.0.0.1")
        assert answer.status == 200
        assert answer.headers["content-type"].startswith("text/plain")
        found = re.findall(r"^(ozone_[^ ]+) ([0-9.e+-]+)$", answer.body.decode(), re.MULTILINE)
        return {name: float(value) for name, value in found}

    def test_what_is_counted(self, door: Door) -> None:
        from django.utils import timezone

        device = Device.objects.create(assigned=True)
        set_key(device=device, key="a-meters-key", source=Credential.Source.ADMIN, now=timezone.now())
        before = self.figures(door)
        for key, value in (("a-meters-key", {"n": 1}), ("a-meters-key", [{}, {}]), ("wrong", {})):
            door.post("/gateway/device-data/ingest", value, key)
        door.send("GET", "/api/auth/check")
        after = self.figures(door)
        grown = {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}

        def requests(route: str, method: str, status: int) -> float:
            name = f'ozone_requests_total{{method="{method}",route="{route}",status="{status}"}}'
            return grown.get(name, 0)

        assert requests("device-data/ingest", "POST", 201) == 2
        assert requests("device-data/ingest", "POST", 401) == 1
        assert grown['ozone_rejected_total{reason="bad_credential"}'] == 1
        assert grown["ozone_commit_seconds_count"] >= 2
        assert "ozone_write_queue_submissions" in after
        assert requests("accounts:check", "GET", 200) == 1

    def test_each_request_is_counted_once(self, door: Door) -> None:
        before = self.figures(door)
        for _ in range(3):
            door.send("GET", "/healthz")
        after = self.figures(door)
        grown = {
            name: value - before.get(name, 0)
            for name, value in after.items()
            if name.startswith("ozone_requests_total") and value != before.get(name, 0)
        }
        assert sorted(grown.values()) == [1, 3]  # the look at the figures, and the three

    def test_no_label_comes_from_a_caller(self, door: Door) -> None:
        for path in ("/api/made-up-by-a-caller", "/gateway/made-up-by-a-caller/x"):
            door.send("GET", path)
        assert not any("made-up" in name for name in self.figures(door))
