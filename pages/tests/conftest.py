"""The cast of the pages' tests: staff, two owners of devices, and a form filled in as a browser would."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from device_gateway.claims import services
from device_gateway.claims.storing import Claimed
from device_gateway.models import Device
from pages.kit import once, version
from telemetry.machines.bindings import add_machine, assign_device
from telemetry.models import Outlet
from telemetry.tests.cast import DAY, NOON, Site
from tests.support.claims import claimed

PASSWORD = "a long walk to the well"
TOKENS = "/gateway/device-tokens"
ACTIONS = "/device-tokens"
"""Where the forms of the token page are sent: below /gateway/ an error would be JSON."""

SignIn = Callable[[User], Client]
Issue = Callable[..., Any]


@pytest.fixture(autouse=True)
def _looks_are_far_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test looks more often than windows do, and what one look read is not for the next."""
    monkeypatch.setattr(version, "SHARED_SECONDS", 0.0)


@pytest.fixture
def olga(db: None) -> User:
    """Staff, and no superuser."""
    return User.objects.create_user("olga", "olga@example.com", PASSWORD, is_staff=True)


@pytest.fixture
def vera(db: None) -> User:
    """Owns the meter."""
    return User.objects.create_user("vera", "vera@example.com", PASSWORD)


@pytest.fixture
def sam(db: None) -> User:
    """Owns the pump, and is a stranger to the meter."""
    return User.objects.create_user("sam", "sam@example.com", PASSWORD)


@pytest.fixture
def meter(vera: User) -> Device:
    return Device.objects.create(name="Factory Meter 1", owner=vera, location="Line A")


@pytest.fixture
def pump(sam: User) -> Device:
    return Device.objects.create(name="Pump station", owner=sam)


@pytest.fixture
def unit(vera: User) -> Device:
    """Vera's, in the machine CH1 at Chai Chee."""
    device = Device.objects.create(
        name="Ozone unit 1", device_id="OZ-001", mac="EC:E3:34:46:2B:C0", owner=vera, location="Bay 1",
        notes="Left of the door", firmware="1.4.2", assigned=True,
    )  # fmt: skip
    machine = add_machine(fields={"name": "CH1", "outlet": Outlet.objects.create(name="Chai Chee")})
    assign_device(machine=machine, device=device)
    return device


@pytest.fixture
def signed_in() -> SignIn:
    def make(user: User) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(user)
        return client

    return make


@pytest.fixture
def site(db: None) -> Iterator[Site]:
    """Another cast: two outlets, a machine at each since yesterday, with a device. It is noon."""
    with time_machine.travel(NOON - DAY, tick=False):
        site = Site.laid()
    with time_machine.travel(NOON, tick=False):
        yield site


@pytest.fixture
def staff(site: Site, signed_in: SignIn) -> Client:
    """Who sees the whole site."""
    assert site.olga.user
    return signed_in(site.olga.user)


@pytest.fixture
def owner(site: Site, signed_in: SignIn) -> Client:
    """Who owns one device of the site."""
    assert site.vera.user
    return signed_in(site.vera.user)


@pytest.fixture
def issue() -> Issue:
    """Sends the token form as the page has it; `key` overrides the page's own."""

    def send(client: Client, device: Device | None, **fields: Any) -> Any:
        key = fields.pop("key", None) or key_of(client.get(TOKENS))
        return client.post(ACTIONS, {once.FIELD: key, "device": device.pk if device else "", **fields})

    return send


def key_of(reply: Any) -> str:
    """That of the first form in the page itself."""
    found = re.search(rf'<main.*?name="{once.FIELD}" value="([^"]+)"', reply.content.decode(), re.DOTALL)
    assert found
    return found[1]


def token_of(reply: Any) -> str:
    """The secret that a reply shows; "" where it shows none."""
    found = re.search(r'id="token"[^>]*>([^<]+)<', reply.content.decode())
    return found[1] if found else ""


def claim(
    device: Device, issuer: User, *, client: str = "203.0.113.9", told: dict[str, Any] | None = None, **fields: Any
) -> Claimed:
    """A token issued and claimed at once."""
    now = timezone.now()
    issued = services.issue_token(device=device, issuer=issuer, now=now, **fields)
    return claimed(issued.token, client=client, now=now, told=told)
