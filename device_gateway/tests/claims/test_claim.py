"""POST devices/claim: a provisioning token for a key of one's own."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone
from pytest_django import Settings

from device_gateway.claims.services import issue_token, revoke_token
from device_gateway.claims.storing import Claim, store_claims
from device_gateway.models import Credential, Device, ProvisioningToken
from device_gateway.registry.services import archive_device, restore_device
from device_gateway.secret import hash_secret
from device_gateway.tests.conftest import (
    CLAIM,
    INGEST,
    PEER,
    SEED_READING,
    Meter,
    at_once,
    eventually,
    provisioned,
    refusal,
)
from ozone.intake import lane
from ozone.intake.submission import LARGE_ROWS
from tests.support.doors import Answer, Door
from tests.support.postgres import another_connection, just_before

INVALID = {"detail": "The provisioning token is missing, unknown, used or expired.", "code": "invalid_token"}


def claim_from(door: Door, peer: str, token: Any, **more: Any) -> Answer:
    body = json.dumps({"token": token, **more}).encode()
    return door.send("POST", CLAIM, body, {"Content-Type": "application/json"}, peer=peer)


def test_it_works(door: Door, device: Device) -> None:
    token = provisioned(device)
    before = timezone.now()
    answer = door.post(CLAIM, {"token": token, "device_metadata": {"fw": "1.0.0"}})
    assert answer.status == 201
    reply = answer.json()
    key = reply["api_key"]
    assert reply == {
        "device_id": device.pk,
        "api_key": key,
        "ingest_url": "http://testserver/gateway/device-data/ingest",
        "token_expires_at": None,
    }
    assert len(key) >= 32 and key.isascii()
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "application/json"

    row = ProvisioningToken.objects.get()
    assert before <= row.claimed_at <= timezone.now()  # type: ignore[operator]
    assert row.claimed_from == PEER
    assert row.device_metadata == {"fw": "1.0.0"}
    device.refresh_from_db()
    assert device.assigned
    credential = Credential.objects.get()
    assert (credential.device_id, credential.hash, credential.prefix) == (device.pk, hash_secret(key), key[:8])
    assert door.post(INGEST, SEED_READING, key).status == 201


@pytest.mark.alike
@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("mount", ["gateway", "api"])
def test_the_reading_goes_beside_the_claim(door: Door, device: Device, mount: str, slash: str) -> None:
    answer = door.post(f"/{mount}/devices/claim{slash}", {"token": provisioned(device)})
    assert answer.status == 201
    assert answer.json()["ingest_url"] == f"http://testserver/{mount}/device-data/ingest"


@pytest.mark.alike
@pytest.mark.both_doors
class TestIngestUrl:
    def url(self, door: Door, device: Device, secure: bool = False, peer: str = PEER, **headers: Any) -> str:
        named: dict[str, str] = {name.replace("_", "-"): text for name, text in headers.items()}
        body = json.dumps({"token": provisioned(device)}).encode()
        answer = door.send("POST", CLAIM, body, {"Content-Type": "application/json", **named}, peer=peer, secure=secure)
        assert answer.status == 201, answer.body
        url: str = answer.json()["ingest_url"]
        return url.removesuffix("/gateway/device-data/ingest")

    def test_host_and_scheme_of_the_request(self, door: Door, device: Device) -> None:
        assert self.url(door, device, Host="meters.example.com:8443", secure=True) == "https://meters.example.com:8443"
        assert self.url(door, device, Host="localhost:8000") == "http://localhost:8000"

    def test_of_a_trusted_proxy_the_forwarded_ones(self, door: Door, device: Device, settings: Settings) -> None:
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        settings.ALLOWED_HOSTS = ["meters.example.com", "backend"]
        forwarded: Any = {"X_Forwarded_Host": "meters.example.com", "X_Forwarded_Proto": "https"}
        assert self.url(door, device, peer="10.0.0.7", Host="backend:8000", **forwarded) == "https://meters.example.com"

    def test_of_a_stranger_nothing_is_believed(self, door: Door, device: Device) -> None:
        forged: Any = {"X_Forwarded_Host": "evil.example", "X_Forwarded_Proto": "https", "X_Forwarded_For": "127.0.0.1"}
        assert self.url(door, device, **forged) == "http://testserver"
        assert ProvisioningToken.objects.get().claimed_from == PEER

    def test_a_forwarded_host_must_be_one_of_ours(self, door: Door, device: Device, settings: Settings) -> None:
        settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
        headers = {"Content-Type": "application/json", "X-Forwarded-Host": "evil.example"}
        body = json.dumps({"token": provisioned(device)}).encode()
        assert refusal(door.send("POST", CLAIM, body, headers, peer="10.0.0.7")) == (400, "bad_host")


def test_the_expiry_is_the_tokens(door: Door, device: Device) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        token = provisioned(device, lifetime_minutes=30)
        assert door.post(CLAIM, {"token": token}).json()["token_expires_at"] == "2026-03-01T12:30:00Z"


class TestInvalidToken:
    """One sentence for every reason: who guesses learns nothing."""

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"token": None},
            {"token": ""},
            {"token": "unknown"},
            {"token": 7},
            {"token": ["x"]},
            {"token": {"$ne": ""}},
            {"token": True},
            {"token": "x" * 128},
            {"token": "x" * 100_000},
            {"token": "é\u2028\x7f"},
        ],
    )
    @pytest.mark.sqlite_only
    def test_no_token_of_ours(self, door: Door, device: Device, body: Any) -> None:
        answer = door.post(CLAIM, body)
        assert (answer.status, answer.json()) == (400, INVALID)

    def test_no_body(self, door: Door, write_path: None) -> None:
        answer = door.send("POST", CLAIM)
        assert (answer.status, answer.json()) == (400, INVALID)

    def test_a_hash_is_no_token(self, door: Door, device: Device) -> None:
        answer = door.post(CLAIM, {"token": hash_secret(provisioned(device))})
        assert (answer.status, answer.json()) == (400, INVALID)

    def test_expired_to_the_second(self, door: Door, device: Device) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            tokens = [provisioned(device, lifetime_minutes=1) for _ in range(2)]
            clock.shift(timedelta(seconds=60))
            assert door.post(CLAIM, {"token": tokens[0]}).json() == INVALID
            clock.shift(timedelta(seconds=-1))
            assert door.post(CLAIM, {"token": tokens[0]}).status == 201

    def test_revoked(self, door: Door, device: Device) -> None:
        issued = issue_token(device=device, issuer=None, now=timezone.now())
        revoke_token(token=issued.row, now=timezone.now())
        assert door.post(CLAIM, {"token": issued.token}).json() == INVALID

    def test_its_issuer_was_deactivated(self, door: Door, device: Device, olga: User) -> None:
        token = provisioned(device, olga)
        olga.is_active = False
        olga.save()
        assert door.post(CLAIM, {"token": token}).json() == INVALID

    def test_its_issuer_is_gone(self, door: Door, device: Device, olga: User) -> None:
        token = provisioned(device, olga)
        olga.delete()
        assert door.post(CLAIM, {"token": token}).json() == INVALID

    def test_the_device_changed_owner(self, door: Door, device: Device, olga: User, mallory: User) -> None:
        token = provisioned(device, olga)
        device.owner = mallory
        device.save()
        assert door.post(CLAIM, {"token": token}).json() == INVALID

    @pytest.mark.alike
    def test_nothing_is_changed(self, door: Door, meter: Meter) -> None:
        door.post(CLAIM, {"token": "unknown"})
        assert Credential.objects.filter(revoked_at=None).count() == 1
        assert meter.send(door).status == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"[]", 400, "not_an_object"),
        (b'"token"', 400, "not_an_object"),
        (b"null", 400, "not_an_object"),
        (b'{"token": ', 400, "malformed_json"),
        (b'{"token": "\\u0000"}', 400, "nul_character"),
        (b'{"token": NaN}', 400, "malformed_json"),
        (b" " * (256 * 1024 + 1), 413, "body_too_large"),
    ],
)
@pytest.mark.both_doors
@pytest.mark.sqlite_only
def test_malformed(door: Door, write_path: None, body: bytes, status: int, code: str) -> None:
    assert refusal(door.post(CLAIM, body)) == (status, code)


@pytest.mark.parametrize("metadata", [[], "fw", 1, {"fw": "x" * 4097}])
def test_bad_metadata_does_not_spend_the_token(door: Door, device: Device, metadata: Any) -> None:
    token = provisioned(device)
    answer = door.post(CLAIM, {"token": token, "device_metadata": metadata})
    assert refusal(answer) == (400, "invalid")
    assert list(answer.json()["errors"]) == ["device_metadata"]
    assert door.post(CLAIM, {"token": token, "device_metadata": None}).status == 201


def test_what_it_does_to_the_tokens_and_the_key_before(door: Door, meter: Meter, other_meter: Meter) -> None:
    first, second = provisioned(meter.device), provisioned(meter.device, lifetime_minutes=60)
    others = provisioned(other_meter.device)
    key = door.post(CLAIM, {"token": first}).json()["api_key"]
    assert refusal(meter.send(door)) == (401, "bad_credential")
    assert door.post(INGEST, {}, key).status == 201
    assert door.post(CLAIM, {"token": second}).json() == INVALID
    assert {token.state_at(timezone.now()) for token in meter.device.provisioning_tokens.all()} == {
        ProvisioningToken.State.CLAIMED,
        ProvisioningToken.State.EXPIRED,
    }
    assert door.post(CLAIM, {"token": others}).status == 201
    assert Credential.objects.filter(device=meter.device, revoked_at=None).count() == 1


class TestLostReply:
    """The same token from the same address gets the same key, until the key is first used, for ten minutes."""

    def test_the_same_reply(self, door: Door, device: Device) -> None:
        token = provisioned(device, lifetime_minutes=60)
        first = claim_from(door, PEER, token, device_metadata={"fw": "1"})
        again = claim_from(door, PEER, token)
        assert (again.status, again.json()) == (201, first.json())
        assert again.headers["cache-control"] == "no-store"
        assert Credential.objects.count() == 1
        assert ProvisioningToken.objects.get().device_metadata == {"fw": "1"}

    def test_elsewhere_it_is_used_up(self, door: Door, device: Device) -> None:
        token = provisioned(device)
        key = claim_from(door, PEER, token).json()["api_key"]
        assert claim_from(door, "203.0.113.10", token).json() == INVALID
        assert door.post(INGEST, {}, key).status == 201  # the winner's key stands

    def test_once_used_it_is_used_up(self, door: Door, device: Device) -> None:
        token = provisioned(device)
        key = claim_from(door, PEER, token).json()["api_key"]
        assert door.post(INGEST, {}, key).status == 201
        assert claim_from(door, PEER, token).json() == INVALID
        assert door.post(INGEST, {}, key).status == 201

    def test_for_ten_minutes_to_the_second(self, door: Door, device: Device) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            token = provisioned(device)
            first = claim_from(door, PEER, token).json()
            for seconds in (599, 1):
                clock.shift(timedelta(seconds=seconds))
                assert claim_from(door, PEER, token).json() == first
            clock.shift(timedelta(seconds=1))
            assert claim_from(door, PEER, token).json() == INVALID

    def test_not_after_a_newer_key(self, door: Door, device: Device) -> None:
        token = provisioned(device)
        claim_from(door, PEER, token)
        newer = provisioned(device)
        assert claim_from(door, PEER, newer).status == 201
        assert claim_from(door, PEER, token).json() == INVALID


@pytest.mark.both_doors
class TestAtOnce:
    def test_of_many_addresses_exactly_one_wins(self, door: Door, device: Device) -> None:
        token = provisioned(device)
        answers = at_once(12, lambda number: claim_from(door, f"203.0.113.{number}", token))
        assert sorted(answer.status for answer in answers) == [201] + [400] * 11
        assert all(answer.json() == INVALID for answer in answers if answer.status == 400)
        winner = next(answer for answer in answers if answer.status == 201)
        assert Credential.objects.get(revoked_at=None).hash == hash_secret(winner.json()["api_key"])

    def test_copies_from_one_address_get_one_key(self, door: Door, device: Device) -> None:
        token = provisioned(device)
        answers = at_once(8, lambda _: claim_from(door, PEER, token))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.json()["api_key"] for answer in answers}) == 1
        assert Credential.objects.count() == 1

    def test_two_tokens_of_one_device(self, door: Door, device: Device) -> None:
        tokens = [provisioned(device) for _ in range(6)]
        answers = at_once(6, lambda number: claim_from(door, f"203.0.113.{number}", tokens[number]))
        assert [answer.status for answer in answers].count(201) == 1
        assert Credential.objects.filter(revoked_at=None).count() == 1


def test_another_process_is_a_moment_earlier(door: Door, device: Device) -> None:
    first, second = provisioned(device), provisioned(device)
    claim = Claim(first, {}, "203.0.113.1", timezone.now())
    with just_before(lambda: store_claims(connection, [claim])):
        assert claim_from(door, "203.0.113.2", second).json() == INVALID
    assert Credential.objects.count() == 1


def test_it_does_not_wait_for_a_batch_that_waits(
    door: Door, meter: Meter, vera: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For a lock: it had its transaction with the batch, and was refused with it."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    monkeypatch.setattr(lane, "LOCK_MILLISECONDS", 2900)  # on a busy machine all takes longer than was meant
    token = provisioned(Device.objects.create(owner=vera))
    waiting = "SELECT count(*) FROM pg_locks WHERE relation = 'device_gateway_devicestate'::regclass AND NOT granted"
    with another_connection() as other, ThreadPoolExecutor(1) as threads:
        other.execute("LOCK TABLE device_gateway_devicestate IN EXCLUSIVE MODE")
        batch = threads.submit(meter.send, door, [SEED_READING] * (LARGE_ROWS + 1))
        assert eventually(lambda: other.execute(waiting).fetchone() == (1,), 10)
        assert door.post(CLAIM, {"token": token}).status == 201
        assert not batch.done()
        other.rollback()
        assert batch.result(10).status == 201


def test_an_archived_device_keeps_its_token(door: Door, device: Device) -> None:
    token = provisioned(device)
    archive_device(device=device, now=timezone.now())
    assert refusal(door.post(CLAIM, {"token": token})) == (403, "device_archived")
    restore_device(device=device)
    assert door.post(CLAIM, {"token": token}).status == 201


@pytest.mark.alike
@pytest.mark.both_doors
class TestGuessing:
    @pytest.fixture(autouse=True)
    def _three_a_minute(self, settings: Settings) -> None:
        settings.LIMIT_FAILED_CLAIMS = "3/60"

    def test_failures_are_limited_by_address(self, door: Door, device: Device) -> None:
        for _ in range(3):
            assert claim_from(door, PEER, "guess").json() == INVALID
        answer = claim_from(door, PEER, "guess")
        assert refusal(answer) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 60
        assert claim_from(door, "203.0.113.10", "guess").json() == INVALID

    def test_a_good_token_is_never_limited(self, door: Door, device: Device, vera: User) -> None:
        """A meter that tries its spent token for ever, and others behind the same address."""
        spent = provisioned(device)
        assert claim_from(door, "203.0.113.10", spent).status == 201
        answers = [claim_from(door, PEER, spent).status for _ in range(9)]
        assert answers == [400] * 3 + [429] * 6
        for other in [Device.objects.create(owner=vera) for _ in range(5)]:
            token = provisioned(other)
            answer = claim_from(door, PEER, token)
            assert (answer.status, answer.json()["device_id"]) == (201, other.pk)
            assert claim_from(door, PEER, token).json() == answer.json()  # nor a repeat of it
        assert claim_from(door, PEER, spent).status == 429

    def test_success_is_not_counted(self, door: Door, vera: User) -> None:
        devices = [Device.objects.create(owner=vera) for _ in range(8)]
        assert [claim_from(door, PEER, provisioned(device)).status for device in devices] == [201] * 8

    def test_a_subscriber_of_ipv6_has_one_count(self, door: Door, write_path: None) -> None:
        for number in range(3):
            assert claim_from(door, f"2001:db8:1:1::{number + 1}", "guess").status == 400
        assert claim_from(door, "2001:db8:1:1:ffff::1", "guess").status == 429
        assert claim_from(door, "2001:db8:1:2::1", "guess").status == 400


def test_no_secret_reaches_the_log(door: Door, device: Device, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = provisioned(device)
    key = door.post(CLAIM, {"token": token}).json()["api_key"]
    door.post(INGEST, b'{"a": ', key)
    door.post(INGEST, {}, key + "x")
    door.post(CLAIM, {"token": token + "x"})
    door.post(CLAIM, f'{{"token": "{token}'.encode())
    for secret in (token, key):
        assert secret not in caplog.text
