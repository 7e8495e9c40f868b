"""Step 6: what a message may say, and that a refusal names the place."""

import time
from typing import Any

import pytest

from stations.models import Station
from stations.tests.cast import SERIAL, StationCase, bank, full, returned, slot

T0 = int(time.time()) - 3600


class ValidationTests(StationCase):
    @pytest.mark.alike
    def test_places(self) -> None:
        cases: list[tuple[str, str, Any]] = [
            ("device.status", "device", {"serial_number": SERIAL, "status": "GONE", "last_heartbeat": "2025-10-27"}),
            ("device.serial_number", "device", {"status": "ONLINE"}),
            ("device.last_heartbeat", "device", {"serial_number": SERIAL, "status": "ONLINE"}),
            ("device.last_heartbeat", "device", {"serial_number": "1", "status": "ONLINE", "last_heartbeat": "soon"}),
            ("device.serial_number", "device", {"serial_number": "a/b", "status": "ONLINE", "last_heartbeat": 1}),
            ("station.total_slots", "station", {"total_slots": "4"}),
            ("station.total_slots", "station", {}),
            ("slots", "slots", "none"),
            ("slots[1].status", "slots", [slot(1), slot(2, "BROKEN")]),
            ("slots[1].slot_number", "slots", [slot(1), slot(1)]),
            ("slots[0].slot_number", "slots", [slot(5)]),
            ("slots[0].slot_number", "slots", [slot(-1)]),
            ("slots[0].battery_level", "slots", [slot(1) | {"battery_level": "85"}]),
            ("slots[1].power_bank_serial", "slots", [slot(1, bank="A"), slot(2, bank="A")]),
            ("slots[0].slot_metadata", "slots", [slot(1) | {"slot_metadata": {"x": "y" * 5000}}]),
            ("power_banks[0].status", "power_banks", [bank("A", 1, status="LOST")]),
            ("power_banks[1].serial_number", "power_banks", [bank("A", 1), bank("A", 2)]),
            ("power_banks[1].current_slot", "power_banks", [bank("A", 1), bank("B", 1)]),
            ("power_banks[0].current_slot", "power_banks", [bank("A", 5)]),
            ("timestamp", "timestamp", "whenever"),
        ]
        for place, member, value in cases:
            with self.subTest(place=place, value=value):
                answer = self.refused(400, "VALIDATION_ERROR", full() | {member: value})
                assert list(answer["errors"]) == [place]
                assert answer["message"] == f"{place}: {answer['errors'][place]}"
        assert Station.objects.count() == 0

    def test_serial_numbers(self) -> None:
        sentence = "Must be 1 to 64 letters, digits and . _ : -, the first a letter or digit."
        for serial in ("", "a/b", "a b", "é", ".a", "a\n", "x" * 65):
            with self.subTest(serial=serial):
                answer = self.refused(400, "VALIDATION_ERROR", full(serial=serial))
                assert answer["errors"] == {"device.serial_number": sentence}
                answer = self.refused(400, "VALIDATION_ERROR", returned(serial, 1))
                assert answer["errors"] == {"return_event.power_bank_serial": sentence}
        for serial in ("0", "A.b_c:d-e", "x" * 64):
            self.ok(full(serial=serial))

    def test_a_slot_that_contradicts_the_banks(self) -> None:
        message = full({1: "A"})
        message["slots"][0]["power_bank_serial"], message["slots"][1]["power_bank_serial"] = None, "A"
        answer = self.refused(400, "VALIDATION_ERROR", message)
        assert answer["errors"] == {"slots[1].power_bank_serial": "power_banks has it in another slot."}

    def test_bodies_that_are_no_message(self) -> None:
        nested = b'{"type":"full","x":' + b"[" * 40 + b"]" * 40 + b"}"
        for body in (b"", b"{", b"[]", b'{"type":"full","type":"full"}', b'{"type": "\\u0000"}', b"\xff", nested):
            with self.subTest(body=body):
                assert list(self.refused(400, "VALIDATION_ERROR", body)["errors"]) == ["body"]
        assert self.refused(400, "VALIDATION_ERROR", {})["errors"] == {"type": "Missing."}

    def test_types(self) -> None:
        for kind in ("partial", "", 5, None, ["full"]):
            self.refused(400, "INVALID_TYPE", full() | {"type": kind})

    def test_a_return_far_ahead(self) -> None:
        self.ok(full({1: "A"}, at=T0))
        message = returned("A", 2, returned_at=int(time.time()) + 700)
        answer = self.refused(400, "VALIDATION_ERROR", message)
        assert list(answer["errors"]) == ["return_event.returned_at"]
