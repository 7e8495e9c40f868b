"""The cast of the pages' tests: staff, two owners of devices, and a form filled in as a browser would."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from device_gateway import services
from device_gateway.models import Device

PASSWORD = "a long walk to the well"
TOKENS = "/gateway/device-tokens"
ACTIONS = "/device-tokens"
"""Where the forms of the token page are sent: below /gateway/ an error would be JSON."""

SignIn = Callable[[User], Client]
Issue = Callable[..., Any]


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
def signed_in() -> SignIn:
    def make(user: User) -> Client:
        client = Client(raise_request_exception=False)
        client.force_login(user)
        return client

    return make


@pytest.fixture
def issue() -> Issue:
    """Sends the token form as the page has it; `nonce` overrides the page's own."""

    def send(client: Client, device: Device | None, **fields: Any) -> Any:
        nonce = fields.pop("nonce", None) or nonce_of(client.get(TOKENS))
        return client.post(ACTIONS, {"nonce": nonce, "device": device.pk if device else "", **fields})

    return send


def nonce_of(reply: Any) -> str:
    found = re.search(r'name="nonce" value="([^"]+)"', reply.content.decode())
    assert found
    return found[1]


def token_of(reply: Any) -> str:
    """The secret that a reply shows; "" where it shows none."""
    found = re.search(r'id="token"[^>]*>([^<]+)<', reply.content.decode())
    return found[1] if found else ""


def claim(device: Device, issuer: User, *, client: str = "203.0.113.9", **fields: Any) -> services.Claimed:
    """A token issued and claimed at once."""
    now = timezone.now()
    issued = services.issue_token(device=device, issuer=issuer, now=now, **fields)
    return services.claim(token=issued.token, device_metadata={}, client=client, now=now)
