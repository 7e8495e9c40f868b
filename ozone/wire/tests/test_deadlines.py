"""The one timer of an event loop: what is late ends, what is in time is left alone."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ozone.wire.deadlines import Deadlines, deadlines
from ozone.wire.errors import Unavailable


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(coroutine, 10))


def test_one_for_each_loop() -> None:
    async def found() -> Deadlines:
        assert deadlines() is deadlines()
        return deadlines()

    assert run(found()) is not run(found())


def test_a_late_future_ends_with_its_error() -> None:
    async def late() -> None:
        future = asyncio.get_running_loop().create_future()
        deadlines().add(future, 0.05, lambda: Unavailable(code="commit_timeout"))
        with pytest.raises(Unavailable) as caught:
            await future
        assert caught.value.code == "commit_timeout"

    run(late())


def test_a_future_that_was_done_in_time_keeps_its_result() -> None:
    async def in_time() -> None:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(3)]
        for future in futures:
            deadlines().add(future, 0.05, Unavailable)
        futures[1].set_result("stored")  # behind one that is late
        await asyncio.sleep(0.6)
        assert futures[1].result() == "stored"
        assert isinstance(futures[0].exception(), Unavailable)
        assert isinstance(futures[2].exception(), Unavailable)

    run(in_time())


def test_within() -> None:
    async def body() -> None:
        assert await deadlines().within(5, asyncio.sleep(0, "read")) == "read"
        with pytest.raises(TimeoutError):
            await deadlines().within(0.05, asyncio.sleep(30))
        # The task goes on as if nothing had happened.
        await asyncio.sleep(0.3)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    run(body())


def test_an_error_inside_comes_out_as_it_is() -> None:
    async def fails() -> None:
        raise LookupError

    async def body() -> None:
        with pytest.raises(LookupError):
            await deadlines().within(5, fails())

    run(body())


def test_a_cancelled_task_is_cancelled_and_not_late() -> None:
    async def body() -> str:
        waiting = asyncio.create_task(deadlines().within(5, asyncio.sleep(30)))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return "cancelled"

    assert run(body()) == "cancelled"


def test_many_wait_at_once() -> None:
    async def body() -> None:
        async def wait(number: int) -> str:
            try:
                await deadlines().within(0.05 if number % 2 else 5, asyncio.sleep(0.8))
            except TimeoutError:
                return "late"
            return "in time"

        outcomes = await asyncio.gather(*(wait(number) for number in range(50)))
        assert outcomes == ["in time", "late"] * 25

    run(body())
