"""A refused reading leaves a trace where operators look, and one log line a minute."""

import time
from typing import Any

import pytest

from device_gateway.models import DeviceState
from device_gateway.tests.conftest import INGEST, Meter, refusal
from tests.support.doors import Door


def traced(number: int) -> DeviceState:
    """The writer notes it after the reply: soon."""
    for _ in range(100):
        state = DeviceState.objects.get()
        if state.refused_readings == number:
            break
        time.sleep(0.02)
    assert state.refused_readings == number
    return state


@pytest.mark.both_doors
def test_it_works(door: Door, meter: Meter, caplog: pytest.LogCaptureFixture) -> None:
    assert meter.send(door, {"v": 1}).status == 201
    for value in ([1, 2], 5, "x"):
        assert refusal(meter.send(door, value)) == (400, "not_a_reading")
    state = traced(3)
    assert (state.refused_code, state.refused_detail) == (
        "not_a_reading",
        "Send a reading as a JSON object, or an array of them.",
    )
    assert state.refused_at and state.last_seen and state.refused_at > state.last_seen
    assert caplog.text.count(f"device {meter.device.pk} is refused (not_a_reading)") == 1
    assert state.latest_payload == {"v": 1}


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b"{", "application/json", "malformed_json"),
        (b'{"a": NaN}', "application/json", "malformed_json"),
        (b'{"message_id": ""}', "application/json", "invalid_message_id"),
        (b"{}", "text/plain", "wrong_content_type"),
    ],
)
def test_each_kind(door: Door, meter: Meter, body: bytes, content_type: str, code: str) -> None:
    headers = {"Content-Type": content_type, "Authorization": f"Bearer {meter.key}"}
    assert door.send("POST", INGEST, body, headers).json()["code"] == code
    assert traced(1).refused_code == code


def test_it_is_shown_on_the_devices_page(door: Door, meter: Meter, client: Any, django_user_model: Any) -> None:
    client.force_login(django_user_model.objects.create_superuser("olga"))
    meter.send(door, "x")
    for n in (1, 2):
        meter.send(door, {"message_id": "m", "n": n})
    traced(1)
    page = client.get(f"/devices/{meter.device.device_id}/").content.decode()
    assert "Its readings were refused once" in page and "not_a_reading" in page
    assert "It reuses its ids" in page
