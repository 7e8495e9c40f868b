"""Messages without a `timestamp` speak of the moment they were signed, by the sender's clock, not by ours."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from stations.models import PowerBank, Station
from stations.tests.cast import StationCase, full, returned, status


def untimed(message: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in message.items() if name != "timestamp"}


class UntimedTests(StationCase):
    def setUp(self) -> None:
        super().setUp()
        self.partner = int(time.time()) - 120
        """What the partner's clock says: it is two minutes behind."""
        self.ok(full({1: "BANK-A"}, at=self.partner - 10), at=self.partner)

    def test_a_snapshot_after_an_untimed_status_is_not_older(self) -> None:
        self.ok(untimed(status("OFFLINE")), at=self.partner)
        answer = self.ok(full({2: "BANK-A"}, at=self.partner), at=self.partner)
        assert "stale" not in answer
        assert PowerBank.objects.get().current_slot.slot_number == 2  # type: ignore[union-attr]
        assert Station.objects.get().status == "ONLINE"

    def test_a_snapshot_of_another_station_after_an_untimed_return(self) -> None:
        self.ok(untimed(returned("BANK-A", 3)), at=self.partner)
        answer = self.ok(full({1: "BANK-A"}, serial="elsewhere", at=self.partner + 1), at=self.partner + 1)
        assert answer["data"]["powerbanks_updated"] == 1

    def test_one_from_before_is_older(self) -> None:
        self.ok(untimed(status("OFFLINE")), at=self.partner)
        assert self.ok(full(at=self.partner - 1), at=self.partner)["stale"] is True

    def test_it_is_never_stale_itself(self) -> None:
        ahead = int(time.time()) + 500
        self.ok(full({1: "BANK-A"}, at=ahead))
        assert self.ok(untimed(status("MAINTENANCE")))["data"]["status_changed"] is True
        assert Station.objects.get().last_message_at == datetime.fromtimestamp(ahead, UTC)

    def test_a_clock_that_runs_ahead_is_believed_for_ten_minutes(self) -> None:
        with self.settings(IOT_SYSTEM_SIGNATURE_TIMEOUT=10**12):
            self.ok(untimed(status("OFFLINE")), at=999_999_999_999)
        moment = Station.objects.get().last_message_at
        assert moment is not None
        assert abs(moment - datetime.now(UTC) - timedelta(minutes=10)) < timedelta(seconds=30)
