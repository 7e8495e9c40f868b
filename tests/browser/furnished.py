"""A server with something on every page: outlets, machines, devices in every state, tokens, commands, a station."""

import base64
import hashlib
import hmac
import json
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from tests.support.scoping import MONTH, rows
from tests.support.server import ADMIN, PASSWORD, LiveServer, live_server

SECRET: Final = "a secret of the partner's system, long enough"
SERIAL: Final = "864601069946994"
OUTLETS: Final = (
    ("Shell Rosengarten", "Hamburg", "Rosengartenstr. 12", "Ute Behrens"),
    ("Esso Altona", "Hamburg", "Max-Brauer-Allee 90", "Jan Petersen"),
    ("Total Lehrte", "Hannover", "Westring 4", "M. Okafor"),
    ("Aral Südstadt", "Köln", "Bonner Str. 211", "Ayşe Yıldız"),
)
_SOME_DAY: Final = "2026-01-01T00:00:00Z"
_OF_APIS: Final = ("/api/", "/gateway/devices/", "/healthz", "/readyz", "/metrics", "/favicon", "/admin/")


ROOT: Final = Path(__file__).resolve().parents[2]
_OPENED: Final = """
from datetime import timedelta
from django.utils import timezone
from alerts.channels.codes import stop_token
from alerts.models import Channel, Incident
from telemetry.models import Machine
machine, hour = Machine.objects.select_related("outlet").get(device__device_id="OZ-002"), timedelta(hours=1)
since = timezone.now() - 3 * hour
incident = Incident.objects.create(
    kind="silent", subject_key=f"device:{machine.device_id}", subject=f"{machine} at {machine.outlet}",
    device_id=machine.device_id, machine=machine, outlet=machine.outlet, since=since, opened_at=since + hour,
    told_at=since + hour, facts={}, cause="The network",
)
print(incident.pk, stop_token(Channel.objects.get()))
"""


@contextmanager
def furnished_server(days: int = 3) -> Iterator[tuple[LiveServer, dict[str, str]]]:
    """A server of its own, and by the names of `tests.support.scoping` the things that its paths are of."""
    with live_server(IOT_SYSTEM_SIGNATURE_SECRET=SECRET) as server:
        named = Furnisher(server.url).furnish(days)
        yield server, named | _by_the_runner(server)


def _by_the_runner(server: LiveServer) -> dict[str, str]:
    """What the server makes by itself in the course of a day, and what only a message tells: an incident, and the link
    that stops a channel."""
    command = [sys.executable, "manage.py", "shell", "--no-imports", "--command", _OPENED]
    done = subprocess.run(command, env=server.environment, cwd=ROOT, capture_output=True, text=True, check=True)
    incident, stop = done.stdout.split()
    return {"incident": incident, "stop": stop}


def pages_for(caller: str) -> list[str]:
    """The path of every page that answers 200 to a GET of `caller` (`nobody`, `staff`); `<names>` as the table has."""
    return [
        row.path
        for row in rows()
        if row.method == "GET" and row.expected[caller] == "200" and not row.path.startswith(_OF_APIS)
    ]


def filled(path: str, named: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda found: named[found[1]], path)


