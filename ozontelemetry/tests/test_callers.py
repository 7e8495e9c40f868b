"""How many requests of one caller are under way at once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ozontelemetry.callers import AT_ONCE, Callers, caller_of


class Requests:
    """Those that have begun, in this order, and a way to end them."""

    def __init__(self) -> None:
        self.callers = Callers()
        self.begun: list[str] = []
        self.ends: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def send(self, *names: str) -> None:
        """A request by each name; whose it is the name's first letter says."""
        for name in names:
            self.ends[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._request(name))
        await self.settle()

    async def end(self, *names: str) -> None:
        for name in names:
            self.ends[name].set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def _request(self, name: str) -> None:
        async with self.callers.one(name[0]):
            self.begun.append(name)
            await self.ends[name].wait()


def run(test: Callable[[Requests], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        requests = Requests()
        await test(requests)
        await requests.end(*requests.ends)
        assert (requests.callers._under_way, requests.callers._waiting) == ({}, {})

    asyncio.run(all_of_it())


OF_ONE = [f"a{number}" for number in range(AT_ONCE + 3)]


def test_a_few_of_one_caller_at_once_and_the_rest_in_order() -> None:
    async def test(requests: Requests) -> None:
        await requests.send(*OF_ONE)
        assert requests.begun == OF_ONE[:AT_ONCE]
        await requests.end("a1")
        assert requests.begun == OF_ONE[: AT_ONCE + 1]
        await requests.end("a0", "a2")
        assert requests.begun == OF_ONE

    run(test)


def test_others_do_not_wait_for_them() -> None:
    async def test(requests: Requests) -> None:
        await requests.send(*OF_ONE, "b0", "c0")
        assert requests.begun == [*OF_ONE[:AT_ONCE], "b0", "c0"]

    run(test)


def test_one_that_is_cancelled_while_it_waits_takes_no_place() -> None:
    async def test(requests: Requests) -> None:
        await requests.send(*OF_ONE)
        requests.tasks[OF_ONE[AT_ONCE]].cancel()
        await requests.end("a0")
        assert requests.begun == [*OF_ONE[:AT_ONCE], OF_ONE[AT_ONCE + 1]]

    run(test)


def test_one_that_is_cancelled_when_its_turn_has_come_passes_it_on() -> None:
    async def test(requests: Requests) -> None:
        await requests.send(*OF_ONE)
        requests.ends["a0"].set()
        for _ in range(10):
            if len(requests.callers._waiting["a"]) == 2:
                break
            await asyncio.sleep(0)
        requests.tasks[OF_ONE[AT_ONCE]].cancel()
        await requests.settle()
        assert requests.begun == [*OF_ONE[:AT_ONCE], OF_ONE[AT_ONCE + 1]]

    run(test)


def test_a_caller_is_known_by_what_it_shows() -> None:
    assert caller_of({"authorization": "Bearer x", "cookie": "sessionid=1"}, "10.0.0.1") == "x"
    assert caller_of({"cookie": "consent=yes; sessionid=1"}, "10.0.0.1") == "1"
    assert caller_of({"cookie": "consent=yes"}, "10.0.0.1") == "10.0.0.1"
    assert caller_of({}, "10.0.0.1") == "10.0.0.1"


def test_a_stranger_is_known_by_the_address_behind_our_proxy(settings: Any) -> None:
    settings.TRUSTED_PROXIES = ["10.0.0.1"]
    assert caller_of({"x-forwarded-for": "192.0.2.7"}, "10.0.0.1") == "192.0.2.7"
    assert caller_of({"x-forwarded-for": "192.0.2.7"}, "10.0.0.2") == "10.0.0.2"
    assert caller_of({"x-forwarded-for": "2001:db8::1"}, "10.0.0.1") == "2001:db8::/64"
