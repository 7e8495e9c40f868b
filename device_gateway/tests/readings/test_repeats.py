"""Repeats of a reading: a message_id (or Idempotency-Key) seen before makes no second row, and gets the same reply."""

from typing import Any

import pytest
import time_machine
from django.utils import timezone
from pytest_django import Settings

from device_gateway.models import DeviceState
from device_gateway.tests.conftest import INGEST, Meter, at_once, refusal
from tests.support.doors import Door

OK = b'{"status": "ok"}'


def test_it_works(door: Door, meter: Meter) -> None:
    answers = [meter.send(door, {"message_id": "m-1", "n": 1}) for _ in range(2)]
    assert [(answer.status, answer.body) for answer in answers] == [(201, OK)] * 2
    assert meter.payloads() == [{"message_id": "m-1", "n": 1}]
    assert meter.rows()[0].message_id == "m-1"


@pytest.mark.both_doors
def test_by_header(door: Door, meter: Meter) -> None:
    for _ in range(2):
        assert meter.send(door, {"n": 1}, Idempotency_Key="k-1").status == 201
    assert meter.payloads() == [{"n": 1}]
    assert meter.rows()[0].message_id == "k-1"


def test_header_and_message_id_are_one_name(door: Door, meter: Meter) -> None:
    assert meter.send(door, {"n": 1}, Idempotency_Key="k-1").status == 201
    assert meter.send(door, {"n": 1, "message_id": "k-1"}).status == 201
    assert len(meter.rows()) == 1


@pytest.mark.both_doors
def test_the_message_id_in_the_body_wins(door: Door, meter: Meter) -> None:
    for key in ("k-1", "k-2"):
        assert meter.send(door, {"message_id": "m"}, Idempotency_Key=key).status == 201
    assert [row.message_id for row in meter.rows()] == ["m"]


def test_a_batch_takes_no_header(door: Door, meter: Meter) -> None:
    for _ in range(2):
        assert meter.send(door, [{"n": 1}, {"n": 2}], Idempotency_Key="k-1").status == 201
    assert len(meter.rows()) == 4


def test_a_number_is_its_digits(door: Door, meter: Meter) -> None:
    for message_id in (42, "42", 42):
        assert meter.send(door, {"message_id": message_id}).status == 201
    assert [row.message_id for row in meter.rows()] == ["42"]


def test_none_is_none(door: Door, meter: Meter) -> None:
    for _ in range(2):
        assert meter.send(door, {"message_id": None}).status == 201
    assert [row.message_id for row in meter.rows()] == [None, None]


def test_64_characters(door: Door, meter: Meter) -> None:
    for _ in range(2):
        assert meter.send(door, {"message_id": "é" * 64}).status == 201
        assert meter.send(door, {}, Idempotency_Key="k" * 64).status == 201
    assert [row.message_id for row in meter.rows()] == ["é" * 64, "k" * 64]


@pytest.mark.parametrize("message_id", ["", "x" * 65, True, 1.5, [], {}, ["m"]])
def test_no_message_id(door: Door, meter: Meter, message_id: Any) -> None:
    answer = meter.send(door, {"message_id": message_id})
    assert refusal(answer) == (400, "invalid_message_id")
    assert answer.json()["errors"] == {"message_id": ["Must be text of 1 to 64 characters."]}
    assert meter.rows() == []


@pytest.mark.both_doors
def test_a_header_that_is_too_long(door: Door, meter: Meter) -> None:
    answer = meter.send(door, {}, Idempotency_Key="k" * 65)
    assert refusal(answer) == (400, "invalid_message_id")
    assert list(answer.json()["errors"]) == ["Idempotency-Key"]


def test_within_one_batch(door: Door, meter: Meter) -> None:
    answer = meter.send(door, [{"message_id": f"m-{n % 3}", "n": n % 3} for n in range(10)] + [{"n": 10}])
    assert (answer.status, answer.json()) == (201, {"status": "ok", "accepted": 11})
    assert [payload["n"] for payload in meter.payloads()] == [0, 1, 2, 10]


