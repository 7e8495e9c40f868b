"""Submissions from an event loop: the same promises as from a thread."""

import asyncio
import threading

import pytest
from pytest_django import Settings

from ozone import intake
from ozone.intake import Writer
from ozone.intake.tests.conftest import ROWS, row, stored
from ozone.wire.errors import Conflict, Unavailable


def test_it_works(writer: Writer) -> None:
    async def send() -> list[str]:
        return await asyncio.gather(*(writer.submit(ROWS, row(number)) for number in range(50)))

    assert asyncio.run(send()) == [f"row {number}" for number in range(50)]
    assert stored() == list(range(50))


def test_an_error_arrives_where_it_is_awaited(writer: Writer, busy: threading.Event, settings: Settings) -> None:
    settings.WRITE_QUEUE_SECONDS = 0.1

    async def send() -> None:
        future = writer.submit(ROWS, row(1))
        await asyncio.sleep(0.2)
        busy.set()
        with pytest.raises(Unavailable) as caught:
            await future
        assert caught.value.code == "queued_too_long"

    asyncio.run(send())


def test_no_answer_in_time(writer: Writer, busy: threading.Event, settings: Settings) -> None:
    settings.WRITE_REPLY_SECONDS = 0.2

    async def send() -> None:
        with pytest.raises(Unavailable) as caught:
            await writer.submit(ROWS, row(1))
        assert caught.value.code == "commit_timeout"

    asyncio.run(send())


def test_a_full_queue_is_told_at_once(writer: Writer, busy: threading.Event, settings: Settings) -> None:
    settings.WRITE_QUEUE_BYTES = 1024

    async def send() -> None:
        with pytest.raises(Unavailable) as caught:
            writer.submit(ROWS, row(1))
        assert caught.value.code == "queue_full"

    asyncio.run(send())


def test_a_caller_that_left_leaves_the_others_alone(writer: Writer, busy: threading.Event) -> None:
    async def send() -> str:
        left, stays = writer.submit(ROWS, row(1)), writer.submit(ROWS, row(2))
        left.cancel()
        busy.set()
        result: str = await stays
        return result

    assert asyncio.run(send()) == "row 2"
    assert writer.submit_and_wait(ROWS, row(3)) == "row 3"
    assert stored() == [0, 1, 2, 3]


def test_a_loop_that_closed_meanwhile_does_not_end_the_thread(writer: Writer, busy: threading.Event) -> None:
    async def send() -> None:
        writer.submit(ROWS, row(1))

    asyncio.run(send())
    busy.set()
    assert writer.submit_and_wait(ROWS, row(2)) == "row 2"
    assert stored() == [0, 1, 2]


def test_services_by_either_way(write_path: None) -> None:
    def service(*, number: int) -> int:
        if number < 0:
            raise Conflict("Below zero.", code="negative")
        return number * 2

    async def send() -> tuple[int, str]:
        doubled = await intake.call(service, number=21)
        with pytest.raises(Conflict) as caught:
            await intake.call(service, number=-1)
        return doubled, caught.value.code

    assert asyncio.run(send()) == (42, "negative")
    assert intake.call_and_wait(service, number=4) == 8
    with pytest.raises(Conflict):
        intake.call_and_wait(service, number=-1)
