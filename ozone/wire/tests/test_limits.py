"""Rate limits: how many in how many seconds, and what the refusal says."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from pytest_django import Settings

from conftest import MonotonicClock
from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests
from ozone.wire.limits import Limit, _limiter, rate

LIMIT = Limit("failed_claims", lambda: options().LIMIT_FAILED_CLAIMS, "Too many.")
NOON = 1_800_000_000  # at the beginning of a minute


def refused(limit: Limit, *key: str) -> int:
    """Seconds to wait; 0: not refused."""
    try:
        limit.check(*key)
    except TooManyRequests as error:
        return int(error.headers["Retry-After"])
    return 0


def test_what_a_refusal_says(settings: Settings, limits_clock: MonotonicClock) -> None:
    settings.LIMIT_FAILED_CLAIMS = "1/300"
    LIMIT.hit("a")
    limits_clock.shift(74.4)
    with pytest.raises(TooManyRequests) as caught:
        LIMIT.hit("a")
    assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "226"})
    assert caught.value.body() == {"detail": "Too many. Try again in 3 min 46 s.", "code": "too_many_requests"}
    limits_clock.shift(226)
    LIMIT.hit("a")


def test_checks_count_nothing_and_counts_refuse_nothing(settings: Settings) -> None:
    settings.LIMIT_FAILED_CLAIMS = "2/60"
    with time_machine.travel(NOON, tick=False):
        for _ in range(5):
            assert refused(LIMIT, "a") == 0
        LIMIT.count("a")
        assert refused(LIMIT, "a") == 0
        LIMIT.count("a")
        assert 1 <= refused(LIMIT, "a") <= 60
        LIMIT.count("a")  # past it, too
        assert refused(LIMIT, "b") == 0
        LIMIT.clear("a")
        assert refused(LIMIT, "a") == 0


def test_hits_count_and_refuse(settings: Settings) -> None:
    settings.LIMIT_FAILED_CLAIMS = "3/60"
    with time_machine.travel(NOON, tick=False):
        for _ in range(3):
            LIMIT.hit("a", "x")
        with pytest.raises(TooManyRequests):
            LIMIT.hit("a", "x")
        LIMIT.hit("a", "y")


def test_after_the_wait_it_is_open_again(settings: Settings, limits_clock: MonotonicClock) -> None:
    settings.LIMIT_FAILED_CLAIMS = "1/60"
    LIMIT.hit("a")
    assert refused(LIMIT, "a") == 60
    limits_clock.shift(59.9)
    assert refused(LIMIT, "a") == 1
    limits_clock.shift(0.1)
    assert refused(LIMIT, "a") == 0
    LIMIT.hit("a")
    assert refused(LIMIT, "a") == 60


@pytest.mark.parametrize("hours", [3, -3])
def test_the_servers_time_is_set(settings: Settings, limits_clock: MonotonicClock, hours: int) -> None:
    """Back by three hours it made every limit refuse for three hours; ahead, every limit forget."""
    settings.LIMIT_FAILED_CLAIMS = "1/60"
    with time_machine.travel(NOON, tick=False) as server_time:
        LIMIT.hit("a")
        server_time.shift(timedelta(hours=hours))
        assert refused(LIMIT, "a") == 60
        limits_clock.shift(60)
        assert refused(LIMIT, "a") == 0


def test_memory_is_bounded(settings: Settings, limits_clock: MonotonicClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ozone.wire.limits.MOST_KEYS", 3)
    settings.LIMIT_FAILED_CLAIMS, settings.LIMIT_UNKNOWN_KEYS = "1/60", "1/10"
    other = Limit("unknown_keys", lambda: options().LIMIT_UNKNOWN_KEYS, "Too many.")
    for name in "abcde":
        LIMIT.hit(name)
        other.hit(name)
        limits_clock.shift(1)
    assert [bool(refused(LIMIT, name)) for name in "abcde"] == [False, False, True, True, True]
    assert len(_limiter("memory://", False)) == 6  # type: ignore[arg-type]
    limits_clock.shift(20)  # those of the other have ended: the next one takes their room
    other.hit("f")
    assert len(_limiter("memory://", False)) == 4  # type: ignore[arg-type]
    assert refused(LIMIT, "e") == 39


FLOW = Limit("handshakes", lambda: options().LIMIT_HANDSHAKES, "Too many.", flows=True)


def taken(limit: Limit, *key: str) -> bool:
    try:
        limit.hit(*key)
    except TooManyRequests:
        return False
    return True


def test_a_flow_gives_its_burst_and_then_its_rate(limits_clock: MonotonicClock) -> None:
    """The contract's 20 a second, bursts of 200; a window would refuse all that comes until it ends."""
    assert sum(taken(FLOW, "a") for _ in range(300)) == 200
    assert refused(FLOW, "a") == 1
    assert sum(_at_thirty_a_second(limits_clock)) == 60
    assert taken(FLOW, "b")
    limits_clock.shift(5)
    assert sum(taken(FLOW, "a") for _ in range(300)) == 100  # with what was left
    limits_clock.shift(3600)
    assert sum(taken(FLOW, "a") for _ in range(300)) == 200  # and no more than its burst


