"""POST device-data/ingest: what a reading may be, and what is stored of it. Repeats and times have their own files."""

import gzip
import json
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings

from device_gateway.keys.credentials import revoke_key
from device_gateway.models import Credential, Device, DeviceState, DeviceTelemetry
from device_gateway.registry.services import archive_device, restore_device
from device_gateway.tests.conftest import INGEST, SEED_READING, Meter, cookie_of, equip, refusal
from tests.support.doors import Door

KIB = 1024
OK = b'{"status": "ok"}'


def test_it_works(door: Door, meter: Meter) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        now = timezone.now()
        answer = meter.send(door)
    assert (answer.status, answer.body) == (201, OK)
    assert answer.headers["content-type"] == "application/json"
    row = DeviceTelemetry.objects.get()
    assert (row.device_id, row.payload) == (meter.device.pk, SEED_READING)
    assert (row.occurred_at, row.received_at) == (now, now)
    assert (row.message_id, row.nonce, row.device_timestamp) == (None, None, None)
    state = DeviceState.objects.get()
    assert (state.last_seen, state.latest_occurred_at, state.latest_received_at) == (now, now, now)
    assert state.latest_payload == SEED_READING
    assert Credential.objects.get().last_used_at == now


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("mount", ["gateway", "api"])
@pytest.mark.both_doors
def test_its_paths(door: Door, meter: Meter, mount: str, slash: str) -> None:
    answer = door.post(f"/{mount}/device-data/ingest{slash}", {"kwh": 1}, meter.key)
    assert (answer.status, answer.body) == (201, OK)
    assert meter.payloads() == [{"kwh": 1}]


@pytest.mark.each_case
@pytest.mark.parametrize(
    "reading",
    [
        {},
        {"text": "é😀\u2028 'quoted' \\ \"\"", "": "an empty key"},
        {"numbers": [0, -1, 2**63 - 1, -(2**63), 1.5, 1e300, -2.5e-7]},
        {"nested": {"a": [None, True, False, {"b": []}]}},
        {"text": "\\u0000 and \\ud800 spelled out"},
        {"id": 7, "device_id": "not me", "occurred_at": "1999-01-01", "payload": {}},
    ],
)
def test_what_is_sent_is_what_is_kept(door: Door, meter: Meter, reading: Any) -> None:
    assert meter.send(door, reading).status == 201
    assert meter.send(door, [reading, reading]).status == 201
    assert meter.payloads() == [reading] * 3
    meter.device.refresh_from_db()
    assert meter.device.latest_payload == reading


def test_of_a_key_that_stands_twice_the_last_one_wins(door: Door, meter: Meter) -> None:
    assert meter.send(door, b' {"kwh": 1, "kwh": 2} ').status == 201
    assert meter.payloads() == [{"kwh": 2}]


class TestBatch:
    def test_it_works(self, door: Door, meter: Meter) -> None:
        answer = meter.send(door, [{"n": 1}, {"n": 2}, {"n": 3}])
        assert (answer.status, answer.body) == (201, b'{"status": "ok", "accepted": 3}')
        assert meter.payloads() == [{"n": 1}, {"n": 2}, {"n": 3}]
        assert len({row.received_at for row in meter.rows()}) == 1
        meter.device.refresh_from_db()
        assert meter.device.latest_payload == {"n": 3}

    def test_an_empty_one_is_a_sign_of_life(self, door: Door, meter: Meter) -> None:
        answer = meter.send(door, [])
        assert (answer.status, answer.json()) == (201, {"status": "ok", "accepted": 0})
        assert meter.rows() == []
        assert DeviceState.objects.get().last_seen is not None

    @pytest.mark.alike
    def test_a_thousand_and_not_one_more(self, door: Door, meter: Meter) -> None:
        assert refusal(meter.send(door, [{"n": n} for n in range(1001)])) == (400, "batch_too_long")
        assert meter.rows() == []
        answer = meter.send(door, [{"n": n} for n in range(1000)])
        assert (answer.status, answer.json()) == (201, {"status": "ok", "accepted": 1000})
        assert meter.payloads() == [{"n": n} for n in range(1000)]

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        "number", ["1e-300", "5e-324", "-1.7976931348623157e308", "2.2250738585072011e-308", "0." + "1" * 250]
    )
    def test_a_thousand_odd_numbers(self, door: Door, meter: Meter, number: str) -> None:
        """As of a sensor that says almost nothing."""
        answer = meter.send(door, b"[%b]" % b",".join([b'{"v":%b}' % number.encode()] * 1000))
        assert (answer.status, answer.json()) == (201, {"status": "ok", "accepted": 1000})
        assert meter.payloads() == [{"v": float(number)}] * 1000

    @pytest.mark.parametrize("number", ["1e309", "-1e999", "1" * 400 + ".5"])
    def test_numbers_beyond_a_double(self, door: Door, meter: Meter, number: str) -> None:
        answer = meter.send(door, b"[%b]" % b",".join([b'{"v":%b}' % number.encode()] * 500))
        assert refusal(answer) == (400, "malformed_json")
        assert meter.rows() == []

    @pytest.mark.parametrize("odd", [None, 1, 1.5, "x", True, [], [{}]])
    def test_all_or_nothing(self, door: Door, meter: Meter, odd: Any) -> None:
        answer = meter.send(door, [{"n": 1}, odd, {"n": 3}])
        assert refusal(answer) == (400, "not_a_reading")
        assert list(answer.json()["errors"]) == ["[1]"]
        assert meter.rows() == []

    def test_a_bad_message_id_refuses_all_of_it(self, door: Door, meter: Meter) -> None:
        answer = meter.send(door, [{"n": 1}, {"n": 2, "message_id": ""}])
        assert refusal(answer) == (400, "invalid_message_id")
        assert list(answer.json()["errors"]) == ["[1].message_id"]
        assert meter.rows() == []


