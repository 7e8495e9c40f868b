"""The admin site: devices are added and edited there, a key is set without ever being shown, the rest is read-only."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from device_gateway.claims.services import issue_token, revoke_token
from device_gateway.models import Credential, Device, DeviceTelemetry, ProvisioningToken
from device_gateway.registry.services import change_device
from device_gateway.secret import hash_secret
from device_gateway.tests.conftest import INGEST, Meter, equip, provisioned
from tests.support.doors import Door

ADMIN = "/admin/device_gateway"


@pytest.fixture
def root(write_path: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


def page(reply: Any) -> str:
    assert reply.status_code == 200
    return str(reply.content.decode())


def save(root: Client, device: Device | None = None, **fields: Any) -> Any:
    path = f"{ADMIN}/device/{device.pk}/change/" if device else f"{ADMIN}/device/add/"
    return root.post(path, fields)


def errors(reply: Any) -> list[str]:
    assert reply.status_code == 200
    return list(reply.context["adminform"].form.errors)


class TestDevice:
    def test_add(self, root: Client, vera: User) -> None:
        assert save(root, name="Factory Meter 1", owner=vera.pk, location="Line A").status_code == 302
        device = Device.objects.get()
        assert (device.name, device.owner, device.location) == ("Factory Meter 1", vera, "Line A")
        assert (device.device_id, device.assigned) == (f"dev-{device.pk}", False)
        assert not device.credentials.exists()

    def test_add_with_everything(self, root: Client, door: Door) -> None:
        fields: Any = {
            "name": "Press",
            "device_id": "press-7",
            "mac": "ece334462bc0",
            "token": "set-by-hand-0001",
            "notes": "n",
        }
        assert save(root, **fields).status_code == 302
        device = Device.objects.get()
        assert (device.device_id, device.mac, device.assigned) == ("press-7", "EC:E3:34:46:2B:C0", True)
        assert door.post(INGEST, {"n": 1}, "set-by-hand-0001").status == 201

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("device_id", "42"),
            ("device_id", "claim"),
            ("device_id", "pending-1"),
            ("device_id", "a b"),
            ("device_id", "taken"),
            ("device_id", "formerly"),
            ("mac", "xyz"),
            ("token", "x" * 128),
            ("token", "abc"),
            ("token", "x" * 15),
            ("token", "kéy-0123456789-0123"),
            ("token", "with blank 0123456789"),
            ("token", "line\nbreak-0123456789"),
        ],
    )
    @pytest.mark.sqlite_only
    def test_invalid(self, root: Client, field: str, value: str) -> None:
        other = Device.objects.create(device_id="formerly")
        change_device(device=other, fields={"device_id": "taken"})
        fields: Any = {"name": "New", field: value}
        assert errors(save(root, **fields)) == [field]
        assert Device.objects.count() == 1

    def test_edit(self, root: Client, meter: Meter, door: Door) -> None:
        reply = save(root, meter.device, name="Renamed", device_id="press-7", assigned="on", location="B")
        assert reply.status_code == 302
        meter.device.refresh_from_db()
        assert (meter.device.name, meter.device.device_id, meter.device.location) == ("Renamed", "press-7", "B")
        assert meter.device.names.filter(name=f"dev-{meter.device.pk}").exists()
        assert meter.send(door).status == 201  # its key stays

    @pytest.mark.alike
    def test_a_blank_name_stays_what_it_is(self, root: Client, meter: Meter) -> None:
        assert save(root, meter.device, name="x", device_id="", assigned="on").status_code == 302
        meter.device.refresh_from_db()
        assert meter.device.device_id == f"dev-{meter.device.pk}"

    @pytest.mark.alike
    def test_saving_writes_no_old_reading_back(self, root: Client, meter: Meter, door: Door) -> None:
        page(root.get(f"{ADMIN}/device/{meter.device.pk}/change/"))
        meter.send(door, {"n": 1})
        save(root, meter.device, name="x", assigned="on")
        meter.device.refresh_from_db()
        assert meter.device.latest_payload == {"n": 1}

    def test_it_is_shown_with_what_it_sent_last(self, root: Client, meter: Meter, door: Door) -> None:
        meter.send(door, {"voltage": 228.4})
        shown = page(root.get(f"{ADMIN}/device/{meter.device.pk}/change/"))
        assert "228.4" in shown
        assert f"{meter.key[:8]}…" in shown
        assert meter.key not in shown

    @pytest.mark.each_case
    @pytest.mark.parametrize("term", ["Factory", "dev-", "press-old", "Line A", "vera"])
    def test_search(self, root: Client, device: Device, other_meter: Meter, term: str) -> None:
        change_device(device=device, fields={"device_id": "press-old"})
        change_device(device=device, fields={"device_id": "press-new"})
        shown = page(root.get(f"{ADMIN}/device/", {"q": term}))
        assert shown.count(f"{ADMIN}/device/{device.pk}/change/") >= 1
        if term != "dev-":
            assert f"{ADMIN}/device/{other_meter.device.pk}/change/" not in shown

    def test_none_is_deleted(self, root: Client, meter: Meter) -> None:
        assert root.get(f"{ADMIN}/device/{meter.device.pk}/delete/").status_code == 403
        assert root.post(f"{ADMIN}/device/{meter.device.pk}/delete/", {"post": "yes"}).status_code == 403
        root.post(f"{ADMIN}/device/", {"action": "delete_selected", "_selected_action": [meter.device.pk], "post": "y"})
        assert Device.objects.filter(pk=meter.device.pk).exists()

    def test_archive_and_restore(self, root: Client, meter: Meter, door: Door) -> None:
        for action, status in (("archive", 403), ("restore", 201)):
            root.post(f"{ADMIN}/device/", {"action": action, "_selected_action": [meter.device.pk]})
            assert meter.send(door).status == status


class TestToken:
    """Seed 000's *rotate by updating the token in admin*: written, stored hashed, never shown."""

    @pytest.mark.alike
    def test_a_value_sets_it(self, root: Client, meter: Meter, door: Door) -> None:
        assert save(root, meter.device, name="x", assigned="on", token="new-token-000001").status_code == 302
        credential = Credential.objects.get(revoked_at=None)
        assert (credential.hash, credential.source) == (hash_secret("new-token-000001"), "admin")
        assert meter.send(door).status == 401
        assert door.post(INGEST, {}, "new-token-000001").status == 201

    @pytest.mark.alike
    def test_blank_it_stays(self, root: Client, meter: Meter, door: Door) -> None:
        assert save(root, meter.device, name="x", assigned="on", token="").status_code == 302
        assert meter.send(door).status == 201

    @pytest.mark.alike
    def test_it_is_never_shown(self, root: Client, meter: Meter) -> None:
        save(root, meter.device, name="x", assigned="on", token="new-token-000001")
        for path in (f"device/{meter.device.pk}/change/", "device/", "credential/", "device/add/"):
            assert "new-token-000001" not in page(root.get(f"{ADMIN}/{path}"))
        shown = page(root.get(f"{ADMIN}/device/{meter.device.pk}/change/"))
        (field,) = re.findall(r'<input[^>]*name="token"[^>]*>', shown)
        assert 'type="password"' in field and "value=" not in field
        # Nor in the form that comes back because of another field.
        refused = save(root, meter.device, name="x" * 999, token="newer-token-0001")
        assert errors(refused) == ["name"]
        assert "newer-token-0001" not in page(refused)

    def test_nor_in_the_history(self, root: Client, meter: Meter) -> None:
        save(root, meter.device, name="x", assigned="on", token="new-token-000001")
        assert "new-token-000001" not in page(root.get(f"{ADMIN}/device/{meter.device.pk}/history/"))

    @pytest.mark.alike
    @pytest.mark.parametrize(("length", "shown"), [(16, ""), (23, ""), (24, "Tokentok"), (127, "Tokentok")])
    def test_of_a_short_one_no_beginning_is_kept(self, root: Client, meter: Meter, length: int, shown: str) -> None:
        key = ("Tokentoken" * 13)[:length]
        assert save(root, meter.device, name="x", assigned="on", token=key).status_code == 302
        assert Credential.objects.get(revoked_at=None).prefix == shown
        assert root.get(f"/api/devices/{meter.device.pk}/").json()["credential"]["prefix"] == shown

    def test_in_a_shell(self, meter: Meter, door: Door) -> None:
        """`device.token = …; device.save()` rotates it; reading gives nothing back."""
        device = Device.objects.get(pk=meter.device.pk)
        device.token = "set-in-a-shell-1"
        assert device.token == ""
        device.save()
        assert meter.send(door).status == 401
        assert door.post(INGEST, {}, "set-in-a-shell-1").status == 201
        device.save()  # once
        assert Credential.objects.filter(device=device).count() == 2

    def test_in_a_shell_of_a_new_device(self, door: Door) -> None:
        fields: dict[str, Any] = {"name": "new", "assigned": True, "token": "set-in-a-shell-2"}
        Device.objects.create(**fields)
        assert door.post(INGEST, {}, "set-in-a-shell-2").status == 201

    @pytest.mark.parametrize("key", ["abc", "x" * 15, "x" * 128, "with blank 0123456789", "kéy-0123456789-0123"])
    def test_in_a_shell_what_cannot_be_one(self, meter: Meter, door: Door, key: str) -> None:
        with pytest.raises(ValidationError):
            meter.device.token = key
        meter.device.save()
        assert meter.send(door).status == 201

    @pytest.mark.alike
    def test_127_characters(self, root: Client, meter: Meter, door: Door) -> None:
        assert save(root, meter.device, name="x", assigned="on", token="k" * 127).status_code == 302
        assert door.post(INGEST, {}, "k" * 127).status == 201

    @pytest.mark.alike
    def test_another_devices_token(self, root: Client, meter: Meter, other_meter: Meter) -> None:
        assert errors(save(root, meter.device, name="x", assigned="on", token=other_meter.key)) == ["token"]
        assert Credential.objects.filter(revoked_at=None).count() == 2

    def test_generate_new(self, root: Client, meter: Meter, other_meter: Meter, door: Door) -> None:
        chosen = {"action": "generate_new_token", "_selected_action": [meter.device.pk, other_meter.device.pk]}
        reply = root.post(f"{ADMIN}/device/", chosen)
        keys = re.findall(r"<code>([^<]+)</code>", page(reply))
        assert len(keys) == 2
        assert "no-store" in reply["Cache-Control"]
        assert [door.post(INGEST, {}, key).status for key in keys] == [201, 201]
        assert meter.send(door).status == other_meter.send(door).status == 401
        again = page(root.get(f"{ADMIN}/device/"))
        assert not any(key in again for key in keys)


