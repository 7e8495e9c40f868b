"""The integration the seed describes, end to end through the URLconf: `manage.py test` and pytest both run this."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from stations.models import AppliedMessage, PowerBank, PowerBankReturn, Station, StationSlot, SyncLog
from stations.signals import power_bank_returned
from stations.tests.cast import (
    DATA,
    SERIAL,
    StationCase,
    compact,
    full,
    returned,
    status,
)

T0 = int(time.time()) - 3600


def picture() -> dict[str, tuple[str, str | None, int | None]]:
    """Every power bank: status, station, slot."""
    rows = PowerBank.objects.select_related("station", "current_slot")
    return {
        row.serial_number: (
            row.status,
            row.station.serial_number if row.station else None,
            row.current_slot.slot_number if row.current_slot else None,
        )
        for row in rows
    }


def slots(serial: str = SERIAL) -> list[tuple[int, str, int]]:
    rows = StationSlot.objects.filter(station__serial_number=serial).order_by("slot_number")
    return [(row.slot_number, row.status, row.battery_level) for row in rows]


class FullSyncTests(StationCase):
    def test_a_new_station(self) -> None:
        before = timezone.now()
        answer = self.ok(full({1: "BANK-A", 3: "BANK-B"}, at=T0))
        station = Station.objects.get()
        stamp = answer["data"].pop("timestamp")
        assert answer == {
            "success": True,
            "message": "Station data updated successfully",
            "data": {"station_id": station.pk, "station_serial": SERIAL, "slots_updated": 4, "powerbanks_updated": 2},
        }
        assert stamp.endswith("Z")
        assert abs(datetime.fromisoformat(stamp) - before) < timedelta(seconds=5)
        assert (station.serial_number, station.imei, station.status, station.signal_strength, station.wifi_ssid) == (
            SERIAL,
            SERIAL,
            "ONLINE",
            "CSQ:28",
            "Café 漢字 🔋",
        )
        assert station.last_heartbeat == datetime(2025, 10, 27, 14, 30, 0, 123456, tzinfo=UTC)
        assert station.last_message_at == datetime.fromtimestamp(T0, UTC)
        assert slots() == [(1, "OCCUPIED", 80), (2, "AVAILABLE", 0), (3, "OCCUPIED", 80), (4, "AVAILABLE", 0)]
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 1), "BANK-B": ("AVAILABLE", SERIAL, 3)}

    def test_the_same_body_again(self) -> None:
        message = full({1: "BANK-A"}, at=T0)
        first = self.ok(message)
        Station.objects.update(wifi_ssid="changed meanwhile")
        again = self.ok(message, at=int(time.time()) + 4)
        assert again == first | {"replayed": True}
        assert Station.objects.get().wifi_ssid == "changed meanwhile"
        assert [line.outcome for line in SyncLog.objects.order_by("pk")] == ["applied", "replayed"]

    def test_a_repeat_is_known_for_seven_days(self) -> None:
        message = full({1: "BANK-A"}, at=T0)
        self.ok(message)
        second = int(time.time())
        AppliedMessage.objects.update(applied_at=timezone.now() - timedelta(days=7) + timedelta(minutes=1))
        assert self.ok(message, at=second + 1)["replayed"] is True
        AppliedMessage.objects.update(applied_at=timezone.now() - timedelta(days=7, seconds=1))
        assert "replayed" not in self.ok(message, at=second + 2)
        assert AppliedMessage.objects.count() == 1
        assert self.ok(message, at=second + 3)["replayed"] is True

    def test_old_rows_go_without_a_job(self) -> None:
        station = Station.objects.create(serial_number="old")
        long_ago = timezone.now() - timedelta(days=91)
        AppliedMessage.objects.create(body_hash="0" * 64, station=station, applied_at=long_ago, reply="{}")
        SyncLog.objects.create(received_at=long_ago, outcome="applied", milliseconds=1, body_hash="0" * 64)
        with mock.patch("stations.services.CLEAN_EVERY", 1):
            self.ok(full(at=T0))
        assert not AppliedMessage.objects.filter(body_hash="0" * 64).exists()
        assert SyncLog.objects.count() == 1

    def test_a_stale_snapshot(self) -> None:
        self.ok(full({1: "BANK-A"}, at=T0))
        answer = self.ok(full({2: "BANK-B"}, at=T0 - 1))
        assert answer["stale"] is True
        assert (answer["data"]["slots_updated"], answer["data"]["powerbanks_updated"]) == (0, 0)
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 1)}
        assert Station.objects.get().last_message_at == datetime.fromtimestamp(T0, UTC)

    def test_an_equal_time_is_not_stale(self) -> None:
        self.ok(full({1: "BANK-A"}, at=T0))
        assert "stale" not in self.ok(full({2: "BANK-A"}, at=T0))
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 2)}

    def test_a_time_ahead(self) -> None:
        self.ok(full(at=int(time.time()) + 590))
        answer = self.refused(400, "VALIDATION_ERROR", full(at=int(time.time()) + 610, serial="other"))
        assert answer["errors"] == {"timestamp": "More than 10 minutes ahead of the server's time."}
        assert Station.objects.count() == 1

    @pytest.mark.alike
    def test_without_a_time_of_its_own(self) -> None:
        one, two = full({1: "BANK-A"}), full({2: "BANK-A"})
        del one["timestamp"], two["timestamp"]
        second = int(time.time())
        self.ok(one, at=second)
        assert self.ok(one, at=second + 1)["replayed"] is True
        assert "replayed" not in self.ok(two, at=second + 1)
        # In the same bytes as before, but something else was true in between: no repeat.
        assert "replayed" not in self.ok(one, at=second + 2)
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 1)}

    def test_a_bank_that_leaves(self) -> None:
        message = full({1: "BANK-A", 2: "BANK-B"}, at=T0)
        message["power_banks"][1]["status"] = "DAMAGED"
        self.ok(message)
        self.ok(full({}, at=T0 + 1))
        assert picture() == {"BANK-A": ("RENTED", None, None), "BANK-B": ("DAMAGED", None, None)}

    def test_absent_says_nothing_and_empty_says_none(self) -> None:
        self.ok(full({1: "BANK-A"}, at=T0))
        message = full(at=T0 + 1)
        del message["slots"], message["power_banks"], message["device"]["wifi_ssid"]
        message["device"]["imei"] = None
        self.ok(message)
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 1)}
        assert len(slots()) == 4
        station = Station.objects.get()
        assert (station.wifi_ssid, station.imei) == ("Café 漢字 🔋", SERIAL)
        message = full(at=T0 + 2)
        message["slots"] = message["power_banks"] = []
        self.ok(message)
        assert (picture(), slots()) == ({"BANK-A": ("RENTED", None, None)}, [])

    def test_banks_without_slots(self) -> None:
        """Slots are made for power banks that sit in them; a slot that lost its own is free."""
        message = full({1: "BANK-A"}, at=T0)
        del message["slots"]
        self.ok(message)
        assert slots() == [(1, "OCCUPIED", 80)]
        message = full({2: "BANK-A"}, at=T0 + 1)
        del message["slots"]
        self.ok(message)
        assert slots() == [(1, "AVAILABLE", 0), (2, "OCCUPIED", 80)]

    def test_a_station_shrinks(self) -> None:
        self.ok(full({1: "BANK-A", 8: "BANK-B"}, at=T0, total=8))
        message = full(at=T0 + 1, total=4)
        del message["slots"], message["power_banks"]
        self.ok(message)
        assert [number for number, _, _ in slots()] == [1, 2, 3, 4]
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 1), "BANK-B": ("AVAILABLE", SERIAL, None)}

    def test_banks_change_places(self) -> None:
        self.ok(full({1: "BANK-A", 2: "BANK-B", 3: "BANK-C"}, at=T0))
        self.ok(full({1: "BANK-B", 2: "BANK-C", 3: "BANK-A"}, at=T0 + 1))
        assert picture() == {
            "BANK-A": ("AVAILABLE", SERIAL, 3),
            "BANK-B": ("AVAILABLE", SERIAL, 1),
            "BANK-C": ("AVAILABLE", SERIAL, 2),
        }

    def test_the_newest_word_on_a_bank_wins(self) -> None:
        self.ok(full({1: "BANK-A"}, at=T0, serial="north"))
        answer = self.ok(full({2: "BANK-A"}, at=T0 - 10, serial="south"))
        assert answer["data"]["powerbanks_updated"] == 0
        assert picture() == {"BANK-A": ("AVAILABLE", "north", 1)}
        self.ok(full({3: "BANK-A"}, at=T0 + 10, serial="south"))
        assert picture() == {"BANK-A": ("AVAILABLE", "south", 3)}
        assert slots("north")[0] == (1, "AVAILABLE", 0)

    @pytest.mark.alike
    def test_every_spelling_of_signal_strength(self) -> None:
        for number, (told, kept) in enumerate(
            [("28", "28"), ("-65", "-65"), ("CSQ:28", "CSQ:28"), ("RSSI:-65", "RSSI:-65"), ("0", "0"), (28, "28")]
        ):
            message = full(at=T0 + number)
            message["device"]["signal_strength"] = told
            self.ok(message)
            assert Station.objects.get().signal_strength == kept

    def test_optional_parts_are_kept(self) -> None:
        message = full({1: "BANK-A"}, at=T0)
        message["device"]["hardware_info"] = {"fw": "1.2"}
        message["station"]["pinboards"] = [{"index": 1, "io": 0}]
        message["slots"][0]["slot_metadata"] = {"error_code": "0x04"}
        message["power_banks"][0]["hardware_info"] = {"cycles": 12}
        message["something_new"] = {"ignored": True}
        self.ok(message)
        station = Station.objects.get()
        assert (station.hardware_info, station.pinboards) == ({"fw": "1.2"}, [{"index": 1, "io": 0}])
        assert StationSlot.objects.get(slot_number=1).slot_metadata == {"error_code": "0x04"}
        assert PowerBank.objects.get().hardware_info == {"cycles": 12}

    def test_the_number_of_queries_is_constant(self) -> None:
        firsts: list[int] = []
        moves: list[int] = []
        for size in (2, 12, 48, 400):
            banks = {place: f"{size}-{place}" for place in range(1, size + 1)}
            moved = {place % size + 1: name for place, name in banks.items()}
            for counts, at, told in ((firsts, T0, banks), (moves, T0 + 1, moved)):
                with mock.patch("stations.services.CLEAN_EVERY", 10**9), CaptureQueriesContext(connection) as caught:
                    self.ok(full(told, at=at, serial=f"size-{size}", total=size))
                # PostgreSQL is told how long to wait for a lock; SQLite knows.
                counts.append(sum(not query["sql"].startswith("SET LOCAL lock_timeout") for query in caught))
        assert (len(set(firsts)), len(set(moves))) == (1, 1), (firsts, moves)
        assert max(*firsts, *moves) <= 18


class ReturnTests(StationCase):
    def setUp(self) -> None:
        super().setUp()
        self.ok(full({1: "BANK-A"}, at=T0))
        self.ok(full({}, at=T0 + 10))

    def test_it_works(self) -> None:
        message = returned(
            "BANK-A",
            3,
            at=T0 + 20,
            returned_at="2025-10-27T14:30:00.123456789Z",
            condition="GOOD",
            hardware_info={"cycles": 3},
        )
        answer = self.ok(message)
        data = {
            "power_bank_serial": "BANK-A",
            "power_bank_status": "AVAILABLE",
            "station_serial": SERIAL,
            "slot_number": 3,
        }
        assert answer == {"success": True, "message": "Return processed successfully", "data": data}
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 3)}
        assert slots()[2] == (3, "OCCUPIED", 45)
        row = PowerBankReturn.objects.get()
        assert (row.slot_number, row.battery_level, row.condition, row.hardware_info, row.stale) == (
            3,
            45,
            "GOOD",
            {"cycles": 3},
            False,
        )
        assert row.returned_at == datetime(2025, 10, 27, 14, 30, 0, 123456, tzinfo=UTC)
        assert self.ok(message) == answer | {"replayed": True}
        assert PowerBankReturn.objects.count() == 1

    def test_not_found(self) -> None:
        for error, message in [
            ("STATION_NOT_FOUND", returned("BANK-A", 1, serial="nowhere")),
            ("POWER_BANK_NOT_FOUND", returned("BANK-Z", 1)),
            ("SLOT_NOT_FOUND", returned("BANK-A", 5)),
        ]:
            self.refused(404, error, message)
        assert PowerBankReturn.objects.count() == 0
        assert AppliedMessage.objects.count() == 2
        assert SyncLog.objects.filter(outcome="refused").count() == 3

    def test_a_stale_return_is_history_only(self) -> None:
        message = returned("BANK-A", 2, at=T0 + 5)
        answer = self.ok(message)
        assert answer["stale"] is True
        assert answer["data"]["power_bank_status"] == "RENTED"
        assert picture() == {"BANK-A": ("RENTED", None, None)}
        assert slots()[1] == (2, "AVAILABLE", 0)
        assert PowerBankReturn.objects.get().stale is True
        assert self.ok(message) == answer | {"replayed": True}
        assert PowerBankReturn.objects.count() == 1

    @pytest.mark.alike
    def test_into_a_slot_that_held_another(self) -> None:
        self.ok(full({2: "BANK-B"}, at=T0 + 11))
        self.ok(returned("BANK-A", 2, at=T0 + 12))
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 2), "BANK-B": ("RENTED", None, None)}

    @pytest.mark.alike
    def test_from_another_station(self) -> None:
        self.ok(full({4: "BANK-A"}, at=T0 + 15, serial="elsewhere"))
        self.ok(returned("BANK-A", 2, at=T0 + 20))
        assert picture() == {"BANK-A": ("AVAILABLE", SERIAL, 2)}
        assert slots("elsewhere")[3] == (4, "AVAILABLE", 0)

    def test_the_signal_is_part_of_the_transaction(self) -> None:
        heard: list[Any] = []

        def settle(sender: Any, power_bank_return: PowerBankReturn, stale: bool, **_: Any) -> None:
            heard.append((power_bank_return.power_bank.serial_number, stale, connection.in_atomic_block))
            User.objects.create(username=f"settled {len(heard)}")
            if len(heard) == 1:
                raise RuntimeError("the host project fails")

        power_bank_returned.connect(settle)
        self.addCleanup(power_bank_returned.disconnect, settle)
        message = returned("BANK-A", 2, at=T0 + 20)
        with self.assertLogs("ozone.webapi", "ERROR"):
            self.refused(500, "INTERNAL_ERROR", message)
        assert picture() == {"BANK-A": ("RENTED", None, None)}
        assert PowerBankReturn.objects.count() == 0
        assert not User.objects.filter(username="settled 1").exists()
        self.ok(message)
        assert User.objects.filter(username="settled 2").exists()
        self.ok(message)
        assert heard == [("BANK-A", False, True)] * 2


class StatusTests(StationCase):
    def test_it_works(self) -> None:
        self.ok(full(at=T0))
        station = Station.objects.get()
        answer = self.ok(status("OFFLINE", at=T0 + 1))
        data = {
            "station_id": station.pk,
            "serial_number": SERIAL,
            "status": "OFFLINE",
            "status_changed": True,
            "last_heartbeat": "2025-10-27T14:30:00.123456Z",
        }
        assert answer == {"success": True, "message": "Station status updated successfully", "data": data}
        assert Station.objects.get().status == "OFFLINE"
        assert self.ok(status("OFFLINE", at=T0 + 2))["data"]["status_changed"] is False

    def test_unknown_station(self) -> None:
        self.refused(404, "STATION_NOT_FOUND", status("ONLINE"))
        assert Station.objects.count() == 0

    def test_stale(self) -> None:
        self.ok(full(at=T0))
        answer = self.ok(status("OFFLINE", at=T0 - 1))
        assert (answer["stale"], answer["data"]["status"]) == (True, "ONLINE")
        assert Station.objects.get().status == "ONLINE"

    @pytest.mark.alike
    def test_on_and_off_without_times(self) -> None:
        self.ok(full(at=T0))
        for second, word in enumerate(("OFFLINE", "ONLINE", "OFFLINE"), int(time.time())):
            message = status(word)
            del message["timestamp"]
            assert self.ok(message, at=second)["data"]["status_changed"] is True
            assert self.ok(message, at=second + 5)["replayed"] is True
            assert Station.objects.get().status == word


class SyncLogTests(StationCase):
    def test_every_request_from_step_3_on(self) -> None:
        self.refused(401, "AUTHENTICATION_FAILED", full(), headers={"Authorization": None})
        assert SyncLog.objects.count() == 0
        body = compact(full(at=T0))
        self.refused(403, "INVALID_SIGNATURE", body, secret="another")
        self.ok(body)
        self.ok(body)
        self.refused(400, "INVALID_TYPE", {"type": "x"})
        lines = [(line.type, line.serial_number, line.outcome, line.code) for line in SyncLog.objects.order_by("pk")]
        assert lines == [
            ("", "", "refused", "INVALID_SIGNATURE"),
            ("full", SERIAL, "applied", ""),
            ("full", SERIAL, "replayed", ""),
            ("", "", "refused", "INVALID_TYPE"),
        ]
        hashes = list(SyncLog.objects.order_by("pk").values_list("body_hash", flat=True))
        assert len(set(hashes[:3])) == 1
        assert len(hashes[0]) == 64

    def test_the_seeds_greps(self) -> None:
        with self.assertLogs("stations", "INFO") as caught:
            self.ok(full())
            self.refused(403, "INVALID_SIGNATURE", full(), secret="another")
        lines = "\n".join(caught.output)
        assert "StationDataInternalView" in lines
        assert "StationSyncService" in lines
        assert "signature" in caught.output[-1]

    def test_the_path_with_a_slash(self) -> None:
        self.ok(full(), path=DATA + "/")
