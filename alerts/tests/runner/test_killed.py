"""Whole runners killed at random moments: another leads soon, and of each incident people hear once that it began and
once that it ended.

By day two of `manage.py alerts`, forked, with a short lease; with LONG_TESTS=1 two real ones and a server, 200 times.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from django.db.models import QuerySet
from django.utils import timezone

from alerts.channels.models import WEBHOOK
from alerts.conditions.models import Beat, Watch
from alerts.conditions.silence import SILENT
from alerts.deliveries.models import Delivery
from alerts.incidents.happening import ENDED, OPENED
from alerts.incidents.models import Incident
from alerts.tests.fleet import HOUR, SECOND, Fleet
from alerts.tests.killing import Commands, Forge
from alerts.tests.telling import channel
from bench.ports import free_port
from device_gateway.leading import Lease
from device_gateway.models import DeviceState
from tests.support.length import IS_LONG, length
from tests.support.sinks import HttpSink, http_sink, until

pytestmark = [pytest.mark.django_db(transaction=True)]

KILLS = length(4, 200)
SOON = 10.0
"""Seconds within which another leads; asked of real leases only, and of nine in ten: machines are busy."""
PATIENCE = 240
"""Seconds that anything may take on a machine that has."""


@contextmanager
def runners() -> Iterator[Any]:
    commands = Commands(["alerts"], ["alerts"], ["serve"])
    with closing(commands if IS_LONG else Forge("alerts")) as some:
        for _ in range(3 if IS_LONG else 2):
            some.start()
        yield some


@pytest.mark.thorough
def test_whoever_is_killed_another_tells_it_once(monkeypatch: pytest.MonkeyPatch, django_user_model: Any) -> None:
    for name, value in {
        "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        "ALERT_ESCALATION_MINUTES": "0",
        "ALLOW_PLAIN_HTTP": "1",
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
    }.items():
        monkeypatch.setenv(name, value)
    chance = random.Random(16)
    some = Fleet(*[5] * (KILLS + 2), start=timezone.now())
    now = timezone.now()
    Beat.objects.create(at=now, counting_from=now - 5 * HOUR)
    taken = []
    with http_sink() as sink, closing(some):
        staff = django_user_model.objects.create_user("sue", is_staff=True)
        channel(staff, now, kind=WEBHOOK, target=sink.url("/ok"), conditions=[SILENT])
        with runners() as alive:
            until(lambda: lease() is not None, PATIENCE)
            for number in range(KILLS):
                falls_silent(some, number)
                if number > 1:
                    until(lambda: has_opened(some, number - 2), PATIENCE)  # noqa: B023 - asked within the round
                    is_heard(some, number - 2)
                time.sleep(chance.uniform(0.05, 0.5))
                taken.append(led_again_after(alive, chance))
            for number in range(KILLS):
                until(lambda: has_opened(some, number), PATIENCE)  # noqa: B023
                is_heard(some, number)
            until(lambda: not silent().filter(ended_at=None).exists(), PATIENCE)
            until(lambda: not Delivery.objects.exclude(state="sent").exists(), PATIENCE)
    assert Counter(silent().values_list("times", flat=True)) == {1: KILLS}
    told = Delivery.objects.values_list("type", "incident")
    assert len(set(told)) == len(told)
    assert Counter(kind for kind, _ in told) == {OPENED: KILLS, ENDED: KILLS}
    came = heard(sink)
    marked = set(Delivery.objects.filter(maybe_twice=True).values_list("type", "incident"))
    print(f"{KILLS} kills, {len(marked)} marked, {sum(came.values())} came; led again after", sorted(taken)[::-1][:20])
    assert came.keys() == set(told), "something is lost"
    assert {what for what, times in came.items() if times > 1} <= marked, "sent twice, and not marked"
    if IS_LONG:
        assert sorted(taken)[KILLS * 9 // 10] <= SOON


def silent() -> "QuerySet[Incident]":
    return Incident.objects.filter(kind=SILENT)


def has_opened(some: Fleet, place: int) -> bool:
    if silent().filter(outlet=some.outlets[place]).exists():
        return True
    # A runner may have read just before that it was heard, which the test has taken back, and look in an hour only.
    now = timezone.now()
    Watch.objects.filter(device=some.devices[place * 5].pk, alert_after__gt=now).update(alert_after=now - SECOND)
    return False


def led_again_after(alive: Any, chance: random.Random) -> float:
    """Kills one of them, and begins another; seconds until whoever leads has said so."""
    alive.kill(chance.randrange(len(alive.alive)))
    before, began = lease(), time.monotonic()
    alive.start()
    until(lambda: lease() != before, PATIENCE)
    return time.monotonic() - began


def lease() -> Any:
    return Lease.objects.filter(name="alerts").values_list("until", flat=True).first()


def falls_silent(some: Fleet, place: int) -> None:
    """One machine of that outlet, two hours ago, and it is time to look at it. The others are heard."""
    now = timezone.now()
    DeviceState.objects.filter(last_poll__lt=now, last_poll__gt=now - HOUR).update(last_poll=now)
    device = some.devices[place * 5].pk
    DeviceState.objects.filter(device=device).update(last_poll=now - 2 * HOUR)
    Watch.objects.update_or_create(device_id=device, defaults={"alert_after": now - SECOND})


def is_heard(some: Fleet, place: int) -> None:
    DeviceState.objects.filter(device=some.devices[place * 5].pk).update(last_poll=timezone.now())


def heard(sink: HttpSink) -> Counter[tuple[str, int]]:
    """How often each happening came: of one message with several each of them."""
    came: Counter[tuple[str, int]] = Counter()
    for post in sink.posts:
        said = post.json()
        for one in said["data"]["happenings"] if said["type"] == "several" else [said]:
            came[one["type"], one["data"]["id"]] += 1
    return came
