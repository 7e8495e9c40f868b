"""One odd value does not refuse a whole message: what is right is kept, what is not is named and left as it was."""

import time
from typing import Any

from stations.models import PowerBank, PowerBankReturn, Station, StationSlot, SyncLog
from stations.tests.cast import SERIAL, StationCase, bank, full, returned, slot

T0 = int(time.time()) - 3600


def slots() -> list[tuple[int, str, int]]:
    rows = StationSlot.objects.filter(station__serial_number=SERIAL).order_by("slot_number")
    return [(row.slot_number, row.status, row.battery_level) for row in rows]


def place_of(serial: str) -> tuple[str | None, int | None, str, int]:
    row = PowerBank.objects.select_related("station", "current_slot").get(serial_number=serial)
    where = row.station.serial_number if row.station else None
    return where, row.current_slot.slot_number if row.current_slot else None, row.status, row.battery_level


class OddValueTests(StationCase):
    def setUp(self) -> None:
        super().setUp()
        self.ok(full({1: "BANK-A", 3: "BANK-B"}, at=T0))

    def picture(self, **parts: Any) -> dict[str, Any]:
        message = full({1: "BANK-A", 3: "BANK-B"}, at=T0 + 1)
        return message | parts

    def test_batteries(self) -> None:
        for number, level in enumerate((101, 254, 255, -1, 2**62)):
            with self.subTest(level=level):
                message = self.picture(timestamp=T0 + 1 + number)
                message["slots"][2]["battery_level"] = level
                message["slots"][0]["battery_level"] = message["power_banks"][0]["battery_level"] = 42
                message["power_banks"][1]["battery_level"] = level
                sentence = f"{level} is not from 0 to 100: it was left as it was."
                answer = self.ok(message)
                assert answer["warnings"] == {
                    "slots[2].battery_level": sentence,
                    "power_banks[1].battery_level": sentence,
                }
                assert (answer["data"]["slots_updated"], answer["data"]["powerbanks_updated"]) == (4, 2)
                assert slots() == [(1, "OCCUPIED", 42), (2, "AVAILABLE", 0), (3, "OCCUPIED", 80), (4, "AVAILABLE", 0)]
                assert place_of("BANK-A") == (SERIAL, 1, "AVAILABLE", 42)
                assert place_of("BANK-B") == (SERIAL, 3, "AVAILABLE", 80)
                assert self.ok(message, at=int(time.time()) + 2) == answer | {"replayed": True}

    def test_the_log_is_marked(self) -> None:
        message = self.picture()
        message["slots"][2]["battery_level"] = message["slots"][3]["battery_level"] = 101
        self.ok(message)
        self.ok(full(at=T0 + 2))
        lines = SyncLog.objects.order_by("pk").values_list("outcome", "warnings")
        assert list(lines) == [
            ("applied", ""),
            ("applied", "slots[2].battery_level, slots[3].battery_level"),
            ("applied", ""),
        ]

    def test_a_thousand_of_them(self) -> None:
        message = full(at=T0 + 1, total=1000)
        for told in message["slots"]:
            told["battery_level"] = 255
        assert len(self.ok(message)["warnings"]) == 1000
        assert len(SyncLog.objects.latest("pk").warnings) == 200

    def test_a_slot_without_a_number(self) -> None:
        """The slot that it may be stays."""
        message = self.picture(slots=[slot(1, "OCCUPIED", 50), slot(2, "ERROR"), slot(3, "OCCUPIED", 50), slot(0)])
        answer = self.ok(message)
        assert answer["warnings"] == {
            "slots[3].slot_number": "No slot has the number 0: the slot was left as it was.",
        }
        assert answer["data"]["slots_updated"] == 3
        assert slots() == [(1, "OCCUPIED", 50), (2, "ERROR", 0), (3, "OCCUPIED", 50), (4, "AVAILABLE", 0)]

    def test_a_bank_without_a_place(self) -> None:
        answer = self.ok(self.picture(power_banks=[bank("BANK-A", 1, 33), bank("BANK-B", 0, 44, "DAMAGED")]))
        assert answer["warnings"] == {
            "power_banks[1].current_slot": "No slot has the number 0: its place was left as it was.",
        }
        assert answer["data"]["powerbanks_updated"] == 2
        assert place_of("BANK-A") == (SERIAL, 1, "AVAILABLE", 33)
        assert place_of("BANK-B") == (SERIAL, 3, "DAMAGED", 44)

    def test_a_bank_whose_place_another_has_taken(self) -> None:
        self.ok(self.picture(power_banks=[bank("BANK-A", 3), bank("BANK-B", 0)], slots=None))
        assert place_of("BANK-A") == (SERIAL, 3, "AVAILABLE", 80)
        assert place_of("BANK-B") == (SERIAL, None, "AVAILABLE", 80)
        self.ok(self.picture(timestamp=T0 + 2))
        assert place_of("BANK-B") == (SERIAL, 3, "AVAILABLE", 80)

    def test_a_bank_of_elsewhere_and_a_new_one(self) -> None:
        self.ok(full({2: "BANK-C"}, serial="south", at=T0))
        answer = self.ok(self.picture(power_banks=[bank("BANK-C", 0, 11), bank("BANK-D", 0, 255), bank("BANK-E", 0)]))
        assert len(answer["warnings"]) == 4
        assert place_of("BANK-C") == ("south", 2, "AVAILABLE", 11)
        assert place_of("BANK-D") == (None, None, "AVAILABLE", 0)
        assert place_of("BANK-E") == (None, None, "AVAILABLE", 80)

    def test_a_return(self) -> None:
        answer = self.ok(returned("BANK-B", 2, at=T0 + 1, battery_level=254))
        sentence = "254 is not from 0 to 100: it was left as it was."
        assert answer["warnings"] == {"return_event.battery_level": sentence}
        assert place_of("BANK-B") == (SERIAL, 2, "AVAILABLE", 80)
        assert slots()[1] == (2, "OCCUPIED", 0)
        assert PowerBankReturn.objects.get().battery_level is None

    def test_contradictions_are_refused_still(self) -> None:
        for place, parts in [
            ("slots[1].slot_number", {"slots": [slot(1, battery=255), slot(1)]}),
            ("slots[1].power_bank_serial", {"slots": [slot(0, bank="X"), slot(1, bank="X")]}),
            ("power_banks[1].serial_number", {"power_banks": [bank("A", 0), bank("A", 1)]}),
            ("power_banks[1].current_slot", {"power_banks": [bank("A", 1, 255), bank("B", 1)]}),
            ("slots[0].power_bank_serial", {"slots": [slot(2, bank="BANK-A", battery=255)]}),
        ]:
            with self.subTest(place=place):
                answer = self.refused(400, "VALIDATION_ERROR", self.picture(**parts))
                assert list(answer["errors"]) == [place]
        assert Station.objects.get().last_message_at.timestamp() == T0  # type: ignore[union-attr]

    def test_a_stale_one_warns_of_nothing(self) -> None:
        message = self.picture(timestamp=T0 - 1)
        message["slots"][0]["battery_level"] = 255
        answer = self.ok(message)
        assert ("warnings" in answer, answer["stale"]) == (False, True)
