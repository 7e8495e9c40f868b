"""A request sent again byte for byte, whatever came between; and what may come again in the same bytes."""

import time
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.db.models import F
from django.test import override_settings
from django.utils import timezone

from stations.models import AcknowledgedRequest, PowerBank, PowerBankReturn, Station, SyncLog
from stations.signals import power_bank_returned
from stations.tests.cast import StationCase, full, returned, status

T0 = int(time.time()) - 3600


def untimed(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "timestamp"}


class CapturedTests(StationCase):
    """Somebody has recorded a request, and sends it again later: same body, same timestamp, same signature."""

    def setUp(self) -> None:
        super().setUp()
        self.second = int(time.time())
        self.ok(full({1: "BANK-A"}, at=T0), at=self.second)

    def test_a_captured_status_turns_nothing_off(self) -> None:
        self.captured(untimed(status("OFFLINE")), untimed(status("ONLINE")))

    def test_nor_does_one_of_the_same_second(self) -> None:
        self.captured(status("OFFLINE", at=T0 + 1), status("ONLINE", at=T0 + 1))

    def captured(self, off: dict[str, Any], on: dict[str, Any]) -> None:
        first = self.ok(off, at=self.second)
        assert first["data"]["status_changed"] is True
        self.ok(on, at=self.second)
        for _ in range(2):
            assert self.ok(off, at=self.second) == first | {"replayed": True}
            assert Station.objects.get().status == "ONLINE"

    def test_a_captured_picture_brings_no_bank_back(self) -> None:
        message = untimed(full({1: "BANK-A"}))
        first = self.ok(message, at=self.second)
        self.ok(untimed(full({})), at=self.second + 1)
        assert PowerBank.objects.get().status == "RENTED"
        assert self.ok(message, at=self.second) == first | {"replayed": True}
        assert (PowerBank.objects.get().status, PowerBank.objects.get().station) == ("RENTED", None)

    def test_a_captured_return_is_no_second_one(self) -> None:
        message = untimed(returned("BANK-A", 2))
        first = self.ok(message, at=self.second)
        self.ok(untimed(full({})), at=self.second + 1)
        with mock.patch("stations.services.REPLAY_SPAN", timedelta(0)):  # its body is forgotten
            assert self.ok(message, at=self.second) == first | {"replayed": True}
        assert PowerBankReturn.objects.count() == 1
        assert PowerBank.objects.get().station is None

    def test_a_repeat_that_was_captured(self) -> None:
        """A repeat was acknowledged without effect: later it would be no repeat any more."""
        message = untimed(status("OFFLINE"))
        first = self.ok(message, at=self.second)
        assert self.ok(message, at=self.second + 1) == first | {"replayed": True}
        self.ok(untimed(status("ONLINE")), at=self.second + 2)
        assert self.ok(message, at=self.second + 1) == first | {"replayed": True}
        assert Station.objects.get().status == "ONLINE"

    def test_a_stale_one_stays_stale(self) -> None:
        message = status("OFFLINE", at=T0 - 9)
        first = self.ok(message, at=self.second)
        assert first["stale"] is True
        Station.objects.update(last_message_at=None)
        assert self.ok(message, at=self.second) == first | {"replayed": True}
        assert Station.objects.get().status == "ONLINE"

    def test_the_station_is_gone(self) -> None:
        message = full({1: "BANK-A"}, at=T0)
        Station.objects.all().delete()
        assert self.ok(message, at=self.second)["replayed"] is True
        assert Station.objects.count() == 0

    @pytest.mark.alike
    def test_one_that_failed_is_not_remembered(self) -> None:
        early = returned("BANK-B", 2, at=T0 + 5)
        self.refused(404, "POWER_BANK_NOT_FOUND", early, at=self.second)
        self.ok(full({1: "BANK-A", 4: "BANK-B"}, at=T0 + 1), at=self.second)
        assert "replayed" not in self.ok(early, at=self.second)
        assert AcknowledgedRequest.objects.count() == 3

    def test_a_receiver_that_failed(self) -> None:
        message = returned("BANK-A", 2, at=T0 + 1)

        def refuse(**_: Any) -> None:
            raise RuntimeError("no rental")

        power_bank_returned.connect(refuse)
        try:
            assert self.connector.send(message, at=self.second).status_code == 500
        finally:
            power_bank_returned.disconnect(refuse)
        assert "replayed" not in self.ok(message, at=self.second)

    def test_nothing_of_a_signature_is_kept(self) -> None:
        row = AcknowledgedRequest.objects.get()
        assert (len(row.key), row.timestamp) == (64, self.second)
        int(row.key, 16)

    def test_remembered_for_as_long_as_it_may_pass(self) -> None:
        AcknowledgedRequest.objects.update(acknowledged_at=timezone.now() - timedelta(days=8))
        with mock.patch("stations.services.CLEAN_EVERY", 1):
            self.ok(full(at=T0 + 1), at=self.second)
            assert AcknowledgedRequest.objects.count() == 2
            AcknowledgedRequest.objects.update(timestamp=F("timestamp") - 301)
            with override_settings(IOT_SYSTEM_SIGNATURE_TIMEOUT=600):
                self.ok(full(at=T0 + 2), at=self.second)
            assert AcknowledgedRequest.objects.count() == 3
            self.ok(full(at=T0 + 3), at=self.second)
            assert AcknowledgedRequest.objects.count() == 3  # the first one is gone


class ManyChangesTests(StationCase):
    """OFFLINE, ONLINE, OFFLINE within a second are three changes: in whole seconds the third has the first's bytes."""

    def test_of_the_same_second(self) -> None:
        self.ok(full(at=T0))
        for at, word in enumerate(("OFFLINE", "ONLINE", "OFFLINE", "ONLINE"), int(time.time())):
            message = status(word, at=T0 + 1)
            assert self.ok(message, at=at)["data"]["status_changed"] is True
            assert self.ok(message, at=at + 9)["replayed"] is True
            assert Station.objects.get().status == word

    def test_of_an_earlier_second(self) -> None:
        """Then it is a retry that came late."""
        self.ok(full(at=T0))
        first = self.ok(status("OFFLINE", at=T0 + 1))
        self.ok(status("ONLINE", at=T0 + 2))
        assert self.ok(status("OFFLINE", at=T0 + 1), at=int(time.time()) + 1) == first | {"replayed": True}
        assert Station.objects.get().status == "ONLINE"


class ClockTests(StationCase):
    def test_stored_times_ahead_hold_nothing_back(self) -> None:
        """What a clock wrote that ran three hours ahead."""
        self.ok(full({1: "BANK-A"}, at=T0))
        ahead = timezone.now() + timedelta(hours=3)
        Station.objects.update(last_message_at=ahead)
        PowerBank.objects.update(seen_at=ahead)
        answer = self.ok(full({2: "BANK-A"}, at=T0 + 1))
        assert ("stale" in answer, answer["data"]["powerbanks_updated"]) == (False, 1)
        assert PowerBank.objects.get().current_slot.slot_number == 2  # type: ignore[union-attr]
        outcomes = set(SyncLog.objects.values_list("outcome", flat=True))
        assert outcomes == {"applied"}