def test_across_batches(door: Door, meter: Meter) -> None:
    batch = [{"message_id": f"m-{n}"} for n in range(20)]
    for part in (batch[:10], batch[5:15], batch):
        assert meter.send(door, part).json() == {"status": "ok", "accepted": len(part)}
    assert sorted(str(row.message_id) for row in meter.rows()) == sorted(f"m-{n}" for n in range(20))


class TestReusedIds:
    """A meter that numbers its readings from 1 after each boot loses none of them."""

    def test_other_content_is_another_reading(self, door: Door, meter: Meter) -> None:
        for day in (24, 25, 26):
            batch = [{"message_id": "1", "kwh": day}, {"message_id": "2", "kwh": day + 0.5}]
            for _ in range(2):  # a lost reply
                assert meter.send(door, batch).json() == {"status": "ok", "accepted": 2}
        assert [payload["kwh"] for payload in meter.payloads()] == [24, 24.5, 25, 25.5, 26, 26.5]
        state = DeviceState.objects.get()
        assert (state.reused_ids, state.latest_payload) == (4, {"message_id": "2", "kwh": 26.5})
        assert state.reused_at and state.last_seen and state.reused_at <= state.last_seen

    def test_by_header_too(self, door: Door, meter: Meter) -> None:
        for n in (1, 2, 2, 1):
            assert meter.send(door, {"n": n}, Idempotency_Key="k-1").status == 201
        assert meter.payloads() == [{"n": 1}, {"n": 2}]

    def test_in_whatever_order_and_spelling_the_same_is_the_same(self, door: Door, meter: Meter) -> None:
        for body in (b'{"message_id":"m","a":1,"b":[1,2]}', b' {"b": [1, 2], "a": 1, "message_id": "m"}'):
            assert meter.send(door, body).status == 201
        assert len(meter.rows()) == 1

    @pytest.mark.each_case
    @pytest.mark.parametrize(
        "number",
        [
            *("1e16", "1.7957323852871012e+16", "17957323852871012.3", "-0.0", "1.0", "1.50", "1e-7", "1E300", "0.1"),
            *("-1e2", "9007199254740993", "-9223372036854775808", "123456789.000000001", "4.9e-324"),
        ],
    )
    def test_however_the_database_writes_a_number(self, door: Door, meter: Meter, number: str) -> None:
        for _ in range(3):
            assert meter.send(door, b'{"message_id":"m","a":[{"n":%b}]}' % number.encode()).status == 201
        assert len(meter.rows()) == 1
        assert meter.send(door, b'{"message_id":"m","a":[{"n":7.25}]}').status == 201
        assert len(meter.rows()) == 2

    def test_within_one_batch(self, door: Door, meter: Meter) -> None:
        batch = [{"message_id": "m", "n": n} for n in (1, 2, 1, 3, 2)]
        assert meter.send(door, batch).json() == {"status": "ok", "accepted": 5}
        assert [payload["n"] for payload in meter.payloads()] == [1, 2, 3]

    def test_of_64_characters(self, door: Door, meter: Meter) -> None:
        for n in (1, 2, 2):
            assert meter.send(door, {"message_id": "é" * 64, "n": n}).status == 201
        assert meter.payloads() == [{"message_id": "é" * 64, "n": n} for n in (1, 2)]

    def test_copies_at_once(self, door: Door, meter: Meter) -> None:
        at_once(12, lambda number: door.post(INGEST, {"message_id": "m", "n": number % 3}, meter.key))
        assert sorted(payload["n"] for payload in meter.payloads()) == [0, 1, 2]

    def test_it_is_told(self, door: Door, meter: Meter, caplog: pytest.LogCaptureFixture) -> None:
        for n in (1, 2):
            meter.send(door, {"message_id": "m", "n": n})
        assert f"device {meter.device.pk} reuses its ids" in caplog.text


