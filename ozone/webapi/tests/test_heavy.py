"""Heavy reads: two at once a person, four in all; the rest wait a little, and hold up nobody else."""

import threading
import time

import pytest
from django.contrib.auth.models import User
from django.utils.functional import SimpleLazyObject
from pytest_django import Settings

from ozone.webapi.heavy import MOST_WAITING, Places, person_of
from ozone.wire.conf import options
from ozone.wire.errors import TooManyRequests

pytestmark = pytest.mark.sqlite_only


@pytest.fixture
def places(settings: Settings) -> Places:
    settings.HEAVY_WAIT_SECONDS = 0.3
    return Places()


def test_two_of_a_person(places: Places) -> None:
    places.take("vera")
    places.take("vera")
    began = time.monotonic()
    with pytest.raises(TooManyRequests) as refused:
        places.take("vera")
    assert 0.3 <= time.monotonic() - began < 2
    assert refused.value.headers == {"Retry-After": "5"}
    places.take("otto")
    places.leave("vera")
    places.take("vera")


def test_by_a_page_and_by_the_api_one_is_the_same_person() -> None:
    """A page's request has its user looked up late."""
    vera = User(pk=5)
    assert person_of(SimpleLazyObject(lambda: vera)) == person_of(vera) != person_of(User(pk=6))


def test_the_contracts_wait() -> None:
    """Seconds, unless it is set."""
    assert options().HEAVY_WAIT_SECONDS == 5


def test_four_in_all(places: Places) -> None:
    for person in "aabb":
        places.take(person)
    with pytest.raises(TooManyRequests):
        places.take("c")
    places.leave("a")
    places.take("c")


def test_one_that_waits_gets_the_next_place(places: Places, settings: Settings) -> None:
    settings.HEAVY_WAIT_SECONDS = 10.0
    places.take("vera")
    places.take("vera")
    threading.Timer(0.2, places.leave, ["vera"]).start()
    began = time.monotonic()
    with places.one("vera"):
        assert time.monotonic() - began < 5


def test_more_than_a_few_do_not_even_wait(places: Places, settings: Settings) -> None:
    settings.HEAVY_WAIT_SECONDS = 2.0
    places.take("vera")
    places.take("vera")
    said: list[float] = []

    def wait() -> None:
        began = time.monotonic()
        with pytest.raises(TooManyRequests):
            places.take("vera")
        said.append(time.monotonic() - began)

    waiting = [threading.Thread(target=wait) for _ in range(MOST_WAITING + 3)]
    for one in waiting:
        one.start()
    for one in waiting:
        one.join()
    assert sorted(round(seconds) for seconds in said) == [0] * 3 + [2] * MOST_WAITING