@pytest.mark.parametrize("value", [None, True, 5, 1.5, "reading", ""])
@pytest.mark.sqlite_only
def test_no_reading_at_all(door: Door, meter: Meter, value: Any) -> None:
    assert refusal(meter.send(door, value)) == (400, "not_a_reading")
    assert meter.rows() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "malformed_json"),
        (b" ", "malformed_json"),
        (b'{"kwh": ', "malformed_json"),
        (b'{"kwh": 1} {"kwh": 2}', "malformed_json"),
        (b"kwh=1", "malformed_json"),
        (b'{"kwh": NaN}', "malformed_json"),
        (b'{"kwh": Infinity}', "malformed_json"),
        (b'[{"kwh": -Infinity}]', "malformed_json"),
        (b'{"kwh": 1e400}', "malformed_json"),
        (b'{"kwh": "\xff"}', "malformed_json"),
        (b'{"kwh": "\\ud800"}', "malformed_json"),
        (b'{"kwh": "\\u0000"}', "nul_character"),
        (b'{"k\\u0000wh": 1}', "nul_character"),
        (b'{"kwh": 9223372036854775808}', "integer_too_large"),
        (b'{"kwh": ' + b"[" * 32 + b"]" * 32 + b"}", "too_deep"),
    ],
)
@pytest.mark.both_doors
@pytest.mark.sqlite_only
def test_malformed(door: Door, meter: Meter, body: bytes, code: str) -> None:
    assert refusal(meter.send(door, body)) == (400, code)
    assert meter.rows() == []


def test_nesting_of_32_levels(door: Door, meter: Meter) -> None:
    assert meter.send(door, b'{"a": ' + b"[" * 31 + b"]" * 31 + b"}").status == 201


@pytest.mark.both_doors
def test_a_number_that_only_one_database_can_hold_is_never_500(door: Door, meter: Meter) -> None:
    assert meter.send(door, b'{"a": 1e-20000}').status in (201, 400)
    assert meter.send(door, {"kwh": 1}).status == 201


@pytest.mark.both_doors
class TestGzip:
    def test_it_works(self, door: Door, meter: Meter) -> None:
        body = gzip.compress(json.dumps([SEED_READING] * 500).encode())
        answer = meter.send(door, body, Content_Encoding="gzip")
        assert (answer.status, answer.json()) == (201, {"status": "ok", "accepted": 500})
        assert meter.payloads() == [SEED_READING] * 500

    @pytest.mark.alike
    def test_a_bomb(self, door: Door, meter: Meter) -> None:
        bomb = gzip.compress(b"[" + b" " * 20_000_000 + b"]")
        assert refusal(meter.send(door, bomb, Content_Encoding="gzip")) == (413, "body_too_large")

    def test_cut_short(self, door: Door, meter: Meter) -> None:
        answer = meter.send(door, gzip.compress(b'{"kwh": 1}')[:-4], Content_Encoding="gzip")
        assert refusal(answer) == (400, "bad_encoding")

    @pytest.mark.parametrize("encoding", ["br", "deflate", "zstd"])
    def test_another_encoding(self, door: Door, meter: Meter, encoding: str) -> None:
        answer = meter.send(door, {"kwh": 1}, Content_Encoding=encoding)
        assert refusal(answer) == (415, "wrong_content_encoding")

    def test_identity(self, door: Door, meter: Meter) -> None:
        assert meter.send(door, {"kwh": 1}, Content_Encoding="identity").status == 201


