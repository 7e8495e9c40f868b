"""Encrypted readings, sent by a client of our own that knows nothing of the server's code."""

import base64
import json
import os
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.contrib.auth.models import User
from pytest_django import Settings

from device_gateway.keys.memory import keyring
from device_gateway.models import Device
from device_gateway.tests.conftest import CLAIM, INGEST, Meter, provisioned, refusal, token_of
from tests.support.doors import Answer, Door


class Twin:
    """As the meter's Python twin: claims, refuses a reply without a key, and encrypts each reading."""

    def __init__(self, door: Door, device: Device, **wanted: Any) -> None:
        self.token = provisioned(device, encryption="AESGCM", **wanted)
        answer = door.post(CLAIM, {"token": self.token})
        assert answer.status == 201, answer.body
        self.reply = answer.json()
        self.secret = base64.b64decode(self.reply["encryption_key_b64"])
        self.meter = Meter(device, self.reply["api_key"])
        self.door = door

    def envelope(self, reading: Any, nonce: bytes | None = None, **outside: Any) -> dict[str, Any]:
        nonce = nonce or os.urandom(12)
        plain = reading if isinstance(reading, bytes) else json.dumps(reading).encode()
        sealed = AESGCM(self.secret).encrypt(nonce, plain, None)
        return {
            "algorithm": "AESGCM",
            "nonce": base64.b64encode(nonce).decode(),
            "ciphertext": base64.b64encode(sealed).decode(),
            **outside,
        }

    def send(self, value: Any) -> Answer:
        return self.door.post(INGEST, value, self.meter.key)


@pytest.fixture
def twin(door: Door, device: Device) -> Twin:
    return Twin(door, device)


def test_it_works(twin: Twin) -> None:
    assert set(twin.reply) == {"device_id", "api_key", "ingest_url", "token_expires_at", "encryption_key_b64"}
    assert len(twin.secret) == 32
    answer = twin.send(twin.envelope({"kwh": 1.5, "timestamp": "2025-09-16T12:34:56Z", "message_id": "m"}))
    assert (answer.status, answer.json()) == (201, {"status": "ok"})
    (row,) = twin.meter.rows()
    assert row.payload == {"kwh": 1.5, "timestamp": "2025-09-16T12:34:56Z", "message_id": "m"}
    assert (row.message_id, row.device_timestamp) == ("m", "2025-09-16T12:34:56Z")
    assert row.occurred_at.isoformat() == "2025-09-16T12:34:56+00:00"
    assert row.nonce
    twin.meter.device.refresh_from_db()
    assert twin.meter.device.latest_payload == row.payload


def test_a_batch(twin: Twin) -> None:
    answer = twin.send([twin.envelope({"n": n}) for n in range(5)])
    assert (answer.status, answer.json()) == (201, {"status": "ok", "accepted": 5})
    assert sorted(payload["n"] for payload in twin.meter.payloads()) == [0, 1, 2, 3, 4]


def test_a_lost_claim_reply_comes_again_with_the_same_key(twin: Twin) -> None:
    assert twin.door.post(CLAIM, {"token": twin.token}).json() == twin.reply


def test_at_rest_the_key_is_sealed(twin: Twin, settings: Settings) -> None:
    sealed = Device.objects.get().data_key
    assert twin.reply["encryption_key_b64"] not in sealed
    assert Fernet(settings.DEVICE_DATA_KEY[0]).decrypt(sealed) == twin.secret


