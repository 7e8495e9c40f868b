"""The claim reply fits the meter's sketch: a StaticJsonDocument<256> of ArduinoJson 6 on a 32-bit chip."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from device_gateway.claims.payloads import LONGEST_HOST
from device_gateway.models import Device
from device_gateway.tests.conftest import provisioned
from tests.support.doors import Door

pytestmark = pytest.mark.both_doors

DOCUMENT = 256
SLOT = 16
"""Bytes of a member on a 32-bit chip; each string is copied beside it with its NUL, keys too."""


def memory(reply: dict[str, Any]) -> int:
    """What ArduinoJson 6 needs to parse the reply from a stream."""
    strings = [*reply, *(value for value in reply.values() if isinstance(value, str))]
    return SLOT * len(reply) + sum(len(text.encode()) + 1 for text in strings)


def worst_reply(door: Door, vera: User, settings: Settings, length: int) -> dict[str, Any]:
    """To a claim over https, under /gateway, at a port of five digits, for the last device of seven digits, with a
    token that expires."""
    host = ("meters." * 20)[: length - 4] + ".com"
    assert len(host) == length
    settings.ALLOWED_HOSTS = [host]
    device = Device.objects.create(pk=9_999_999, name="The last one", owner=vera)
    body = json.dumps({"token": provisioned(device, lifetime_minutes=60)}).encode()
    headers = {"Content-Type": "application/json", "Host": f"{host}:65535"}
    answer = door.send("POST", "/gateway/devices/claim", body, headers, secure=True)
    assert answer.status == 201, answer.body
    reply: dict[str, Any] = answer.json()
    assert len(reply) == 4
    assert reply["ingest_url"] == f"https://{host}:65535/gateway/device-data/ingest"
    assert len(reply["token_expires_at"]) == len("2026-03-01T12:00:00Z")
    return reply


def test_the_arithmetic_of_the_field_notes() -> None:
    """Four members with a 43-character key and a 61-character URL take about 215 bytes."""
    reply = {"device_id": 1, "api_key": "k" * 43, "ingest_url": "u" * 61, "token_expires_at": None}
    assert memory(reply) == pytest.approx(215, abs=2)


def test_the_longest_host_name_fits(door: Door, vera: User, settings: Settings) -> None:
    assert memory(worst_reply(door, vera, settings, LONGEST_HOST)) <= DOCUMENT


def test_it_is_the_longest(door: Door, vera: User, settings: Settings) -> None:
    assert memory(worst_reply(door, vera, settings, LONGEST_HOST + 1)) > DOCUMENT


def test_an_operators_own_key_is_no_part_of_it(door: Door, vera: User, settings: Settings) -> None:
    """Keys of a claim are all of one length."""
    reply = worst_reply(door, vera, settings, 20)
    assert len(reply["api_key"]) == 32