class TestForgottenIds:
    """After MESSAGE_ID_DAYS an id may be another reading's."""

    def test_it_works(self, door: Door, meter: Meter) -> None:
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            stored = []
            for days in (0, 29, 1, 1, 29, 0, 40):
                clock.shift(days * 86400)
                assert meter.send(door, {"message_id": "m-1", "n": 1}).status == 201
                stored.append(len(meter.rows()))
            assert stored == [1, 1, 1, 2, 2, 2, 3]
        assert [row.message_id for row in meter.rows()] == [None, None, "m-1"]
        assert DeviceState.objects.get().reused_ids == 0

    def test_beside_others(self, door: Door, meter: Meter, other_meter: Meter, settings: Settings) -> None:
        settings.MESSAGE_ID_DAYS = 7
        with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
            for sender in (meter, other_meter):
                assert sender.send(door, [{"message_id": "1", "kwh": 24}, {"message_id": "2", "kwh": 25}]).status == 201
            clock.shift(6 * 86400)
            assert meter.send(door, {"message_id": "3", "kwh": 26}).status == 201
            clock.shift(2 * 86400)
            batch = [{"message_id": str(number), "kwh": kwh} for number, kwh in ((1, 24), (3, 26), (1, 24), (1, 30))]
            for _ in range(2):
                assert meter.send(door, batch).json() == {"status": "ok", "accepted": 4}
        assert [payload["kwh"] for payload in meter.payloads()] == [24, 25, 26, 24, 30]
        assert [payload["kwh"] for payload in other_meter.payloads()] == [24, 25]
        assert DeviceState.objects.get(device=meter.device).reused_ids == 1


def test_the_order_told_is_kept(door: Door, meter: Meter) -> None:
    batch = [{"message_id": name, "n": n} if name else {"n": n} for n, name in enumerate(("z", "", "a", "m", ""))]
    assert meter.send(door, batch).status == 201
    assert [payload["n"] for payload in meter.payloads()] == [0, 1, 2, 3, 4]


def test_two_devices_may_use_the_same(door: Door, meter: Meter, other_meter: Meter) -> None:
    for sender in (meter, other_meter):
        assert sender.send(door, {"message_id": "m-1"}).status == 201
    assert len(meter.rows()) == len(other_meter.rows()) == 1


@pytest.mark.both_doors
def test_copies_at_once(door: Door, meter: Meter) -> None:
    answers = at_once(12, lambda _: door.post(INGEST, {"message_id": "m-1", "n": 1}, meter.key))
    assert {(answer.status, answer.body) for answer in answers} == {(201, OK)}
    assert len(meter.rows()) == 1


@pytest.mark.both_doors
def test_batches_that_overlap_at_once(door: Door, meter: Meter) -> None:
    def send(number: int) -> Any:
        order = range(30) if number % 2 else range(29, -1, -1)
        return door.post(INGEST, [{"message_id": f"m-{n}"} for n in order], meter.key).json()

    assert at_once(8, send) == [{"status": "ok", "accepted": 30}] * 8
    assert len(meter.rows()) == 30


def test_different_readings_at_once_are_all_kept(door: Door, meter: Meter, other_meter: Meter) -> None:
    def send(number: int) -> int:
        sender = (meter, other_meter)[number % 2]
        return door.post(INGEST, [{"n": number, "i": i} for i in range(5)], sender.key).status

    assert at_once(12, send) == [201] * 12
    assert len(meter.rows()) == len(other_meter.rows()) == 30


def test_a_repeat_is_a_sign_of_life_and_never_the_latest(door: Door, meter: Meter) -> None:
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False) as clock:
        meter.send(door, {"message_id": "m-1", "n": 1})
        clock.shift(60)
        meter.send(door, {"n": 2})
        clock.shift(60)
        meter.send(door, {"message_id": "m-1", "n": 1})
        state = DeviceState.objects.get()
        assert state.last_seen == timezone.now()
        assert state.latest_payload == {"n": 2}