def _at_thirty_a_second(clock: MonotonicClock) -> Iterator[bool]:
    """Three seconds of it, and a little."""
    for _ in range(30):
        clock.shift(0.101)
        yield from (taken(FLOW, "a") for _ in range(3))


def test_a_flow_is_checked_refunded_and_forgotten_as_a_window(settings: Settings, limits_clock: MonotonicClock) -> None:
    settings.LIMIT_HANDSHAKES = "1/60"
    assert refused(FLOW, "a") == 0
    FLOW.hit("a")
    assert refused(FLOW, "a") == 60
    FLOW.refund("a")
    FLOW.hit("a")
    FLOW.clear("a")
    FLOW.hit("a")
    limits_clock.shift(59.9)
    assert refused(FLOW, "a") == 1


def test_memory_of_flows_is_bounded(limits_clock: MonotonicClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ozone.wire.limits.MOST_KEYS", 3)
    for name in "aaabcad":
        FLOW.hit(name)
    assert len(_limiter("memory://", True)) == 3  # type: ignore[arg-type]
    limits_clock.shift(60)
    FLOW.hit("e")
    assert len(_limiter("memory://", True)) == 1  # type: ignore[arg-type]


def test_refunds(settings: Settings, limits_clock: MonotonicClock) -> None:
    settings.LIMIT_FAILED_CLAIMS = "1/60"
    LIMIT.hit("a")
    LIMIT.refund("a")
    LIMIT.hit("a")
    limits_clock.shift(60)
    LIMIT.refund("a")  # of a window that has ended: nothing to give back
    LIMIT.hit("a")
    assert refused(LIMIT, "a") == 60


def test_limits_of_different_names_do_not_meet(settings: Settings) -> None:
    settings.LIMIT_FAILED_CLAIMS = settings.LIMIT_UNKNOWN_KEYS = "1/60"
    other = Limit("unknown_keys", lambda: options().LIMIT_UNKNOWN_KEYS, "Too many.")
    LIMIT.hit("a")
    other.hit("a")
    assert refused(LIMIT, "a")


@pytest.mark.parametrize("wait", [-5, 0, 0.2, 1])
def test_retry_after_is_at_least_a_second(wait: float) -> None:
    assert TooManyRequests(wait).headers == {"Retry-After": "1"}
    assert TooManyRequests(wait).detail == "Too many requests. Try again in 1 s."


def test_the_defaults_of_the_contract() -> None:
    assert rate(options().LIMIT_FAILED_CLAIMS) == (20, 60)
    assert rate(options().LIMIT_DEVICE_WRITES) == (2000, 10)
    assert rate(options().LIMIT_HANDSHAKES) == rate(options().LIMIT_LEGACY) == (200, 10)
    assert rate(options().LIMIT_SIGN_IN_PAIR) == (10, 300)
    assert rate(options().LIMIT_SIGN_IN_ADDRESS) == (100, 300)
    assert rate(options().LIMIT_REGISTRATIONS) == (10, 3600)
    assert rate(options().LIMIT_PERSON_CALLS) == (500, 10)


@pytest.mark.parametrize("text", ["", "20", "20/", "a/b", "20/60/1", "20 per minute", "0/60", "20/0", "-1/60"])
def test_unusable(settings: Settings, text: str) -> None:
    settings.LIMIT_FAILED_CLAIMS = text
    with pytest.raises(ValueError):
        rate(options().LIMIT_FAILED_CLAIMS)
