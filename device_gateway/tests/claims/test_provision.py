"""POST devices/<id>/provision: a one-time token, for staff and the device's owner."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Group, User
from django.utils import timezone

from device_gateway.models import Device, ProvisioningToken
from device_gateway.registry.services import archive_device, change_device
from device_gateway.secret import hash_secret
from device_gateway.tests.conftest import CLAIM, Meter, cookie_of, refusal, token_of
from tests.support.doors import Door

BAD_MINUTES: list[Any] = [0, -1, 1.5, 1.0, "5", "", True, [], {}, 2**62]
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def path(device: Device, mount: str = "gateway") -> str:
    return f"/{mount}/devices/{device.pk}/provision"


def test_it_works(door: Door, device: Device, olga: User) -> None:
    with time_machine.travel(NOW, tick=False):
        answer = door.post(path(device), {"notes": "Line A ESP32", "metadata": {"line": "A"}}, token_of(olga))
    assert answer.status == 201
    token = answer.json()["token"]
    assert answer.json() == {"token": token, "expires_at": None, "device_id": device.pk}
    assert answer.headers["cache-control"] == "no-store"
    row = ProvisioningToken.objects.get()
    assert (row.device_id, row.token_hash, row.prefix) == (device.pk, hash_secret(token), token[:8])
    assert (row.issued_by, row.issuer_name, row.created_at) == (olga, "olga", NOW)
    assert (row.notes, row.metadata, row.expires_at) == ("Line A ESP32", {"line": "A"}, None)
    assert token not in str(ProvisioningToken.objects.values().get())
    device.refresh_from_db()
    assert not device.assigned
    assert door.post(CLAIM, {"token": token}).status == 201


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("mount", ["gateway", "api"])
@pytest.mark.both_doors
def test_its_paths_and_names(door: Door, olga: User, mount: str, slash: str) -> None:
    device = Device.objects.create(mac="ECE334462BC0", device_id="press-7")
    change_device(device=device, fields={"device_id": "press-8"})
    for name in (device.pk, "press-8", "press-7", "EC:E3:34:46:2B:C0", "ec-e3-34-46-2b-c0", "ece334462bc0"):
        answer = door.post(f"/{mount}/devices/{name}/provision{slash}", {}, token_of(olga))
        assert (answer.status, answer.json()["device_id"]) == (201, device.pk), name


@pytest.mark.each_case
@pytest.mark.parametrize("name", ["0", "999999", "9" * 30, "nobody", "AA:BB:CC:DD:EE:FF", "é", "%2e%2e", "a%00b"])
def test_unknown_device(door: Door, olga: User, name: str) -> None:
    assert refusal(door.post(f"/gateway/devices/{name}/provision", {}, token_of(olga))) == (404, "unknown_device")


@pytest.mark.both_doors
class TestWho:
    @pytest.mark.alike
    def test_staff_and_owner_by_token_and_by_session(self, door: Door, device: Device, olga: User, vera: User) -> None:
        for user in (olga, vera):
            assert door.post(path(device), {}, token_of(user)).status == 201
            assert door.post(path(device), {}, **cookie_of(user)).status == 201

    def test_a_stranger_finds_nothing(self, door: Door, device: Device, mallory: User) -> None:
        assert refusal(door.post(path(device), {}, token_of(mallory))) == (404, "unknown_device")
        assert refusal(door.post(path(device), {}, **cookie_of(mallory))) == (404, "unknown_device")
        assert not ProvisioningToken.objects.exists()

    def test_signed_out(self, door: Door, device: Device) -> None:
        assert refusal(door.post(path(device), {})) == (401, "signed_out")

    def test_a_bad_token_beside_a_good_cookie(self, door: Door, device: Device, olga: User) -> None:
        assert door.post(path(device), {}, "wrong", **cookie_of(olga)).status == 401

    def test_a_device_does_not_provision_itself(self, door: Door, meter: Meter) -> None:
        assert door.post(path(meter.device), {}, meter.key).status == 401

    def test_a_page_of_another_site(self, door: Door, device: Device, olga: User) -> None:
        for forged in ({"Origin": "https://evil.example"}, {"Sec_Fetch_Site": "cross-site"}, {"Origin": "null"}):
            answer = door.post(path(device), {}, **cookie_of(olga), **forged)
            assert refusal(answer) == (403, "cross_site")
        assert door.post(path(device), {}, **cookie_of(olga), Origin="http://testserver").status == 201

    def test_a_station_connector(self, door: Door, device: Device, olga: User) -> None:
        olga.groups.add(Group.objects.create(name="station-connector"))
        assert refusal(door.post(path(device), {}, token_of(olga))) == (403, "stations_only")

    def test_an_account_without_staff_status_any_more(self, door: Door, device: Device, olga: User) -> None:
        token = token_of(olga)
        olga.is_staff = False
        olga.save()
        assert refusal(door.post(path(device), {}, token)) == (404, "unknown_device")
        olga.is_active = False
        olga.save()
        assert door.post(path(device), {}, token).status == 401


@pytest.mark.sqlite_only
class TestBody:
    def test_none_is_needed(self, door: Door, device: Device, olga: User) -> None:
        answer = door.send("POST", path(device), headers={"Authorization": f"Bearer {token_of(olga)}"})
        assert (answer.status, answer.json()["expires_at"]) == (201, None)

    @pytest.mark.parametrize("minutes", [1, 30, 525_600])
    def test_lifetime(self, door: Door, device: Device, olga: User, minutes: int) -> None:
        with time_machine.travel(NOW, tick=False):
            answer = door.post(path(device), {"lifetime_minutes": minutes}, token_of(olga))
        expected = NOW + timedelta(minutes=minutes)
        assert answer.json()["expires_at"] == expected.isoformat().replace("+00:00", "Z")
        assert ProvisioningToken.objects.get().expires_at == expected

    def test_no_lifetime(self, door: Door, device: Device, olga: User) -> None:
        assert door.post(path(device), {"lifetime_minutes": None}, token_of(olga)).json()["expires_at"] is None

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            *(("lifetime_minutes", minutes) for minutes in BAD_MINUTES),
            ("notes", "x" * 501),
            ("notes", 5),
            ("notes", ["x"]),
            ("metadata", "x"),
            ("metadata", []),
            ("metadata", {"x": "y" * 4096}),
            ("encryption", "AES"),
            ("encryption", "aesgcm"),
            ("encryption", True),
        ],
    )
    def test_invalid(self, door: Door, device: Device, olga: User, field: str, value: Any) -> None:
        answer = door.post(path(device), {field: value}, token_of(olga))
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == [field]
        assert not ProvisioningToken.objects.exists()

    @pytest.mark.parametrize("body", [[], [{}], "text", 5, 0, False, True, None, ""])
    def test_not_an_object(self, door: Door, device: Device, olga: User, body: Any) -> None:
        assert refusal(door.post(path(device), body, token_of(olga))) == (400, "invalid")
        assert not ProvisioningToken.objects.exists()

    def test_at_the_bounds(self, door: Door, device: Device, olga: User) -> None:
        body = {"notes": "é" * 500, "metadata": {"x": "y" * (4096 - len('{"x":""}'))}, "encryption": "AESGCM"}
        assert door.post(path(device), body, token_of(olga)).status == 201
        assert ProvisioningToken.objects.get().notes == "é" * 500

    @pytest.mark.parametrize(
        ("body", "kind", "status", "code"),
        [
            (b"{", "application/json", 400, "malformed_json"),
            (b'{"notes": "\\u0000"}', "application/json", 400, "nul_character"),
            (b'{"notes": "a", "notes": "b"}', "application/json", 201, ""),
            (b"notes=a", "application/x-www-form-urlencoded", 415, "wrong_content_type"),
            (b"{}", "", 201, ""),
            (b"[]", "text/plain", 415, "wrong_content_type"),
            (b" " * (256 * 1024 + 1), "application/json", 413, "body_too_large"),
        ],
    )
    def test_malformed(
        self, door: Door, device: Device, olga: User, body: bytes, kind: str, status: int, code: str
    ) -> None:
        answer = door.post(path(device), body, token_of(olga), Content_Type=kind)
        if status != 201:
            assert refusal(answer) == (status, code)


def test_an_archived_device(door: Door, device: Device, olga: User, mallory: User) -> None:
    archive_device(device=device, now=timezone.now())
    assert refusal(door.post(path(device), {}, token_of(olga))) == (403, "device_archived")
    assert door.post(path(device), {}, token_of(mallory)).status == 404
