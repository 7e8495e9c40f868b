"""The cast of the operators' side: Olga is staff, Vera owns esp32-001, Mallory owns nothing, nobody is signed out.

esp32-001 is in the machine CH1/027/2024 at the outlet Chai Chee; esp32-002, which has no owner, is in another at Bedok.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final

from django.contrib.auth.models import User
from django.db import connection

from device_gateway.models import Device
from device_gateway.tests.conftest import token_of
from telemetry.events.payloads import Event, read_event
from telemetry.events.storing import store_once
from telemetry.machines.bindings import register_machine
from telemetry.models import Machine, MachineDevice, Outlet, TelemetryEvent
from tests.support.doors import Answer, DjangoDoor
from tests.support.kept import Kept

NOON: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND: Final = timedelta(seconds=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)
_numbers: "count[int]" = count(1)


@dataclass
class Person:
    """Somebody at the API, with an access token or without."""

    user: User | None = None

    def ask(self, method: str, path: str, value: Any = None, **headers: str) -> Answer:
        named = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        if self.user is not None:
            named["Authorization"] = f"Bearer {token_of(self.user)}"
        body = value if isinstance(value, bytes) else b"" if value is None else json.dumps(value).encode()
        return DjangoDoor().send(method, path, body, named)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def read(self, path: str) -> Any:
        """What is at the path, which is to be there."""
        answer = self.get(path)
        assert answer.status == 200, (path, answer.body)
        return answer.json()

    def post(self, path: str, value: Any = None) -> Answer:
        return self.ask("POST", path, value)

    def patch(self, path: str, value: Any = None) -> Answer:
        return self.ask("PATCH", path, value)

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)


@dataclass
class Site:
    olga: Person
    vera: Person
    mallory: Person
    outlet: Outlet
    machine: Machine
    device: Device
    other_outlet: Outlet
    other_machine: Machine
    other_device: Device
    nobody: Person = field(default_factory=Person)

    @classmethod
    def make(cls) -> "Site":
        vera = User.objects.create_user("vera")
        since = NOON - 365 * DAY
        device = Device.objects.create(
            device_id="esp32-001", name="Left", location="Bay 1", owner=vera, created_at=since
        )
        other_device = Device.objects.create(device_id="esp32-002", name="Right", created_at=since)
        outlet, other_outlet = Outlet.objects.create(name="Chai Chee"), Outlet.objects.create(name="Bedok")
        return cls(
            olga=Person(User.objects.create_user("olga", is_staff=True)),
            vera=Person(vera),
            mallory=Person(User.objects.create_user("mallory")),
            outlet=outlet,
            machine=register_machine(device=device, outlet=outlet, name="CH1/027/2024"),
            device=device,
            other_outlet=other_outlet,
            other_machine=register_machine(device=other_device, outlet=other_outlet, name="BD1/001/2025"),
            other_device=other_device,
        )

    @classmethod
    def laid(cls) -> "Site":
        """What `make` makes, in a tenth of the time."""
        return _KEPT.lay()


_KEPT: Final = Kept(Site.make)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}


def event(device: Device, at: datetime, *, received_at: datetime | None = None, **members: Any) -> Event:
    """A press at `at`, as the wire brings it; by default it arrives at that moment."""
    number = next(_numbers)
    body = {"event_id": f"e-{number}", "event": "treatment", "treatment": "BASIC", "counter": number}
    return read_event({**body, "ts": at.isoformat(), **members}, device.pk, received_at or at)


def press(device: Device, at: datetime, **members: Any) -> TelemetryEvent:
    """Stores a press; the row."""
    pressed = event(device, at, **members)
    store_once(connection, [pressed])
    return TelemetryEvent.objects.get(device=device, event_id=pressed.event_id)


def tell_five(site: Site, oldest: datetime) -> None:
    """Two old presses, one of them just arrived; one of each device a day ago; a status message now, at NOON."""
    press(site.device, oldest, event_id="old", treatment="PREMIUM")
    press(site.device, oldest + HOUR, event_id="late", received_at=NOON - HOUR, treatment="STANDARD")
    press(site.device, NOON - DAY, event_id="recent")
    press(site.other_device, NOON - DAY, event_id="other", received_at=NOON - SECOND)
    TelemetryEvent.objects.create(
        device=site.other_device,
        event_id="status",
        event="status",
        event_type="status",
        occurred_at=NOON,
        received_at=NOON,
        source="legacy",
        payload={},
    )


def counters(basic: int, standard: int, premium: int) -> dict[str, int]:
    return {"basic": basic, "standard": standard, "premium": premium}


def history(**of: Any) -> list[tuple[str, str, str | None, datetime, datetime | None, bool]]:
    """Bindings, the first one first: machine, device, outlet, from, until, whether in force."""
    rows = MachineDevice.objects.filter(**of).order_by("assigned_date", "id")
    return [
        (
            row.machine.name,
            str(row.device.device_id),
            row.outlet.name if row.outlet else None,
            row.assigned_date,
            row.deactivated_date,
            row.is_active,
        )
        for row in rows.select_related("machine", "device", "outlet")
    ]
