"""Seed 000's unauthenticated curls: taken from this machine in development, and from nobody in production."""

import pytest
from pytest_django import Settings

from device_gateway.tests.conftest import CLAIM, INGEST, SEED_READING, Meter, refusal
from tests.support.doors import Answer, Door

pytestmark = [pytest.mark.both_doors, pytest.mark.sqlite_only, pytest.mark.thorough]

HERE = {"Host": "localhost:8000"}
PLAIN = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def _development(settings: Settings) -> None:
    settings.DEBUG = True
    settings.ALLOWED_HOSTS = ["*"]


def both(door: Door, meter: Meter, headers: dict[str, str], peer: str = "127.0.0.1") -> tuple[Answer, Answer]:
    """provision and telemetry/latest, without a credential."""
    base = f"/gateway/devices/{meter.device.pk}"
    return (
        door.send("POST", f"{base}/provision", b"{}", PLAIN | headers, peer=peer),
        door.send("GET", f"{base}/telemetry/latest", headers=headers, peer=peer),
    )


def test_the_four_curls(door: Door, meter: Meter, settings: Settings) -> None:
    settings.ALLOWED_HOSTS = []  # as development has it
    base = f"/gateway/devices/{meter.device.pk}"
    local = PLAIN | HERE
    token = door.send("POST", f"{base}/provision", b'{"notes": "Line A ESP32"}', local, "127.0.0.1").json()
    assert token == {"token": token["token"], "expires_at": None, "device_id": meter.device.pk}
    body = f'{{"token": "{token["token"]}", "device_metadata": {{"fw": "1.0.0"}}}}'.encode()
    claimed = door.send("POST", CLAIM, body, local, "127.0.0.1").json()
    assert claimed["ingest_url"] == "http://localhost:8000/gateway/device-data/ingest"
    bearer = local | {"Authorization": f"Bearer {claimed['api_key']}"}
    reading = b'{"voltage": 228.4, "current": 3.2, "power_factor": 0.97, "kwh": 1234.5}'
    answer = door.send("POST", INGEST, reading, bearer, "127.0.0.1")
    assert (answer.status, answer.body) == (201, b'{"status": "ok"}')
    latest = door.send("GET", f"{base}/telemetry/latest", headers=HERE, peer="127.0.0.1").json()
    assert (latest["device_id"], latest["payload"]) == (meter.device.pk, SEED_READING)
    assert latest["received_at"].endswith("Z")


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_from_this_machine(door: Door, meter: Meter, host: str, peer: str, settings: Settings) -> None:
    meter.send(door)
    settings.ALLOWED_HOSTS = []
    assert [answer.status for answer in both(door, meter, {"Host": host}, peer)] == [201, 200]


FORGED = [
    ("192.168.0.5", {}),
    ("203.0.113.9", {}),
    ("203.0.113.9", {"X-Forwarded-For": "127.0.0.1"}),
    ("203.0.113.9", {"X-Real-IP": "127.0.0.1"}),
    ("127.0.0.1", {"Host": "ozone.example.com"}),
    ("127.0.0.1", {"Host": "localhost.evil.example"}),
    ("127.0.0.1", {"Host": "192.168.0.5:8000"}),
    ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}),
    ("127.0.0.1", {"X-Forwarded-For": "203.0.113.9"}),
    ("127.0.0.1", {"X-Forwarded-Host": "localhost"}),
    ("127.0.0.1", {"X-Forwarded-Proto": "http"}),
    ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}),
    ("127.0.0.1", {"X-Real-IP": "127.0.0.1"}),
    ("127.0.0.1", {"Via": "1.1 proxy"}),
    ("127.0.0.1", {"Sec-Fetch-Site": "cross-site"}),
    ("127.0.0.1", {"Sec-Fetch-Site": "same-site"}),
    ("127.0.0.1", {"Origin": "https://evil.example"}),
    ("127.0.0.1", {"Origin": "http://localhost:3000"}),
    ("127.0.0.1", {"Origin": "null"}),
]


@pytest.mark.parametrize(("peer", "headers"), FORGED)
def test_forged(door: Door, meter: Meter, peer: str, headers: dict[str, str]) -> None:
    meter.send(door)
    for answer in both(door, meter, HERE | headers, peer):
        assert refusal(answer) == (401, "signed_out")


@pytest.mark.parametrize(("peer", "headers"), [("127.0.0.1", {}), ("::1", {"Host": "[::1]"}), *FORGED])
def test_never_in_production(door: Door, meter: Meter, settings: Settings, peer: str, headers: dict[str, str]) -> None:
    settings.DEBUG = False
    meter.send(door)
    for answer in both(door, meter, HERE | headers, peer):
        assert refusal(answer) == (401, "signed_out")


@pytest.mark.parametrize("header", ["Bearer wrong", "Bearer ", "Basic eDp5", ""])
def test_a_credential_that_is_there_decides(door: Door, meter: Meter, header: str) -> None:
    meter.send(door)
    for answer in both(door, meter, HERE | {"Authorization": header}):
        assert answer.status == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gateway/devices/{id}/telemetry"),
        ("GET", "/api/devices/{id}/"),
        ("PATCH", "/api/devices/{id}/"),
        ("DELETE", "/api/devices/{id}/"),
        ("POST", "/api/devices/{id}/restore/"),
        ("POST", "/api/devices/"),
    ],
)
def test_nothing_else_is_open(door: Door, meter: Meter, method: str, path: str) -> None:
    path = path.format(id=meter.device.pk)
    assert refusal(door.send(method, path, headers=HERE, peer="127.0.0.1")) == (401, "signed_out")


def test_a_key_is_asked_for_in_development_too(door: Door, meter: Meter) -> None:
    assert door.send("POST", INGEST, b"{}", PLAIN | HERE, "127.0.0.1").status == 401
