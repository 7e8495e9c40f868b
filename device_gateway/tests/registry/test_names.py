"""What a device may be called: every spelling of a MAC, and those that no board has."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError

from device_gateway.models import Device
from device_gateway.names import normal_mac, spelled_mac
from device_gateway.registry.queries import find_devices
from tests.support.doors import Door

pytestmark = [pytest.mark.both_doors, pytest.mark.sqlite_only]

MAC = "84:0D:8E:0C:91:8C"
SPELLINGS = (
    "84:0D:8E:0C:91:8C",
    "84:0d:8e:0c:91:8c",
    "84-0D-8E-0C-91-8C",
    "84 0D 8E 0C 91 8C",
    "840d.8e0c.918c",
    "840D8E0C918C",
    " 840D8E0C918C ",
    "84:D:8E:C:91:8C",
    "84-d-8e-c-91-8c",
)
IMPOSSIBLE = (
    "00:00:00:00:00:00",
    "000000000000",
    "0:0:0:0:0:0",
    "FF:FF:FF:FF:FF:FF",
    "ffff.ffff.ffff",
    "01:00:5E:00:00:01",
    "33:33:00:00:00:01",
    "1:0:5E:0:0:FB",
)
NONE_AT_ALL = (
    "",
    "esp32-001",
    "84:0D:8E:0C:91",
    "84:0D:8E:0C:91:8C:00",
    "84:0D:8E:0C:91:8G",
    "84:0D:8E:0C:91:",
    "8\ufb00\ufb00\ufb00\ufb00\ufb000",  # ligatures of two f, which become twelve digits in capitals
    "８40D8E0C918C",  # a full-width digit
    "٨40D8E0C918C",
    "84:0D:8E:0C:91:8C" + " " * 300_000 + "x",
    ":" * 300_000,
)


@pytest.mark.parametrize("text", SPELLINGS)
def test_every_spelling(text: str) -> None:
    assert normal_mac(text) == MAC


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_a_mac_that_no_board_has(text: str) -> None:
    assert spelled_mac(text) is not None
    assert normal_mac(text) is None


@pytest.mark.parametrize("text", NONE_AT_ALL)
def test_no_mac(text: str) -> None:
    assert spelled_mac(text) is None
    assert normal_mac(text) is None


@pytest.mark.parametrize("mac", [*IMPOSSIBLE, *NONE_AT_ALL[:8]])
def test_every_route_that_takes_one_refuses_it(door: Door, client: Any, mac: str) -> None:
    """Two boards that tell all zeros are not one device, and take nobody's token."""
    shaken = door.post("/api/handshake/", {"mac": mac})
    assert (shaken.status, list(shaken.json()["errors"])) == (400, ["mac"])
    said = {"mode": "BASIC", "macaddr": mac, "count1": 1, "count2": 0, "count3": 0}
    legacy = door.post("/api/iot/", said)
    assert (legacy.status, list(legacy.json()["errors"])) == (400, ["macaddr"])
    client.force_login(User.objects.create_superuser("olga"))
    if mac:  # without one a device has none
        added = client.post("/api/devices/", json.dumps({"mac": mac}), "application/json")
        assert (added.status_code, list(added.json()["errors"])) == (400, ["mac"])
    assert not Device.objects.exists()


@pytest.mark.parametrize("name", ["FF:FF:FF:FF:FF:FF", "84:D:8E:C:91:8C", "000000000000", "01005E000001"])
def test_a_device_id_does_not_look_like_a_mac(client: Any, db: None, name: str) -> None:
    client.force_login(User.objects.create_superuser("olga"))
    added = client.post("/api/devices/", json.dumps({"device_id": name}), "application/json")
    assert (added.status_code, list(added.json()["errors"])) == (400, ["device_id"])


@pytest.mark.parametrize("name", ["esp-1", None])
def test_the_mac_in_any_spelling_names_its_device(door: Door, client: Any, name: str | None) -> None:
    """One that an operator has named, and one whose device_id is its MAC."""
    device = Device.objects.create(mac=MAC, device_id=name, assigned=True)
    shaken = door.post("/api/handshake/", {"mac": "84:d:8e:c:91:8c"}).json()
    assert shaken["device_id"] == (name or MAC)
    bearer = {"Authorization": f"Bearer {shaken['token']}"}
    client.force_login(User.objects.create_superuser("olga"))
    for number, spelling in enumerate(("84:0d:8e:0c:91:8c", "84-0D-8E-0C-91-8C", "840D8E0C918C", "84:D:8E:C:91:8C")):
        assert door.send("GET", f"/api/device/{spelling}/commands/", headers=bearer).status == 200
        event = {"event_id": f"e-{number}", "event": "treatment", "treatment": "BASIC", "counter": number}
        assert door.post("/api/device/events/", {**event, "device_id": spelling}, shaken["token"]).status == 200
        assert client.get(f"/api/devices/{spelling}/").json()["id"] == device.pk
    assert door.send("GET", "/api/device/84:0d:8e:0c:91:8d/commands/", headers=bearer).status == 401


def test_many_names_in_two_queries(db: None, django_assert_num_queries: Any) -> None:
    one, two = Device.objects.create(mac=MAC), Device.objects.create(device_id="two")
    names = [str(one.pk), f"0{one.pk}", "84-d-8e-c-91-8c", "two", "three", "\0", "9" * 30]
    with django_assert_num_queries(2):
        found = find_devices(Device.objects.all(), names)
    assert found == {str(one.pk): one, f"0{one.pk}": one, "84-d-8e-c-91-8c": one, "two": two}


def test_a_change_that_names_nothing_looks_for_no_names(db: None, django_assert_max_num_queries: Any) -> None:
    device = Device.objects.create(mac=MAC, assigned=True)
    device.location = "Hall 2"
    with django_assert_max_num_queries(5):  # with its savepoint, and what tells other processes of it
        device.save(update_fields=["location"])


def test_a_taken_mac_is_said_of_the_mac(db: None) -> None:
    Device.objects.create(mac=MAC)
    with pytest.raises(ValidationError) as caught:
        Device(mac=MAC, device_id=MAC).clean()
    assert list(caught.value.message_dict) == ["mac"]