class TestReadOnly:
    @pytest.fixture(params=[ProvisioningToken, Credential, DeviceTelemetry])
    def row(self, request: pytest.FixtureRequest, meter: Meter, door: Door) -> Any:
        provisioned(meter.device, notes="Line A ESP32")
        meter.send(door, {"message_id": "m-1"})
        return request.param.objects.latest("id")

    @pytest.mark.each_case
    def test_it_is_listed_shown_and_never_changed(self, root: Client, row: Any) -> None:
        path = f"{ADMIN}/{row._meta.model_name}"
        assert str(row.device) in page(root.get(f"{path}/"))
        shown = page(root.get(f"{path}/{row.pk}/change/"))
        assert '<input type="submit"' not in shown
        before = type(row).objects.filter(pk=row.pk).values().get()
        for target in (f"{path}/add/", f"{path}/{row.pk}/change/", f"{path}/{row.pk}/delete/"):
            assert root.post(target, {"device": row.device_id, "post": "yes"}).status_code == 403
        assert root.get(f"{path}/add/").status_code == 403
        assert type(row).objects.filter(pk=row.pk).values().get() == before

    @pytest.mark.each_case
    def test_no_hash_is_shown(self, root: Client, row: Any) -> None:
        path = f"{ADMIN}/{row._meta.model_name}"
        for shown in (page(root.get(f"{path}/")), page(root.get(f"{path}/{row.pk}/change/"))):
            for secret in (getattr(row, "hash", None), getattr(row, "token_hash", None)):
                assert secret is None or secret not in shown

    @pytest.mark.each_case
    def test_search(self, root: Client, row: Any) -> None:
        terms = {"ProvisioningToken": "Line A", "Credential": row.device.device_id, "DeviceTelemetry": "m-1"}
        path = f"{ADMIN}/{row._meta.model_name}/"
        assert f"{path}{row.pk}/change/" in page(root.get(path, {"q": terms[type(row).__name__]}))
        assert f"{path}{row.pk}/change/" not in page(root.get(path, {"q": "nothing of that name"}))


def test_the_states_of_tokens(root: Client, device: Device) -> None:
    now = timezone.now()
    for _ in range(2):
        row = issue_token(device=device, issuer=None, now=now).row
    revoke_token(token=row, now=now)
    shown = page(root.get(f"{ADMIN}/provisioningtoken/"))
    assert ">Pending<" in shown and ">Revoked<" in shown


def test_who(write_path: None, vera: User, olga: User, device: Device) -> None:
    for user in (None, vera):
        client = Client()
        if user:
            client.force_login(user)
        assert client.get(f"{ADMIN}/device/").status_code == 302  # to the sign-in
    client = Client()
    client.force_login(olga)
    assert client.get(f"{ADMIN}/device/").status_code == 403  # staff without the permission


@pytest.mark.alike
def test_a_device_without_a_key(root: Client, device: Device) -> None:
    assert "none" in page(root.get(f"{ADMIN}/device/{device.pk}/change/"))
    equip(device)
    assert "never used" in page(root.get(f"{ADMIN}/device/{device.pk}/change/"))
