"""The cast: Olga is staff, Vera owns the machine's device, Mallory owns nothing; and an ESP32 that has enrolled."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

import pytest
import time_machine
from django.contrib.auth.models import User

from device_gateway.models import Credential, Device, DeviceState
from device_gateway.tests.conftest import get, token_of
from telemetry.machines.bindings import register_machine
from telemetry.models import DeviceStatus, Machine, Outlet, TelemetryEvent
from telemetry.tests.cast import Site
from tests.support.doors import Answer, DjangoDoor, Door
from tests.support.kept import Kept

MAC = "EC:E3:34:46:2B:C0"
OTHER_MAC = "02:00:00:00:00:02"
EVENTS = "/api/device/events/"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Esp32:
    """An Ozone machine's ESP32, its token, and the door it knocks at."""

    door: Door
    mac: str = MAC
    token: str = ""
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def device(self) -> Device:
        return Device.objects.get(mac=self.mac)

    @property
    def status(self) -> DeviceStatus:
        return DeviceStatus.objects.get(device__mac=self.mac)

    @property
    def last_seen(self) -> datetime | None:
        return DeviceState.objects.get(device__mac=self.mac).last_seen

    @property
    def key(self) -> Credential | None:
        return Credential.objects.filter(device__mac=self.mac, revoked_at=None).first()

    def shake(self, *, token: str | None = None, peer: str = "203.0.113.9", **more: Any) -> Answer:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        import json

        body = json.dumps({"mac": self.mac, **more}).encode()
        return self.door.send("POST", "/api/handshake/", body, headers, peer=peer)

    def enrol(self) -> "Esp32":
        self.token = self.shake().json()["token"]
        return self

    def press(self, treatment: str = "BASIC", **more: Any) -> Answer:
        return self.door.post(EVENTS, self.event(treatment, **more), self.token)

    def event(self, treatment: str = "BASIC", **more: Any) -> dict[str, Any]:
        number = next(self.numbers)
        event = {"event_id": f"e-{number}", "event": "treatment", "treatment": treatment, "counter": number}
        return {**event, **more}

    def poll(self, **query: Any) -> Answer:
        tail = "?" + "&".join(f"{name}={value}" for name, value in query.items()) if query else ""
        return get(self.door, f"/api/device/{self.mac}/commands/{tail}", self.token)

    def commands(self) -> list[dict[str, Any]]:
        answer = self.poll()
        assert answer.status == 200, answer.body
        found: list[dict[str, Any]] = answer.json()["commands"]
        return found

    def report(self, command_id: str, **result: Any) -> Answer:
        return self.door.post(f"/api/device/{self.mac}/commands/{command_id}/", result, self.token)

    def events(self) -> list[TelemetryEvent]:
        """What is stored of it, in the order of storing."""
        return list(TelemetryEvent.objects.filter(device__mac=self.mac).order_by("id"))

    def assign(self) -> None:
        device = self.device
        device.assigned = True
        device.save(update_fields=["assigned"])


@pytest.fixture
def olga(write_path: None) -> User:
    return User.objects.create_user("olga", is_staff=True)


@pytest.fixture
def staff(olga: User) -> str:
    """Olga's access token."""
    return token_of(olga)


@pytest.fixture
def stranger(door: Door) -> Esp32:
    """Nobody has assigned it."""
    return Esp32(door)


@dataclass
class Installed:
    """An ESP32 that has shaken hands, in a machine at an outlet."""

    token: str
    outlet: Outlet

    @classmethod
    def make(cls) -> "Installed":
        # What is kept is made in one moment; that it waited for somebody to assign it is part of what it is.
        with time_machine.travel(datetime.now(UTC) - timedelta(seconds=1), tick=False):
            stranger = Esp32(DjangoDoor()).enrol()
        outlet = Outlet.objects.create(name="Chai Chee")
        register_machine(device=stranger.device, outlet=outlet, name="CH1/027/2024")
        return cls(stranger.token, outlet)


_INSTALLED: Final = Kept(Installed.make)


@pytest.fixture
def installed(write_path: None) -> Installed:
    return _INSTALLED.lay()


@pytest.fixture
def outlet(request: pytest.FixtureRequest, write_path: None) -> Outlet:
    """The machine's, where the test has one."""
    if "esp32" in request.fixturenames:
        installed: Installed = request.getfixturevalue("installed")
        return installed.outlet
    return Outlet.objects.create(name="Chai Chee")


@pytest.fixture
def esp32(stranger: Esp32, installed: Installed) -> Esp32:
    """Enrolled, and in the machine CH1/027/2024."""
    stranger.token = installed.token
    return stranger


@pytest.fixture
def machine(esp32: Esp32) -> Machine:
    return Machine.objects.get()


@pytest.fixture
def neighbour(door: Door, outlet: Outlet) -> Esp32:
    """Another device, of another machine."""
    other = Esp32(door, mac=OTHER_MAC).enrol()
    register_machine(device=other.device, outlet=outlet, name="CH1/028/2024")
    return other


@pytest.fixture
def site(db: None) -> Site:
    """The operators' side, in a transaction that is rolled back."""
    return Site.laid()


def seconds_around(moment: timedelta) -> list[tuple[timedelta, str]]:
    """A threshold, and a second either side of it."""
    return [(moment - timedelta(seconds=1), "before"), (moment, "at"), (moment + timedelta(seconds=1), "after")]


Act = Callable[[], Any]
