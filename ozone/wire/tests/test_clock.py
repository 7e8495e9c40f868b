"""A server's clock that is set is noticed; one that is slewed is not."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from ozone.wire.clock import ClockWatch, Jump

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"), [(10_800, "ahead by 10800 s"), (-10_800, "back by 10800 s"), (-61, "back by 61 s")]
)
def test_set(seconds: int, said: str, caplog: pytest.LogCaptureFixture) -> None:
    watch = ClockWatch()
    with time_machine.travel(NOON, tick=False) as server_time:
        watch.look()
        server_time.shift(timedelta(seconds=seconds))
        for _ in range(3):
            watch.look()
        found = watch.last()
    assert isinstance(found, Jump)
    assert found.at == NOON + timedelta(seconds=seconds)
    assert abs(found.seconds - seconds) < 1
    (record,) = caplog.records
    assert record.message.startswith(f"clock: the server's time was set {said}")


def test_slewed(caplog: pytest.LogCaptureFixture) -> None:
    watch = ClockWatch()
    with time_machine.travel(NOON, tick=False) as server_time:
        for _ in range(10):
            watch.look()
            server_time.shift(timedelta(seconds=50))
        assert watch.last() is None
    assert not caplog.records


def test_shown_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = ClockWatch()
    with time_machine.travel(NOON, tick=False) as server_time:
        watch.look()
        server_time.shift(timedelta(hours=3))
        assert watch.last() is not None
        monkeypatch.setattr("ozone.wire.clock.SHOWN_SECONDS", -1.0)
        assert watch.last() is None
