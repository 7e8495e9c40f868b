"""Revoking a pending token, and a device's key."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from device_gateway.claims.services import issue_token
from device_gateway.models import Credential, Device, ProvisioningToken
from pages.tests.conftest import ACTIONS, PASSWORD, TOKENS, SignIn, claim

pytestmark = pytest.mark.django_db


def pending(device: Device, issuer: User) -> ProvisioningToken:
    return issue_token(device=device, issuer=issuer, now=timezone.now()).row


def revoke(client: Client, token: ProvisioningToken) -> Any:
    return client.post(f"{ACTIONS}/{token.pk}/revoke")


class TestToken:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_it_works(self, signed_in: SignIn, vera: User, meter: Device, slash: str) -> None:
        token, client = pending(meter, vera), signed_in(vera)
        reply = client.post(f"{ACTIONS}/{token.pk}/revoke{slash}")
        assert (reply.status_code, reply["Location"]) == (302, TOKENS)
        token.refresh_from_db()
        assert token.revoked_at is not None
        html = client.get(TOKENS).content.decode()
        assert f"The token {token.prefix}… for Factory Meter 1 is revoked." in html
        assert '<span class="badge revoked">Revoked</span>' in html

    def test_staff(self, signed_in: SignIn, vera: User, olga: User, meter: Device) -> None:
        assert revoke(signed_in(olga), pending(meter, vera)).status_code == 302

    def test_anothers(self, signed_in: SignIn, vera: User, sam: User, meter: Device) -> None:
        token = pending(meter, vera)
        assert revoke(signed_in(sam), token).status_code == 404
        token.refresh_from_db()
        assert token.revoked_at is None

    def test_signed_out(self, client: Client, vera: User, meter: Device) -> None:
        token = pending(meter, vera)
        assert revoke(client, token).status_code == 302
        token.refresh_from_db()
        assert token.revoked_at is None

    def test_twice(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        token, client = pending(meter, vera), signed_in(vera)
        revoke(client, token)
        client.get(TOKENS)
        revoke(client, token)
        assert b"This token is not pending any more." in client.get(TOKENS).content

    def test_claimed_meanwhile(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        claim(meter, vera)
        assert revoke(signed_in(vera), ProvisioningToken.objects.get()).status_code == 404
        assert Credential.objects.get().revoked_at is None


class TestKey:
    def address(self, device: Device) -> str:
        return f"{ACTIONS}/revoke-key?device={device.pk}"

    def revoke(self, client: Client, device: Device, password: str) -> Any:
        return client.post(self.address(device), {"password": password})

    def test_it_works(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        claimed, client = claim(meter, vera), signed_in(vera)
        assert f"<code>{claimed.api_key[:8]}…</code>" in client.get(self.address(meter)).content.decode()
        reply = self.revoke(client, meter, PASSWORD)
        assert (reply.status_code, reply["Location"]) == (302, TOKENS)
        assert Credential.objects.get().revoked_at is not None
        html = client.get(TOKENS).content.decode()
        assert "The key of Factory Meter 1 is revoked." in html
        assert "<small>revoked</small>" in html

    def test_choosing_the_device(self, signed_in: SignIn, vera: User, meter: Device, pump: Device) -> None:
        html = signed_in(vera).get(f"{ACTIONS}/revoke-key").content.decode()
        assert f'<option value="{meter.pk}">Factory Meter 1' in html
        assert "Pump" not in html

    def test_staff_with_their_own_password(self, signed_in: SignIn, vera: User, olga: User, meter: Device) -> None:
        claim(meter, vera)
        assert self.revoke(signed_in(olga), meter, PASSWORD).status_code == 302

    def test_wrong_password(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        claim(meter, vera)
        for password in ("wrong", ""):
            reply = self.revoke(signed_in(vera), meter, password)
            assert reply.status_code == 200
            assert b'id="id_password_error"' in reply.content
        assert Credential.objects.get().revoked_at is None

    def test_lockout_counts_with_sign_ins(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        claim(meter, vera)
        client = signed_in(vera)
        for _ in range(10):
            self.revoke(client, meter, "wrong")
        reply = self.revoke(client, meter, PASSWORD)
        assert reply.status_code == 429
        assert int(reply["Retry-After"]) > 0
        assert b"Too many failed sign-ins" in reply.content
        assert Client().post("/login/", {"username": "vera", "password": PASSWORD}).status_code == 429
        assert Credential.objects.get().revoked_at is None

    def test_anothers_device(self, signed_in: SignIn, vera: User, sam: User, meter: Device) -> None:
        claim(meter, vera)
        client = signed_in(sam)
        assert client.get(self.address(meter)).status_code == 404
        assert self.revoke(client, meter, PASSWORD).status_code == 404
        assert Credential.objects.get().revoked_at is None

    def test_device_without_a_key(self, signed_in: SignIn, vera: User, meter: Device) -> None:
        client = signed_in(vera)
        assert b"there is nothing to revoke" in client.get(self.address(meter)).content
        self.revoke(client, meter, PASSWORD)
        assert b"had no key any more" in client.get(TOKENS).content
