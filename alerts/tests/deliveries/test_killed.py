"""Runners killed at random moments, two at a time: nothing is sent twice but what says so, and nothing is lost."""

import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.utils import timezone

from alerts.channels.models import WEBHOOK, Channel
from alerts.deliveries.announcing import store
from alerts.deliveries.models import TEST, Delivery
from alerts.tests.killing import Forge
from alerts.tests.telling import channel
from telemetry.tests.cast import Site
from tests.support.length import length
from tests.support.sinks import HttpSink, http_sink, until

pytestmark = [pytest.mark.django_db(transaction=True)]

KILLS = length(12, 200)
CHANNELS = 4


@contextmanager
def two_runners() -> Iterator[Forge]:
    runners = Forge("send")
    try:
        runners.start()
        runners.start()
        yield runners
    finally:
        runners.close()


def to_send(channels: list[Channel], number: int) -> None:
    """One message more to each, that goes by itself."""
    now = timezone.now()
    rows = [
        Delivery(
            channel=of, person_id=of.person_id, key=f"{TEST}:{number}", type=TEST, at=now, data={"number": number},
            message=f"{of.pk:08d}{number:024d}", next_try=now,
        )
        for of in channels
    ]  # fmt: skip
    store(rows)


@pytest.mark.thorough
def test_two_runners_are_killed() -> None:
    chance = random.Random(16)
    site = Site.make()
    with http_sink() as sink:
        people = [site.olga.user, site.vera.user, site.mallory.user]
        now = timezone.now()
        channels = [
            channel(people[at % 3], now, kind=WEBHOOK, target=sink.url("/ok"), host=f"h{at}.example.com")
            for at in range(CHANNELS)
        ]
        number = 0
        with two_runners() as runners:
            until(lambda: _arrives(sink, channels), 60)
            for _ in range(KILLS):
                for _ in range(chance.randrange(1, 4)):
                    number += 1
                    to_send(channels, number)
                time.sleep(chance.uniform(0.05, 0.4))
                runners.kill()
                runners.start()
            _end(sink)
        came = Counter(post.headers["webhook-id"].removeprefix("msg_") for post in sink.posts)
    rows = dict(Delivery.objects.values_list("message", "maybe_twice"))
    assert came.keys() == rows.keys(), "something is lost, or was never to be sent"
    twice = {message for message, times in came.items() if times > 1}
    marked = {message for message, is_marked in rows.items() if is_marked}
    print(f"{KILLS} kills, {len(rows)} messages, {len(marked)} marked, {len(twice)} came twice")
    assert twice <= marked, "sent twice, and not marked"
    assert len(marked) <= KILLS * CHANNELS


def _end(sink: HttpSink) -> None:
    """Until all is sent, however slow this machine is now; not where nothing comes any more."""
    came, since = len(sink.posts), time.monotonic()
    while Delivery.objects.exclude(state="sent").exists():
        if len(sink.posts) > came:
            came, since = len(sink.posts), time.monotonic()
        left = Counter(Delivery.objects.values_list("state", "error"))
        assert time.monotonic() - since < 30, left
        time.sleep(0.2)


def _arrives(sink: HttpSink, channels: list[Channel]) -> bool:
    """Whether both have begun: the first message has come."""
    if not Delivery.objects.exists():
        to_send(channels, 0)
    return bool(sink.posts)