class Furnisher:
    """Talks to the server as staff, as devices and as the partner's connector do."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=15)
        signed_in = self._send("POST", "/api/auth/token/", {"username": ADMIN, "password": PASSWORD})
        self._staff = str(signed_in["data"]["access_token"])
        self._chance = random.Random(4)

    def _send(self, method: str, path: str, value: Any = None, bearer: str = "", *, status: int = 0) -> Any:
        """The reply's JSON; any 2xx will do unless `status` names another."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        reply = self._client.request(method, path, json=value, headers=headers)
        if reply.status_code != status and (status or not reply.is_success):
            raise AssertionError(f"{method} {path}: {reply.status_code} {reply.text[:300]}")
        return reply.json()

    def furnish(self, days: int) -> dict[str, str]:
        outlets = [
            self._send("POST", "/api/outlets/", dict(zip(_OUTLET_FIELDS, facts, strict=True)), self._staff)["id"]
            for facts in OUTLETS
        ]
        keys = [self._machine(number, outlets[number % len(outlets)]) for number in range(12)]
        for number, key in enumerate(keys[:10]):
            self._events(key, days if number else 1)
        for number in (0, 3, 4, 8):
            self._send("GET", f"/api/device/OZ-{number + 1:03}/commands/", bearer=keys[number])
        named = {
            "device": "OZ-001",
            "spare": "OZ-011",
            "outlet": str(outlets[0]),
            "machine": str(self._send("GET", "/api/machines/", bearer=self._staff)[0]["id"]),
            **self._troubles(keys[0]),
            **self._commands(keys[0]),
            "line": self._gap(keys[0]),
            "station": SERIAL,
            "month": MONTH,
            "statement": f"{outlets[0]}-{MONTH}",
        }
        self._send("POST", "/api/handshake/", {"mac": "EC:E3:34:46:77:01", "firmware": "1.4.2"})  # nobody knows it
        self._send("POST", "/api/handshake/", {"mac": _mac(0), "firmware": "1.4.2"}, status=403)
        self._meters()
        self._station()
        return named | self._settings(outlets[0])

    def _settings(self, outlet: int) -> dict[str, str]:
        """Of prices, and of who is told of what."""
        made = {
            "price": ("prices", {"outlet": outlet, "treatment": "BASIC", "price": "5.00", "valid_from": "2026-01-01"}),
            "share": ("shares", {"outlet": outlet, "percent": "30", "valid_from": "2026-01-01"}),
            "window": ("maintenance", {"outlet": outlet, "start": _SOME_DAY, "weekly": "Su 02:00-04:00"}),
            "rule": ("alert-rules", {"kind": "silent", "outlet": outlet, "seconds": 7200}),
            "channel": ("channels", {"kind": "webhook", "target": "https://example.com/hook", "name": "Siren"}),
        }  # fmt: skip
        return {
            name: str(self._send("POST", f"/api/{path}/", value, self._staff)["id"])
            for name, (path, value) in made.items()
        }

    def _machine(self, number: int, outlet: int) -> str:
        """The key of a new device, `OZ-001` for 0, in a machine at the outlet; of the last two, in none."""
        shaken = self._send("POST", "/api/handshake/", {"mac": _mac(number), "firmware": f"1.4.{number % 4}"})
        name = f"OZ-{number + 1:03}"
        bay = self._chance.choice(["Bay 1", "Bay 2", "Forecourt", "Wash tunnel", ""])
        facts = {"device_id": name, "name": f"Ozone unit {number + 1}", "location": bay, "assigned": True}
        self._send("PATCH", f"/api/devices/{shaken['device_id']}/", facts, self._staff)
        if number < 10:
            machine = {"device_id": name, "outlet_id": outlet, "name": f"Machine {number + 1:02}"}
            self._send("POST", "/api/machines/register/", machine, self._staff)
        return str(shaken["token"])

    def _events(self, key: str, days: int) -> None:
        """Treatments of the last days, more by day than by night, and the last of them just now."""
        counts = {"BASIC": 0, "STANDARD": 0, "PREMIUM": 0}
        start = datetime.now(UTC) - timedelta(days=days)
        times = sorted(start + timedelta(days=day, hours=self._hour()) for day in range(days) for _ in range(4))
        for moment in [*(moment for moment in times if moment < datetime.now(UTC)), datetime.now(UTC)]:
            kind = self._chance.choice(["BASIC", "BASIC", "STANDARD", "PREMIUM"])
            counts[kind] += 1
            event = {
                "event_id": f"e-{sum(counts.values())}",
                "event": "treatment",
                "treatment": kind,
                "counter": counts[kind],
                "ts": moment.isoformat(),
                "current_counters": {name.lower(): count for name, count in counts.items()},
                "wifi_status": "connected -61",
            }
            self._send("POST", "/api/device/events/", event, key)

    def _gap(self, key: str) -> str:
        """The id of the line of the ledger that says which presses of the first machine are missing."""
        (basic,) = (
            device["counts"]["basic"]
            for device in self._send("GET", "/api/devices/", bearer=self._staff)["devices"]
            if device["device_id"] == "OZ-001"
        )
        press = {"event_id": "e-gap", "event": "treatment", "treatment": "BASIC", "counter": basic + 3}
        self._send("POST", "/api/device/events/", press, key)
        epochs = self._send("GET", "/api/ledger/?device_id=OZ-001", bearer=self._staff)["epochs"]
        return next(str(line["id"]) for epoch in epochs for line in epoch["lines"] if line["kind"] == "missing")

    def _hour(self) -> float:
        return self._chance.triangular(0, 24, 14)

    def _troubles(self, key: str) -> dict[str, str]:
        bad = {"event_id": "bad", "event": "treatment", "treatment": "GOLD", "counter": 1}
        self._send("POST", "/api/device/events/", bad, key, status=400)
        waiting = self._send("GET", "/api/devices/OZ-001/quarantine/", bearer=self._staff)
        return {"quarantined": str(waiting["quarantined"][0]["id"])}

    def _commands(self, key: str) -> dict[str, str]:
        """By the state it has come to, the id of a command of that device."""
        failed = self._command("GET_STATUS")
        self._send("GET", "/api/device/OZ-001/commands/", bearer=key)
        told = {"success": False, "message": "no answer from the relay"}
        self._send("POST", f"/api/device/OZ-001/commands/{failed}/", told, key)
        many = {"command_type": "SYNC_TIME", "device_ids": [f"OZ-{number + 1:03}" for number in range(12)]}
        self._send("POST", "/api/commands/bulk/", many, self._staff)
        return {"failed": failed, "pending": self._command("GET_STATUS"), "bulk": "1"}

    def _command(self, kind: str) -> str:
        made = self._send("POST", "/api/device/OZ-001/commands/create/", {"command_type": kind}, self._staff)
        return str(made["command"]["command_id"] if "command" in made else made["command_id"])

    def _meters(self) -> None:
        """Two that report, two whose token is waiting."""
        for number in range(1, 5):
            facts = {"name": f"Energy meter {number}", "location": f"Hall {'ABCD'[number - 1]}"}
            meter = self._send("POST", "/api/devices/", facts, self._staff)
            wanted = {"notes": f"Line {number}"}
            token = self._send("POST", f"/gateway/devices/{meter['id']}/provision", wanted, self._staff)["token"]
            if number > 2:
                continue
            key = self._send("POST", "/api/devices/claim", {"token": token})["api_key"]
            for step in range(20):
                reading = {"voltage": 229 + step % 7 / 2, "power": 2000 + 40 * (step % 9), "note": "ok"}
                self._send("POST", "/api/device-data/ingest", reading, key)

    def _station(self) -> None:
        slots = [{"slot_number": n, "status": "AVAILABLE", "battery_level": 0} for n in range(1, 13)]
        banks = []
        for number in (1, 2, 3, 5, 8):
            serial = f"PB-{number:05}"
            slots[number - 1] |= {"status": "OCCUPIED", "battery_level": 90 - number, "power_bank_serial": serial}
            banks.append(
                {"serial_number": serial, "status": "AVAILABLE", "battery_level": 90 - number, "current_slot": number}
            )
        slots[10]["status"] = "ERROR"
        device = {
            "serial_number": SERIAL,
            "imei": SERIAL,
            "status": "ONLINE",
            "last_heartbeat": int(time.time()),
            "signal_strength": "CSQ:28",
            "wifi_ssid": "Kiosk Café",
        }
        station = {"total_slots": 12}
        self._tell(type="full", device=device, station=station, slots=slots, power_banks=banks)
        back = {"power_bank_serial": "PB-00008", "slot_number": 9, "battery_level": 12, "condition": "GOOD"}
        self._tell(type="returned", device={"serial_number": SERIAL}, return_event=back)
        gone = {"power_bank_serial": "PB-99999", "slot_number": 9, "battery_level": 12}
        self._tell(type="returned", device={"serial_number": SERIAL}, return_event=gone, status=404)

    def _tell(self, *, status: int = 200, **message: Any) -> None:
        """Signed as the partner signs: HMAC-SHA256 over the body's bytes and the header's digits."""
        body = json.dumps({"timestamp": int(time.time()), **message}).encode()
        seconds = str(int(time.time()))
        seal = hmac.new(SECRET.encode(), body + seconds.encode(), hashlib.sha256).digest()
        headers = {
            "Authorization": f"Bearer {self._staff}",
            "Content-Type": "application/json",
            "X-Timestamp": seconds,
            "X-Signature": base64.b64encode(seal).decode(),
        }
        reply = self._client.post("/api/internal/stations/data", content=body, headers=headers)
        if reply.status_code != status:
            raise AssertionError(f"{message['type']}: {reply.status_code} {reply.text[:300]}")


_OUTLET_FIELDS: Final = ("name", "region", "address", "contact_person")


def _mac(number: int) -> str:
    return f"EC:E3:34:46:10:{number:02X}"
