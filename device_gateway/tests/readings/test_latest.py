"""GET devices/<id>/telemetry/latest: the reading with the greatest (occurred_at, id)."""

from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone

from device_gateway.keys.credentials import revoke_key, set_key
from device_gateway.models import Device
from device_gateway.registry.services import archive_device
from device_gateway.tests.conftest import SEED_READING, Meter, cookie_of, get, refusal, token_of
from tests.support.doors import Door


def path(device: Any, mount: str = "gateway") -> str:
    return f"/{mount}/devices/{getattr(device, 'pk', device)}/telemetry/latest"


def test_it_works(door: Door, meter: Meter, olga: User) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        meter.send(door)
    answer = get(door, path(meter.device), token_of(olga))
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json() == {
        "device_id": meter.device.pk,
        "received_at": "2026-03-01T12:00:00Z",
        "payload": SEED_READING,
    }


def test_the_latest_is_by_occurrence_and_its_arrival_is_told(door: Door, meter: Meter, olga: User) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        meter.send(door, {"n": 1})
        clock.shift(3600)
        meter.send(door, {"n": 2, "timestamp": "2026-03-01T11:00:00Z"})
        assert get(door, path(meter.device), token_of(olga)).json() == {
            "device_id": meter.device.pk,
            "received_at": "2026-03-01T12:00:00Z",
            "payload": {"n": 1},
        }


def test_the_servers_clock_is_set_back(door: Door, meter: Meter, olga: User) -> None:
    """What came while it was three hours ahead is not the latest reading for three hours."""
    with time_machine.travel("2026-03-01T15:00:00Z", tick=False) as clock:
        meter.send(door, {"n": 1})
        clock.shift(-3 * 3600)
        meter.send(door, {"n": 2})
        assert get(door, path(meter.device), token_of(olga)).json() == {
            "device_id": meter.device.pk,
            "received_at": "2026-03-01T12:00:00Z",
            "payload": {"n": 2},
        }
        meter.send(door, {"n": 3, "timestamp": "2026-03-01T11:59:00Z"})
        assert get(door, path(meter.device), token_of(olga)).json()["payload"] == {"n": 2}


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("mount", ["gateway", "api"])
@pytest.mark.both_doors
def test_its_paths(door: Door, meter: Meter, olga: User, mount: str, slash: str) -> None:
    meter.send(door, {"n": 1})
    for name in (meter.device.pk, f"dev-{meter.device.pk}"):
        assert get(door, path(name, mount) + slash, token_of(olga)).json()["payload"] == {"n": 1}


def test_nothing_sent_yet(door: Door, device: Device, olga: User) -> None:
    assert refusal(get(door, path(device), token_of(olga))) == (404, "no_telemetry")


def test_an_empty_reading_is_a_reading(door: Door, meter: Meter, olga: User) -> None:
    meter.send(door, {})
    assert get(door, path(meter.device), token_of(olga)).json()["payload"] == {}


@pytest.mark.both_doors
class TestWho:
    """The same for `telemetry/latest` and `telemetry`."""

    @pytest.fixture(params=["telemetry/latest", "telemetry"])
    def url(self, request: pytest.FixtureRequest, door: Door, meter: Meter) -> str:
        meter.send(door)
        return f"/gateway/devices/{meter.device.pk}/{request.param}"

    @pytest.mark.alike
    def test_staff_owner_and_the_device_itself(
        self, door: Door, meter: Meter, url: str, olga: User, vera: User
    ) -> None:
        for key in (token_of(olga), token_of(vera), meter.key):
            assert get(door, url, key).status == 200
        for user in (olga, vera):
            assert get(door, url, **cookie_of(user)).status == 200

    @pytest.mark.alike
    def test_a_stranger_and_another_device_find_nothing(
        self, door: Door, url: str, other_meter: Meter, mallory: User
    ) -> None:
        assert refusal(get(door, url, token_of(mallory))) == (404, "unknown_device")
        assert refusal(get(door, url, **cookie_of(mallory))) == (404, "unknown_device")
        assert refusal(get(door, url, other_meter.key)) == (404, "unknown_device")

    def test_signed_out(self, door: Door, url: str) -> None:
        assert refusal(get(door, url)) == (401, "signed_out")

    @pytest.mark.alike
    @pytest.mark.parametrize("key", ["wrong", "a.b.c", "eyJhbGciOiJub25lIn0.e30."])
    def test_a_wrong_key(self, door: Door, url: str, key: str, olga: User) -> None:
        assert refusal(get(door, url, key))[0] == 401
        assert get(door, url, key, **cookie_of(olga)).status == 401  # a cookie beside it is ignored

    def test_a_device_that_may_not_send_may_not_read(self, door: Door, meter: Meter, url: str) -> None:
        meter.device.assigned = False
        meter.device.save()
        assert refusal(get(door, url, meter.key)) == (403, "not_assigned")
        archive_device(device=meter.device, now=timezone.now())
        assert refusal(get(door, url, meter.key)) == (403, "device_archived")

    def test_an_archived_device_is_absent(self, door: Door, meter: Meter, url: str, olga: User, vera: User) -> None:
        archive_device(device=meter.device, now=timezone.now())
        for user in (olga, vera):
            assert refusal(get(door, url, token_of(user))) == (404, "unknown_device")

    def test_a_revoked_key(self, door: Door, meter: Meter, url: str) -> None:
        revoke_key(device=meter.device, now=timezone.now())
        assert refusal(get(door, url, meter.key)) == (401, "bad_credential")

    def test_a_key_set_by_hand_may_look_like_an_access_token(self, door: Door, meter: Meter, url: str) -> None:
        set_key(device=meter.device, key="a.b.c", source="admin", now=timezone.now())
        assert get(door, url, "a.b.c").status == 200

    @pytest.mark.each_case
    @pytest.mark.parametrize("name", ["0", "nobody", "9" * 40])
    def test_unknown_device(self, door: Door, url: str, olga: User, name: str) -> None:
        unknown = url.replace(url.split("/")[3], name, 1)
        assert refusal(get(door, unknown, token_of(olga))) == (404, "unknown_device")
