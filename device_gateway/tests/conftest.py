"""The cast: Olga is staff, Vera owns the meter, Mallory owns nothing; and what they do again and again."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client
from django.utils import timezone

from device_gateway.claims.services import issue_token
from device_gateway.keys.credentials import set_key
from device_gateway.models import Credential, Device, DeviceTelemetry
from ozone.accounts.tokens import issue
from tests.support.doors import Answer, Door
from tests.support.kept import Kept

CLAIM = "/gateway/devices/claim"
INGEST = "/gateway/device-data/ingest"
PEER = "203.0.113.9"
SEED_READING = {"voltage": 228.4, "current": 3.2, "power_factor": 0.97, "kwh": 1234.5}

Result = TypeVar("Result")


@dataclass
class Meter:
    """A device and the key it holds."""

    device: Device
    key: str

    def send(self, door: Door, value: Any = SEED_READING, **headers: str) -> Answer:
        return door.post(INGEST, value, self.key, **headers)

    def rows(self) -> list[DeviceTelemetry]:
        """What is stored of it, in the order of storing."""
        return list(DeviceTelemetry.objects.filter(device=self.device).order_by("id"))

    def payloads(self) -> list[Any]:
        return [row.payload for row in self.rows()]


@pytest.fixture
def olga(write_path: None) -> User:
    return User.objects.create_user("olga", is_staff=True)


@dataclass
class Hers:
    """Vera, and as much of her meter as a test is about."""

    vera: User
    device: Device
    key: str = ""

    @classmethod
    def make(cls) -> "Hers":
        vera = User.objects.create_user("vera")
        return cls(vera, Device.objects.create(name="Factory Meter 1", owner=vera, location="Line A"))

    @classmethod
    def make_equipped(cls) -> "Hers":
        hers = cls.make()
        return cls(hers.vera, hers.device, equip(hers.device).key)


_HERS, _EQUIPPED = Kept(Hers.make), Kept(Hers.make_equipped)


@pytest.fixture
def hers(request: pytest.FixtureRequest, write_path: None) -> Hers:
    return (_EQUIPPED if "meter" in request.fixturenames else _HERS).lay()


@pytest.fixture
def vera(request: pytest.FixtureRequest, write_path: None) -> User:
    if "device" in request.fixturenames:
        hers: Hers = request.getfixturevalue("hers")
        return hers.vera
    return User.objects.create_user("vera")


@pytest.fixture
def mallory(write_path: None) -> User:
    return User.objects.create_user("mallory")


@pytest.fixture
def device(hers: Hers) -> Device:
    """As seed 000 makes one: not assigned, without a key."""
    return hers.device


@pytest.fixture
def meter(device: Device, hers: Hers) -> Meter:
    """The same device, assigned and with a key."""
    return Meter(device, hers.key)


@pytest.fixture
def other_meter(write_path: None) -> Meter:
    """Somebody else's."""
    return equip(Device.objects.create(name="Other"))


def equip(device: Device, key: str | None = None) -> Meter:
    """Assigns the device and gives it a key."""
    device.assigned = True
    device.save()
    key = key or f"key-of-{device.pk}-and-of-no-other"
    set_key(device=device, key=key, source=Credential.Source.CLAIM, now=timezone.now())
    return Meter(device, key)


def provisioned(device: Device, issuer: User | None = None, **wanted: Any) -> str:
    """A provisioning token for the device."""
    return issue_token(device=device, issuer=issuer, now=timezone.now(), **wanted).token


def token_of(user: User) -> str:
    """An access token of the user."""
    return issue(user, as_staff=False)[0]


def cookie_of(user: User) -> dict[str, str]:
    """A browser's header when the user has signed in."""
    client = Client()
    client.force_login(user)
    return {"Cookie": f"sessionid={client.cookies['sessionid'].value}"}


def get(door: Door, path: str, key: str | None = None, **headers: str) -> Answer:
    named: Mapping[str, str] = {name.replace("_", "-"): text for name, text in headers.items()}
    return door.send("GET", path, headers={**named, **({"Authorization": f"Bearer {key}"} if key else {})})


def refusal(answer: Answer) -> tuple[int, str]:
    """Status and code of an error, whose shape is checked."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert set(body) - {"errors"} == {"detail", "code"}
    assert body["detail"]
    return answer.status, body["code"]


def at_once(count: int, act: Callable[[int], Result], *, seconds: float = 30) -> list[Result]:
    """What `act(0)` … `act(count - 1)` return, each in a thread of its own, all let go at one moment; so many seconds
    later all are back."""
    results: dict[int, Result] = {}
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        barrier.wait(10)
        results[number] = act(number)
        connections.close_all()

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    return [results[number] for number in range(count)]


def eventually(condition: Callable[[], bool], seconds: float = 1.0) -> bool:
    """Whether it becomes true within the contract's second."""
    steps = int(seconds / 0.02)
    return any(condition() or threading.Event().wait(0.02) for _ in range(steps)) or condition()
