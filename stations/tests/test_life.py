"""The connector's life against a real server process, played with nothing but Python's own HTTP client."""

import base64
import hashlib
import hmac
import http.client
import json
import time
from typing import Any

import pytest

from tests.support.server import PASSWORD, LiveServer, live_server

SECRET = "the secret that partner and server share, forty or so"
KEY = "the server's own key, with which it signs its tokens"
NORTH, SOUTH = "864601069946994", "864601069946995"


class Partner:
    """Logs in, signs, sends; on a 401 logs in and sends the same body once more, as the Java connector does."""

    def __init__(self, server: LiveServer) -> None:
        self._server = server
        self._token = ""
        self.logins = 0

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self._server.host, self._server.port, timeout=15)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())
        finally:
            connection.close()

    def login(self) -> None:
        body = json.dumps({"email": "admin@example.com", "password": PASSWORD}).encode()
        status, answer = self.call("POST", "/api/admin/login", body, Content_Type="application/json")
        assert status == 200, answer
        self._token = answer["data"]["access_token"]
        self.logins += 1

    def let_it_end(self, moment: float) -> None:
        """Its token, good until another moment, and else the very same."""
        head, claims, _ = self._token.split(".")
        told = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        old = base64.urlsafe_b64encode(json.dumps(told | {"exp": int(moment)}).encode()).rstrip(b"=").decode()
        made = hmac.new(KEY.encode(), f"{head}.{old}".encode(), hashlib.sha256).digest()
        self._token = f"{head}.{old}.{base64.urlsafe_b64encode(made).rstrip(b'=').decode()}"

    def send(self, body: bytes, *, ahead: int = 0) -> dict[str, Any]:
        """The answer's object; only a 200 counts."""
        status, answer = self._send(body, ahead)
        if status == 401:
            self.login()
            status, answer = self._send(body, ahead)
        assert status == 200, answer
        assert answer["success"] is True
        return answer

    def _send(self, body: bytes, ahead: int) -> tuple[int, Any]:
        timestamp = str(int(time.time()) + ahead)
        digest = hmac.new(SECRET.encode(), body + timestamp.encode(), hashlib.sha256).digest()
        return self.call(
            "POST",
            "/api/internal/stations/data",
            body,
            Authorization=f"Bearer {self._token}",
            X_Timestamp=timestamp,
            X_Signature=base64.b64encode(digest).decode(),
            Content_Type="application/json",
        )

    def twice(self, body: bytes) -> dict[str, Any]:
        """Sends, then sends the same bytes again under a new timestamp: a repeat, with the first reply."""
        first = self.send(body)
        assert "replayed" not in first
        assert self.send(body, ahead=3) == first | {"replayed": True}
        return first

    def read(self, path: str) -> Any:
        status, answer = self.call("GET", path, Authorization=f"Bearer {self._token}")
        assert status == 200, answer
        return answer

    def power_banks(self) -> dict[str, tuple[str, str | None, int | None, int]]:
        rows = self.read("/api/power-banks/")["results"]
        return {
            row["serial_number"]: (row["status"], row["station"], row["current_slot"], row["battery_level"])
            for row in rows
        }

    def slots(self, serial: str) -> list[str]:
        return [slot["status"] for slot in self.read(f"/api/stations/{serial}")["slots"]]


def snapshot(serial: str, at: int, banks: dict[int, str], battery: int = 80) -> bytes:
    message = {
        "type": "full",
        "timestamp": at,
        "device": {
            "serial_number": serial,
            "imei": serial,
            "status": "ONLINE",
            "last_heartbeat": "2025-10-27T14:30:00.123456789Z",
            "signal_strength": "RSSI:-65",
            "wifi_ssid": 'Café Zürich – 充电 "quoted"',
        },
        "station": {"total_slots": 4},
        "slots": [
            {
                "slot_number": number,
                "status": "OCCUPIED" if number in banks else "AVAILABLE",
                "battery_level": battery if number in banks else 0,
                "power_bank_serial": banks.get(number),
                "slot_metadata": {"error_code": "0x04"},
            }
            for number in range(1, 5)
        ],
        "power_banks": [
            {"serial_number": name, "status": "AVAILABLE", "battery_level": battery, "current_slot": number}
            for number, name in banks.items()
        ],
    }
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode()