@pytest.mark.sqlite_only
class TestBadEnvelope:
    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"algorithm": "AES"}, "algorithm"),
            ({"algorithm": None}, "algorithm"),
            ({"nonce": ""}, "nonce"),
            ({"nonce": base64.b64encode(b"x" * 11).decode()}, "nonce"),
            ({"nonce": base64.b64encode(b"x" * 13).decode()}, "nonce"),
            ({"nonce": "not base64!!"}, "nonce"),
            ({"nonce": 5}, "nonce"),
            ({"nonce": None}, "nonce"),
            ({"nonce": base64.b64encode(b"x" * 12).decode()}, "ciphertext"),
            ({"ciphertext": ""}, "ciphertext"),
            ({"ciphertext": "é"}, "ciphertext"),
            ({"ciphertext": "AAAA"}, "ciphertext"),
            ({"ciphertext": []}, "ciphertext"),
        ],
    )
    def test_400(self, twin: Twin, change: dict[str, Any], field: str) -> None:
        envelope = twin.envelope({"kwh": 1}) | change
        answer = twin.send(envelope)
        assert refusal(answer) == (400, "bad_envelope")
        assert list(answer.json()["errors"]) == [field]
        answer = twin.send([twin.envelope({"kwh": 1}), envelope])
        assert refusal(answer) == (400, "bad_envelope")
        assert list(answer.json()["errors"]) == [f"[1].{field}"]
        assert twin.meter.rows() == []

    @pytest.mark.parametrize("missing", ["algorithm", "nonce"])
    def test_a_member_is_missing(self, twin: Twin, missing: str) -> None:
        envelope = twin.envelope({"kwh": 1})
        del envelope[missing]
        assert refusal(twin.send(envelope)) == (400, "bad_envelope")

    def test_a_wrong_key(self, twin: Twin) -> None:
        twin.secret = os.urandom(32)
        assert refusal(twin.send(twin.envelope({"kwh": 1}))) == (400, "bad_envelope")

    def test_one_flipped_bit(self, twin: Twin) -> None:
        envelope = twin.envelope({"kwh": 1})
        sealed = bytearray(base64.b64decode(envelope["ciphertext"]))
        sealed[0] ^= 1
        envelope["ciphertext"] = base64.b64encode(bytes(sealed)).decode()
        assert refusal(twin.send(envelope)) == (400, "bad_envelope")

    @pytest.mark.parametrize(
        ("plain", "code"),
        [
            (b"[]", "bad_envelope"),
            (b"5", "bad_envelope"),
            (b"", "malformed_json"),
            (b"{", "malformed_json"),
            (b'{"a": NaN}', "malformed_json"),
            (b'{"a": "\\u0000"}', "nul_character"),
            (b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", "too_deep"),
        ],
    )
    def test_what_is_inside_is_judged_as_any_reading(self, twin: Twin, plain: bytes, code: str) -> None:
        assert refusal(twin.send(twin.envelope(plain))) == (400, code)
        assert twin.meter.rows() == []


class TestNonce:
    @pytest.mark.alike
    def test_seen_before_it_is_a_repeat(self, twin: Twin) -> None:
        envelope = twin.envelope({"n": 1}, nonce=b"n" * 12)
        other = twin.envelope({"n": 2}, nonce=b"n" * 12)
        for value in (envelope, envelope, other, other, envelope):
            answer = twin.send(value)
            assert (answer.status, answer.json()) == (201, {"status": "ok"})
        assert twin.meter.payloads() == [{"n": 1}, {"n": 2}]  # a nonce used again for other content hides nothing

    def test_it_is_known_as_long_as_its_reading_is_there(self, twin: Twin) -> None:
        """Who has recorded what a device sent waits as long as it takes."""
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            envelope = twin.envelope({"n": 1, "message_id": "m"})
            assert twin.send(envelope).status == 201
            clock.shift(timedelta(days=100))
            assert twin.send(envelope).status == 201
            assert len(twin.meter.rows()) == 1
            assert twin.send(twin.envelope({"n": 1, "message_id": "m"})).status == 201
        assert len(twin.meter.rows()) == 2

    def test_in_batches(self, twin: Twin) -> None:
        first, second = twin.envelope({"n": 1}), twin.envelope({"n": 2})
        assert twin.send([first, first, second]).json() == {"status": "ok", "accepted": 3}
        assert twin.send([second, first]).json() == {"status": "ok", "accepted": 2}
        assert sorted(payload["n"] for payload in twin.meter.payloads()) == [1, 2]

    def test_a_message_id_makes_a_repeat_under_another_nonce(self, twin: Twin) -> None:
        for _ in range(2):
            assert twin.send(twin.envelope({"n": 1, "message_id": "m"})).status == 201
        for _ in range(2):  # outside the envelope, too
            assert twin.send(twin.envelope({"n": 3}, message_id="o")).status == 201
        assert twin.meter.payloads() == [{"n": 1, "message_id": "m"}, {"n": 3}]

    def test_another_device_may_use_the_same(self, twin: Twin, door: Door, other_meter: Meter) -> None:
        other = Twin(door, other_meter.device)
        for sender in (twin, other):
            assert sender.send(sender.envelope({"n": 1}, nonce=b"n" * 12)).status == 201
            assert sender.meter.payloads() == [{"n": 1}]


@pytest.mark.alike
class TestPlain:
    @pytest.mark.parametrize("value", [{"kwh": 1}, {}, [{"kwh": 1}]])
    def test_it_is_refused(self, twin: Twin, value: Any) -> None:
        assert refusal(twin.send(value)) == (400, "encryption_required")
        assert twin.meter.rows() == []

    def test_one_in_a_batch_refuses_all_of_it(self, twin: Twin) -> None:
        answer = twin.send([twin.envelope({"n": 1}), {"n": 2}])
        assert refusal(answer) == (400, "encryption_required")
        assert list(answer.json()["errors"]) == ["[1]"]
        assert twin.meter.rows() == []

    def test_an_empty_batch_holds_no_plain_reading(self, twin: Twin) -> None:
        assert twin.send([]).json() == {"status": "ok", "accepted": 0}

    def test_an_envelope_of_a_device_without_encryption(self, twin: Twin, other_meter: Meter) -> None:
        assert refusal(other_meter.send(twin.door, twin.envelope({"kwh": 1}))) == (400, "encryption_not_set_up")
        assert other_meter.rows() == []


@pytest.mark.alike
class TestAnotherClaim:
    def test_with_encryption_there_is_a_new_key(self, twin: Twin, door: Door) -> None:
        old = twin.envelope({"n": 1}, nonce=b"n" * 12)
        assert twin.send(old).status == 201
        again = Twin(door, twin.meter.device)
        assert again.secret != twin.secret
        assert refusal(again.send(old)) == (400, "bad_envelope")
        # A nonce counts under its key only.
        assert again.send(again.envelope({"n": 2}, nonce=b"n" * 12)).status == 201
        assert again.meter.payloads() == [{"n": 1}, {"n": 2}]

    def test_without_encryption_the_device_sends_plain(self, twin: Twin, door: Door) -> None:
        reply = door.post(CLAIM, {"token": provisioned(twin.meter.device)}).json()
        assert "encryption_key_b64" not in reply
        assert door.post(INGEST, {"n": 1}, reply["api_key"]).status == 201
        assert refusal(door.post(INGEST, twin.envelope({"n": 1}), reply["api_key"])) == (400, "encryption_not_set_up")


@pytest.mark.alike
class TestDataKey:
    """DEVICE_DATA_KEY: newest first, the others still open what they sealed."""

    def test_rotation(self, twin: Twin, door: Door, other_meter: Meter, settings: Settings) -> None:
        new, old = Fernet.generate_key().decode(), settings.DEVICE_DATA_KEY[0]
        settings.DEVICE_DATA_KEY = [new, old]
        keyring.clear()  # as after the restart that a new setting takes
        assert twin.send(twin.envelope({"n": 1})).status == 201
        other = Twin(door, other_meter.device)
        sealed = Device.objects.get(pk=other_meter.device.pk).data_key
        assert Fernet(new).decrypt(sealed) == other.secret
        assert other.send(other.envelope({"n": 1})).status == 201

    def test_one_that_is_missing_is_not_the_devices_fault(self, twin: Twin, settings: Settings) -> None:
        kept = settings.DEVICE_DATA_KEY
        for keys in ([Fernet.generate_key().decode()], []):
            settings.DEVICE_DATA_KEY = keys
            keyring.clear()
            answer = twin.send(twin.envelope({"n": 1}))
            assert refusal(answer) == (503, "data_key_missing")
            assert "retry-after" in answer.headers
        settings.DEVICE_DATA_KEY = kept
        assert twin.send(twin.envelope({"n": 1})).status == 201

    def test_none_at_all(self, door: Door, device: Device, olga: User, settings: Settings) -> None:
        settings.DEVICE_DATA_KEY = []
        path = f"/gateway/devices/{device.pk}/provision"
        assert refusal(door.post(path, {"encryption": "AESGCM"}, token_of(olga))) == (400, "encryption_unavailable")
        assert door.post(path, {}, token_of(olga)).status == 201