@pytest.mark.both_doors
class TestSize:
    def test_to_the_byte(self, door: Door, meter: Meter) -> None:
        frame = len(b'{"a": ""}')
        exact = b'{"a": "' + b"x" * (256 * KIB - frame) + b'"}'
        assert meter.send(door, exact).status == 201
        assert refusal(meter.send(door, exact + b" ")) == (413, "body_too_large")
        assert len(meter.rows()) == 1

    def test_ten_megabytes(self, door: Door, meter: Meter) -> None:
        answer = meter.send(door, b" " * (10 * KIB * KIB))
        assert refusal(answer) == (413, "body_too_large")
        assert meter.send(door).status == 201

    def test_what_a_host_project_says_of_its_forms_is_not_about_readings(
        self, door: Door, meter: Meter, settings: Settings
    ) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = KIB
        assert meter.send(door, {"a": "x" * 10 * KIB}).status == 201

    def test_the_limit_is_a_setting(self, door: Door, meter: Meter, settings: Settings) -> None:
        settings.BODY_LIMIT = KIB
        answer = meter.send(door, b" " * (KIB + 1))
        assert answer.json() == {"detail": "The body is larger than 1 KiB.", "code": "body_too_large"}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin-1"]
)
@pytest.mark.both_doors
def test_wrong_content_type(door: Door, meter: Meter, kind: str) -> None:
    assert refusal(meter.send(door, Content_Type=kind)) == (415, "wrong_content_type")


@pytest.mark.both_doors
def test_no_content_type_is_the_routes_own(door: Door, meter: Meter) -> None:
    assert meter.send(door, Content_Type="").status == 201


@pytest.mark.both_doors
def test_replies_are_not_to_be_sniffed(door: Door, meter: Meter) -> None:
    for answer in (meter.send(door), meter.send(door, b"{")):
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.both_doors
class TestKey:
    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic {key}", "{key}", "Bearer {key}x"]
    )
    def test_401(self, door: Door, meter: Meter, header: str | None) -> None:
        headers = {"Content-Type": "application/json"}
        if header is not None:
            headers["Authorization"] = header.format(key=meter.key)
        answer = door.send("POST", INGEST, b"{}", headers)
        assert refusal(answer) == (401, "bad_credential")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert meter.rows() == []

    def test_the_word_bearer_in_any_case(self, door: Door, meter: Meter) -> None:
        headers = {"Content-Type": "application/json", "Authorization": f"bearer {meter.key}"}
        assert door.send("POST", INGEST, b"{}", headers).status == 201

    def test_revoked(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        revoke_key(device=meter.device, now=timezone.now())
        assert refusal(meter.send(door)) == (401, "bad_credential")

    def test_a_persons_session_is_no_key(self, door: Door, meter: Meter, olga: User) -> None:
        assert refusal(door.post(INGEST, {}, **cookie_of(olga))) == (401, "bad_credential")
        assert meter.send(door, **cookie_of(olga)).status == 201

    def test_the_key_is_judged_before_the_body(self, door: Door, meter: Meter) -> None:
        assert door.post(INGEST, b"{", "wrong").status == 401

    def test_a_key_set_by_hand_of_127_characters(self, door: Door, device: Device) -> None:
        long = equip(device, "~.-_" * 31 + "abc")
        assert len(long.key) == 127
        assert long.send(door).status == 201


class TestMayNotSend:
    """403, and the key stays: a meter erases it only on a 401."""

    def test_not_assigned(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        meter.device.assigned = False
        meter.device.save()
        assert refusal(meter.send(door)) == (403, "not_assigned")
        assert Credential.objects.get().revoked_at is None
        meter.device.assigned = True
        meter.device.save()
        assert meter.send(door).status == 201
        assert len(meter.rows()) == 2

    def test_archived(self, door: Door, meter: Meter) -> None:
        assert meter.send(door).status == 201
        archive_device(device=meter.device, now=timezone.now())
        assert refusal(meter.send(door)) == (403, "device_archived")
        restore_device(device=meter.device)
        assert meter.send(door).status == 201

    def test_archived_says_so_before_not_assigned(self, door: Door, meter: Meter) -> None:
        meter.device.assigned = False
        meter.device.archived_at = timezone.now()
        meter.device.save()
        assert refusal(meter.send(door)) == (403, "device_archived")


@pytest.mark.alike
@pytest.mark.both_doors
class TestRate:
    def test_a_devices_own_writes(self, door: Door, meter: Meter, other_meter: Meter, settings: Settings) -> None:
        settings.LIMIT_DEVICE_WRITES = "3/3600"
        assert [meter.send(door, [{}] * 5).status for _ in range(3)] == [201] * 3  # a batch counts as one
        answer = meter.send(door)
        assert refusal(answer) == (429, "too_many_requests")
        assert 1 <= int(answer.headers["retry-after"]) <= 1200
        assert len(meter.rows()) == 15
        assert other_meter.send(door).status == 201

    def test_a_meter_that_sends_fifty_a_second_never_meets_it(self, door: Door, meter: Meter) -> None:
        assert {meter.send(door).status for _ in range(60)} == {201}
