"""/api/devices/: adding, reading, changing, archiving and restoring devices, and what they may be called."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from device_gateway.models import Device
from device_gateway.registry.services import archive_device, change_device
from device_gateway.tests.conftest import CLAIM, Meter, cookie_of, get, provisioned, refusal, token_of
from tests.support.doors import Answer, Door

DEVICES = "/api/devices/"


@pytest.fixture
def staff(olga: User) -> str:
    return token_of(olga)


def send(door: Door, method: str, path: str, key: str, value: Any = None) -> Answer:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return door.send(method, path, b"" if value is None else json.dumps(value).encode(), headers)


class TestAdd:
    def test_it_works(self, door: Door, staff: str, vera: User) -> None:
        body = {"name": "Press 7", "location": "Hall 2", "owner": vera.pk, "notes": "by the door", "firmware": "1.2"}
        answer = door.post(DEVICES, body, staff)
        assert answer.status == 201
        device = Device.objects.get()
        created_at = answer.json()["created_at"]
        assert answer.json() == {
            "id": device.pk,
            "device_id": f"dev-{device.pk}",
            "mac": None,
            **body,
            "assigned": False,
            "encryption": "",
            "created_at": created_at,
            "archived_at": None,
            "last_seen": None,
            "last_poll": None,
            "last_heard": None,
            "credential": None,
        }
        assert created_at.endswith("Z")

    @pytest.mark.alike
    @pytest.mark.parametrize("path", ["/api/devices", "/api/devices/"])
    def test_nothing_is_needed(self, door: Door, staff: str, path: str) -> None:
        bodies: list[Any] = [{}, b""]
        for body in bodies:
            assert door.post(path, body, staff).status == 201
        assert {device.device_id for device in Device.objects.all()} == {
            f"dev-{device.pk}" for device in Device.objects.all()
        }

    def test_one_with_a_name_is_assigned(self, door: Door, staff: str) -> None:
        reply = door.post(DEVICES, {"device_id": "press-7"}, staff).json()
        assert (reply["device_id"], reply["assigned"]) == ("press-7", True)

    @pytest.mark.alike
    @pytest.mark.parametrize(
        "mac", ["EC:E3:34:46:2B:C0", "ec:e3:34:46:2b:c0", "EC-E3-34-46-2B-C0", "ece334462bc0", "ece3.3446.2bc0"]
    )
    def test_a_mac_in_any_spelling(self, door: Door, staff: str, mac: str) -> None:
        reply = door.post(DEVICES, {"mac": mac}, staff).json()
        assert (reply["mac"], reply["device_id"]) == ("EC:E3:34:46:2B:C0", "EC:E3:34:46:2B:C0")
        assert not reply["assigned"]
        again = door.post(DEVICES, {"mac": "EC-E3-34-46-2B-C0"}, staff)
        assert refusal(again) == (409, "name_taken")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("mac", "EC:E3:34:46:2B"),
            ("mac", "EC:E3:34:46:2B:C0:11"),
            ("mac", "EC:E3:34:46:2B:CG"),
            ("mac", 5),
            ("name", "x" * 201),
            ("name", 5),
            ("name", None),
            ("location", ["x"]),
            ("notes", "x" * 501),
            ("firmware", "x" * 65),
            ("owner", 999_999),
            ("owner", "olga"),
            ("owner", True),
        ],
    )
    @pytest.mark.sqlite_only
    def test_invalid(self, door: Door, staff: str, field: str, value: Any) -> None:
        answer = door.post(DEVICES, {field: value}, staff)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == [field]
        assert not Device.objects.exists()

    @pytest.mark.parametrize("body", [[], "x", 5, None, False])
    def test_not_an_object(self, door: Door, staff: str, body: Any) -> None:
        assert refusal(door.post(DEVICES, body, staff)) == (400, "invalid")
        assert not Device.objects.exists()

    @pytest.mark.alike
    def test_who(self, door: Door, vera: User, olga: User, meter: Meter) -> None:
        assert refusal(door.post(DEVICES, {})) == (401, "signed_out")
        assert refusal(door.post(DEVICES, {}, token_of(vera))) == (403, "forbidden")
        assert door.post(DEVICES, {}, meter.key).status == 401
        assert door.post(DEVICES, {}, **cookie_of(olga)).status == 201


class TestNames:
    @pytest.mark.alike
    @pytest.mark.parametrize(
        "name", ["a", "press-7", "A.b_c:d-9", "x" * 63, "0x10", "7.5", "claim-1", "dev-x", "EC:E3"]
    )
    def test_good(self, door: Door, staff: str, name: str) -> None:
        assert door.post(DEVICES, {"device_id": name}, staff).json()["device_id"] == name
        assert get(door, f"/api/devices/{name}/", staff).json()["device_id"] == name

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "x" * 64,
            "with space",
            " press",
            "press\n",
            "press/7",
            "préss",
            "press?",
            "42",
            "007",
            "٤٢",
            "claim",
            "online",
            "all",
            "ALL",
            "pending-7",
            "pending-",
            ".",
            "..",
            "dev-1",
            "dev-999999",
            "EC:E3:34:46:2B:C0",
            "ece334462bc0",
            "ec-e3-34-46-2b-c0",
            None,
            7,
        ],
    )
    @pytest.mark.sqlite_only
    def test_bad(self, door: Door, staff: str, name: Any) -> None:
        answer = door.post(DEVICES, {"device_id": name}, staff)
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == ["device_id"]
        assert not Device.objects.exists()

    @pytest.mark.alike
    def test_its_own_mac_is_a_good_name(self, door: Door, staff: str) -> None:
        body = {"device_id": "EC:E3:34:46:2B:C0", "mac": "ece334462bc0"}
        assert door.post(DEVICES, body, staff).status == 201
        device = Device.objects.get()
        assert send(door, "PATCH", f"/api/devices/{device.pk}/", staff, {"device_id": "press-7"}).status == 200
        assert send(door, "PATCH", f"/api/devices/{device.pk}/", staff, {"device_id": f"dev-{device.pk}"}).status == 200

    def test_taken_says_whose(self, door: Door, staff: str) -> None:
        body = {"device_id": "press-7", "mac": "EC:E3:34:46:2B:C0", "name": "Bay 7"}
        first = door.post(DEVICES, body, staff).json()["id"]
        is_theirs = f"press-7 is the name of device {first} (Bay 7)."
        refused = door.post(DEVICES, {"device_id": "press-7"}, staff)
        assert (refused.status, refused.json()) == (
            409, {"detail": is_theirs, "code": "name_taken", "errors": {"device_id": [is_theirs]}},
        )  # fmt: skip
        other = door.post(DEVICES, {"device_id": "press-8"}, staff).json()["id"]
        answer = send(door, "PATCH", f"/api/devices/{other}", staff, {"device_id": "press-7"})
        assert (refusal(answer), answer.json()["detail"]) == ((409, "name_taken"), is_theirs)
        assert get(door, f"/api/devices/{other}", staff).json()["device_id"] == "press-8"
        send(door, "PATCH", f"/api/devices/{first}", staff, {"device_id": "press-9"})
        archive_device(device=Device.objects.get(pk=first), now=timezone.now())
        both = door.post(DEVICES, {"device_id": "press-7", "mac": "ece334462bc0"}, staff).json()
        assert both["errors"] == {
            "device_id": [f"press-7 was the name of device {first} (press-9, Bay 7, archived)."],
            "mac": [f"EC:E3:34:46:2B:C0 is the name of device {first} (press-9, Bay 7, archived)."],
        }

    def test_others_learn_nothing_of_a_taken_name(self, door: Door, device: Device, vera: User, mallory: User) -> None:
        for user in (vera, mallory):
            for method, path in (("POST", DEVICES), ("PATCH", f"{DEVICES}{device.pk}/")):
                answers = [
                    send(door, method, path, token_of(user), {"device_id": name}) for name in (device.device_id, "free")
                ]
                assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}


@pytest.mark.alike
class TestRead:
    @pytest.mark.both_doors
    def test_by_every_name(self, door: Door, staff: str) -> None:
        device = Device.objects.create(mac="ECE334462BC0", device_id="press-7", name="Press")
        for name in (device.pk, "press-7", "EC:E3:34:46:2B:C0", "ec-e3-34-46-2b-c0"):
            for slash in ("", "/"):
                assert get(door, f"/api/devices/{name}{slash}", staff).json()["id"] == device.pk

    def test_its_credential_is_told_by_its_beginning(self, door: Door, meter: Meter, staff: str) -> None:
        meter.send(door)
        reply = get(door, f"/api/devices/{meter.device.pk}/", staff).json()
        assert reply["credential"]["prefix"] == meter.key[:8]
        assert reply["credential"]["last_used_at"] == reply["last_seen"] is not None
        assert meter.key not in str(reply)

    def test_who(self, door: Door, device: Device, vera: User, mallory: User, staff: str) -> None:
        path = f"/api/devices/{device.pk}/"
        assert get(door, path, staff).status == get(door, path, token_of(vera)).status == 200
        assert refusal(get(door, path, token_of(mallory))) == (404, "unknown_device")
        assert refusal(get(door, path)) == (401, "signed_out")


class TestChange:
    def test_it_works(self, door: Door, device: Device, staff: str, mallory: User) -> None:
        path = f"/api/devices/{device.pk}/"
        changes = {"name": "Press", "location": "", "notes": "n", "firmware": "2", "owner": mallory.pk}
        answer = send(door, "PATCH", path, staff, changes)
        assert answer.status == 200
        assert {name: answer.json()[name] for name in changes} == changes
        assert not answer.json()["assigned"]
        assert get(door, path, staff).json() == answer.json()

    def test_what_is_not_named_stays(self, door: Door, device: Device, staff: str) -> None:
        send(door, "PATCH", f"/api/devices/{device.pk}/", staff, {"notes": "n"})
        device.refresh_from_db()
        assert (device.name, device.location, device.notes) == ("Factory Meter 1", "Line A", "n")

    @pytest.mark.alike
    def test_assigned(self, door: Door, meter: Meter, staff: str) -> None:
        path = f"/api/devices/{meter.device.pk}/"
        assert send(door, "PATCH", path, staff, {"assigned": False}).json()["assigned"] is False
        assert refusal(meter.send(door)) == (403, "not_assigned")
        assert send(door, "PATCH", path, staff, {"name": "n"}).json()["assigned"] is False
        assert send(door, "PATCH", path, staff, {"assigned": True}).json()["assigned"] is True
        assert meter.send(door).status == 201

    @pytest.mark.alike
    def test_a_name_assigns_unless_told_otherwise(self, door: Door, device: Device, staff: str) -> None:
        path = f"/api/devices/{device.pk}/"
        body: dict[str, Any] = {"device_id": "press-7", "assigned": False}
        assert send(door, "PATCH", path, staff, body).json()["assigned"] is False
        assert send(door, "PATCH", path, staff, {"device_id": "press-7"}).json()["assigned"] is False
        assert send(door, "PATCH", path, staff, {"device_id": "press-8"}).json()["assigned"] is True

    @pytest.mark.alike
    def test_a_former_name_stays_the_devices_own(self, door: Door, device: Device, staff: str) -> None:
        path = f"/api/devices/{device.pk}/"
        for name in ("press-7", "press-8"):
            assert send(door, "PATCH", path, staff, {"device_id": name}).status == 200
        for name in (f"dev-{device.pk}", "press-7", "press-8"):
            assert get(door, f"/api/devices/{name}/", staff).json()["device_id"] == "press-8"
        assert refusal(door.post(DEVICES, {"device_id": "press-7"}, staff)) == (409, "name_taken")
        assert send(door, "PATCH", path, staff, {"device_id": "press-7"}).json()["device_id"] == "press-7"

    def test_what_happened_meanwhile_is_not_undone(self, door: Door, device: Device) -> None:
        """A claim between the reading and the writing of a change."""
        stale = Device.objects.get()
        reply = door.post(CLAIM, {"token": provisioned(device, encryption="AESGCM")})
        assert reply.status == 201
        change_device(device=stale, fields={"name": "Press"})
        device.refresh_from_db()
        assert (device.name, device.assigned, device.encryption) == ("Press", True, "AESGCM")
        assert device.data_key

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("device_id", "42"),
            ("device_id", None),
            ("mac", "x"),
            ("assigned", "maybe"),
            ("assigned", None),
            ("assigned", 0),
            ("assigned", "no"),
            ("owner", 0),
        ],
    )
    @pytest.mark.sqlite_only
    def test_invalid(self, door: Door, device: Device, staff: str, field: str, value: Any) -> None:
        answer = send(door, "PATCH", f"/api/devices/{device.pk}/", staff, {field: value, "name": "changed"})
        assert refusal(answer) == (400, "invalid")
        assert list(answer.json()["errors"]) == [field]
        device.refresh_from_db()
        assert device.name == "Factory Meter 1"

    @pytest.mark.sqlite_only
    def test_a_fraction_is_nobody(self, door: Door, device: Device, staff: str, vera: User, mallory: User) -> None:
        Device.objects.filter(pk=device.pk).update(owner=vera)
        nearly = {"owner": mallory.pk + 0.5, "name": "of nobody"}
        for method, path in (("PATCH", f"/api/devices/{device.pk}/"), ("POST", DEVICES)):
            answer = send(door, method, path, staff, nearly)
            assert (refusal(answer), list(answer.json()["errors"])) == ((400, "invalid"), ["owner"])
        assert [*Device.objects.values_list("pk", "owner")] == [(device.pk, vera.pk)]

    def test_a_mac_may_go_and_stays_reserved(self, door: Door, staff: str) -> None:
        device = Device.objects.create(mac="ECE334462BC0", device_id="press-7")
        path = f"/api/devices/{device.pk}/"
        assert send(door, "PATCH", path, staff, {"mac": None}).json()["mac"] is None
        assert get(door, "/api/devices/EC:E3:34:46:2B:C0/", staff).json()["id"] == device.pk
        assert refusal(door.post(DEVICES, {"mac": "ECE334462BC0"}, staff)) == (409, "name_taken")

    def test_who(self, door: Door, device: Device, vera: User, mallory: User) -> None:
        path = f"/api/devices/{device.pk}/"
        for user in (vera, mallory):
            assert refusal(send(door, "PATCH", path, token_of(user), {"name": "x"})) == (403, "forbidden")
            assert refusal(send(door, "DELETE", path, token_of(user))) == (403, "forbidden")
            assert refusal(door.post(f"{path}restore/", {}, token_of(user))) == (403, "forbidden")


class TestArchive:
    @pytest.mark.alike
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_and_back(self, door: Door, meter: Meter, staff: str, slash: str) -> None:
        path = f"/api/devices/{meter.device.pk}"
        meter.send(door, {"n": 1})
        answer = send(door, "DELETE", path + slash, staff)
        assert (answer.status, answer.body) == (204, b"")
        meter.device.refresh_from_db()
        assert meter.device.archived_at is not None
        assert refusal(meter.send(door)) == (403, "device_archived")
        for method, value in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
            assert refusal(send(door, method, path + slash, staff, value)) == (404, "unknown_device")

        answer = door.post(f"{path}/restore{slash}", b"", staff)
        assert (answer.status, answer.json()["archived_at"]) == (200, None)
        assert meter.send(door, {"n": 2}).status == 201  # with its credential
        assert meter.payloads() == [{"n": 1}, {"n": 2}]

    def test_its_names_stay_its_own(self, door: Door, staff: str) -> None:
        device = Device.objects.create(device_id="press-7")
        archive_device(device=device, now=timezone.now())
        assert refusal(door.post(DEVICES, {"device_id": "press-7"}, staff)) == (409, "name_taken")
        assert door.post(DEVICES + "press-7/restore/", b"", staff).json()["id"] == device.pk

    def test_restoring_what_is_there_changes_nothing(self, door: Door, device: Device, staff: str) -> None:
        assert door.post(f"{DEVICES}{device.pk}/restore/", b"", staff).json()["archived_at"] is None

    def test_unknown(self, door: Door, staff: str) -> None:
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "restore/")):
            answer = send(door, method, f"{DEVICES}nobody/{path}", staff, {})
            assert refusal(answer) == (404, "unknown_device")


@pytest.mark.alike
class TestModel:
    """What seed 000 does in a shell."""

    def test_three_fields_are_enough(self, write_path: None, vera: User) -> None:
        device = Device.objects.create(name="Factory Meter 1", owner=vera, location="Line A")
        assert device.device_id == f"dev-{device.pk}"
        assert (device.latest_payload, device.last_seen) == (None, None)

    def test_deleting_a_user_deletes_no_device(self, door: Door, meter: Meter, vera: User) -> None:
        meter.send(door)
        vera.delete()
        meter.device.refresh_from_db()
        assert meter.device.owner is None
        assert len(meter.rows()) == 1
        assert meter.send(door).status == 201
