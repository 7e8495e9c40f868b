"""A partner's connector as the tests need it: its account, its signature (made by hand, not by our code), its bodies.

Imports nothing beyond what runs in production: `manage.py test` works without the development requirements.
"""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client, TestCase, override_settings

from ozone.accounts.tokens import issue

SECRET = "a secret of the partner's system, long enough"
DATA = "/api/internal/stations/data"
VERIFY = "/api/internal/stations/verify"
SERIAL = "864601069946994"
SETTINGS = {
    "IOT_SYSTEM_SIGNATURE_SECRET": SECRET,
    "IOT_SYSTEM_SIGNATURE_SECRET_PREVIOUS": "",
    "IOT_SYSTEM_ALLOWED_IPS": [],
    "IOT_SYSTEM_SIGNATURE_TIMEOUT": 300,
    "STATIONS_ENABLED": "",
    "ALLOW_PLAIN_HTTP": True,
}


def compact(value: Any) -> bytes:
    """As Jackson writes it: no blanks, non-ASCII left as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def signature(body: bytes, timestamp: str, secret: str = SECRET) -> str:
    return base64.b64encode(hmac.new(secret.encode(), body + timestamp.encode(), hashlib.sha256).digest()).decode()


def make_connector(name: str = "connector") -> User:
    """A superuser in the group whose tokens are good for stations only."""
    user = User.objects.create_superuser(name, f"{name}@partner.example", "a long walk to the well")
    user.groups.add(Group.objects.get_or_create(name="station-connector")[0])
    return user


class Connector:
    """Signs and sends. `token` None sends none."""

    def __init__(self, user: User | None = None) -> None:
        self.token = issue(user, as_staff=True)[0] if user else None
        self.client = Client(raise_request_exception=False)

    def send(
        self,
        message: Any,
        *,
        path: str = DATA,
        secret: str = SECRET,
        at: int | str | None = None,
        headers: dict[str, str | None] | None = None,
        peer: str = "203.0.113.9",
        content_type: str = "application/json",
        method: str = "POST",
    ) -> Any:
        """`message`: a value or raw bytes; `headers` replace those sent, None leaves one out."""
        body = message if isinstance(message, bytes) else compact(message)
        timestamp = str(int(time.time()) if at is None else at)
        named: dict[str, str | None] = {"X-Timestamp": timestamp, "X-Signature": signature(body, timestamp, secret)}
        if self.token:
            named["Authorization"] = f"Bearer {self.token}"
        named |= headers or {}
        sent = {name: value for name, value in named.items() if value is not None}
        return self.client.generic(method, path, body, content_type=content_type, headers=sent, REMOTE_ADDR=peer)


def slot(number: int, status: str = "AVAILABLE", battery: int = 0, bank: str | None = None) -> dict[str, Any]:
    return {"slot_number": number, "status": status, "battery_level": battery, "power_bank_serial": bank}


def bank(serial: str, number: int, battery: int = 80, status: str = "AVAILABLE") -> dict[str, Any]:
    return {"serial_number": serial, "status": status, "battery_level": battery, "current_slot": number}


def full(
    banks: dict[int, str] | None = None, *, serial: str = SERIAL, at: int | None = None, total: int = 4
) -> dict[str, Any]:
    """A snapshot of a station with these power banks, by slot number."""
    banks = banks or {}
    return {
        "type": "full",
        "timestamp": int(time.time()) if at is None else at,
        "device": {
            "serial_number": serial,
            "imei": serial,
            "status": "ONLINE",
            "last_heartbeat": "2025-10-27T14:30:00.123456789Z",
            "signal_strength": "CSQ:28",
            "wifi_ssid": "Café 漢字 🔋",
        },
        "station": {"total_slots": total},
        "slots": [
            slot(number, "OCCUPIED", 80, banks[number]) if number in banks else slot(number)
            for number in range(1, total + 1)
        ],
        "power_banks": [bank(name, number) for number, name in banks.items()],
    }


def returned(name: str, number: int, *, serial: str = SERIAL, at: int | None = None, **more: Any) -> dict[str, Any]:
    return {
        "type": "returned",
        "timestamp": int(time.time()) if at is None else at,
        "device": {"serial_number": serial},
        "return_event": {"power_bank_serial": name, "slot_number": number, "battery_level": 45, **more},
    }


def status(word: str, *, serial: str = SERIAL, at: int | None = None) -> dict[str, Any]:
    return {
        "type": "status",
        "timestamp": int(time.time()) if at is None else at,
        "device": {"serial_number": serial, "status": word},
    }


@override_settings(**SETTINGS)
class StationCase(TestCase):
    user: User
    connector: Connector

    @classmethod
    def setUpTestData(cls) -> None:
        cls.user = make_connector()

    def setUp(self) -> None:
        self.connector = Connector(self.user)

    def ok(self, message: Any, **more: Any) -> dict[str, Any]:
        reply = self.connector.send(message, **more)
        assert reply.status_code == 200, reply.content
        answer: dict[str, Any] = reply.json()
        return answer

    def refused(self, code: int, error: str, message: Any, **more: Any) -> dict[str, Any]:
        reply = self.connector.send(message, **more)
        assert (reply.status_code, reply.json()["error"]) == (code, error), reply.content
        answer: dict[str, Any] = reply.json()
        assert answer["success"] is False
        assert answer["message"]
        return answer