def event(kind: str, serial: str, at: int, **more: Any) -> bytes:
    device = {"serial_number": serial} | more.pop("device", {})
    return json.dumps({"type": kind, "timestamp": at, "device": device, **more}, separators=(",", ":")).encode()


@pytest.mark.sqlite_only  # the server has a database of its own
@pytest.mark.real_server
def test_the_connectors_life() -> None:
    with live_server(
        production=True,
        DJANGO_SECRET_KEY=KEY,
        IOT_SYSTEM_SIGNATURE_SECRET=SECRET,
        IOT_SYSTEM_ALLOWED_IPS="127.0.0.1,nowhere.invalid",
    ) as server:
        partner = Partner(server)
        at = int(time.time()) - 600
        _play(partner, at)
        _lose_the_token(partner, at, server)
        log = (server.folder / "django.log").read_text()
    assert "StationDataInternalView" in log and "StationSyncService" in log
    assert SECRET not in log


def _play(partner: Partner, at: int) -> None:
    # The first message finds no token: 401, login, the same body again.
    first = partner.twice(snapshot(NORTH, at, {1: "BANK-A", 2: "BANK-B"}))
    assert partner.logins == 1
    assert (first["data"]["slots_updated"], first["data"]["powerbanks_updated"]) == (4, 2)
    partner.twice(snapshot(SOUTH, at, {}))

    changed = partner.twice(event("status", NORTH, at + 10, device={"status": "OFFLINE"}))
    assert (changed["data"]["status"], changed["data"]["status_changed"]) == ("OFFLINE", True)

    # A changes its slot, B has been taken.
    partner.twice(snapshot(NORTH, at + 20, {3: "BANK-A"}, battery=90))
    assert partner.power_banks() == {
        "BANK-A": ("AVAILABLE", NORTH, 3, 90),
        "BANK-B": ("RENTED", None, None, 80),
    }
    assert partner.read(f"/api/stations/{NORTH}")["status"] == "ONLINE"

    # B is put back elsewhere, and a snapshot that was delayed does not undo it.
    answer = partner.twice(
        event(
            "returned",
            SOUTH,
            at + 30,
            return_event={
                "power_bank_serial": "BANK-B",
                "slot_number": 4,
                "battery_level": 12,
                "returned_at": "2025-10-27T14:30:00.123456789Z",
            },
        )
    )
    assert answer["data"] == {
        "power_bank_serial": "BANK-B",
        "power_bank_status": "AVAILABLE",
        "station_serial": SOUTH,
        "slot_number": 4,
    }
    assert partner.send(snapshot(SOUTH, at + 25, {}))["stale"] is True
    assert partner.send(snapshot(NORTH, at + 26, {3: "BANK-A", 1: "BANK-B"}, battery=90))["success"] is True
    assert partner.power_banks() == {
        "BANK-A": ("AVAILABLE", NORTH, 3, 90),
        "BANK-B": ("AVAILABLE", SOUTH, 4, 12),
    }
    assert partner.slots(SOUTH) == ["AVAILABLE", "AVAILABLE", "AVAILABLE", "OCCUPIED"]
    returns = partner.read(f"/api/stations/{SOUTH}")["returns"]
    assert [(row["power_bank"], row["slot_number"], row["stale"]) for row in returns] == [("BANK-B", 4, False)]


def _lose_the_token(partner: Partner, at: int, server: LiveServer) -> None:
    body = snapshot(NORTH, at + 40, {3: "BANK-A", 2: "BANK-C"})
    partner.let_it_end(time.time() + 60)
    assert partner._send(event("status", NORTH, at + 35, device={"status": "ONLINE"}), 0)[0] == 200
    partner.let_it_end(time.time() - 1)
    status, answer = partner._send(body, 0)
    assert (status, answer["error"]) == (401, "AUTHENTICATION_FAILED")
    assert "replayed" not in partner.send(body)
    assert partner.logins == 2
    # What has been acknowledged survives a kill, its hash too.
    server.kill()
    server.start()
    assert partner.send(body)["replayed"] is True
    assert len(partner.power_banks()) == 3
