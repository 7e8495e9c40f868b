"""What is large, or cold and slow, lets what is small go first, and is done in bounded pieces.

What says how both share one thread is about SQLite: on PostgreSQL each has its own.
"""

import threading
import time
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import CALL, Writer
from ozone.intake.lane import CALL_SECONDS
from ozone.intake.submission import LARGE_BYTES, LARGE_ROWS, LARGE_TOGETHER, ROW_BYTES
from ozone.intake.tests.conftest import ROWS, Store, row, stored


@pytest.mark.sqlite_only
def test_one_reading_waits_for_one_batch(writer: Writer, store: Store, busy: threading.Event) -> None:
    large = [writer.post(ROWS, row(number), rows=LARGE_TOGETHER) for number in range(1, 9)]
    heavy = writer.post(ROWS, row(9), size=LARGE_BYTES + 1)
    small = [writer.post(ROWS, row(number)) for number in (10, 11)]
    busy.set()
    assert [future.result(10) for future in (*large, heavy, *small)]
    assert store.batches == [[0], [10, 11], [1], [2], [3], [4], [5], [6], [7], [8], [9]]


@pytest.mark.sqlite_only
def test_what_is_not_very_large_shares_a_transaction(writer: Writer, store: Store, busy: threading.Event) -> None:
    futures = [writer.post(ROWS, row(number), rows=LARGE_TOGETHER // 2) for number in range(1, 4)]
    futures.append(writer.post(ROWS, row(4), rows=LARGE_ROWS + 1))
    busy.set()
    assert [future.result(10) for future in futures]
    assert store.batches == [[0], [1, 2], [3, 4]]


@pytest.mark.sqlite_only
def test_bytes_count_as_rows(writer: Writer, store: Store, busy: threading.Event) -> None:
    size = LARGE_TOGETHER * ROW_BYTES
    futures = [writer.post(ROWS, row(number), size=size // 2) for number in (1, 2, 3)]
    futures.append(writer.post(ROWS, row(4), size=2 * size))
    busy.set()
    assert [future.result(10) for future in futures]
    assert store.batches == [[0], [1, 2], [3], [4]]


@pytest.mark.sqlite_only
def test_a_row_of_a_heavy_kind_counts_as_several(writer: Writer, store: Store, request: pytest.FixtureRequest) -> None:
    writer.register("heavy", store, weight=2)
    busy: threading.Event = request.getfixturevalue("busy")
    futures = [writer.post("heavy", row(number), rows=LARGE_TOGETHER // 2) for number in (1, 2)]
    futures += [writer.post("heavy", row(number), rows=LARGE_TOGETHER // 4) for number in (3, 4)]
    busy.set()
    assert [future.result(10) for future in futures]
    assert store.batches == [[0], [1], [2], [3, 4]]


@pytest.mark.skipif(
    "sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite takes one writer at a time, and it has one"
)
@pytest.mark.parametrize("what", ["a batch", "a call"])
def test_neither_a_reading_nor_what_is_apart_waits_for_what_is_slow(writer: Writer, store: Store, what: str) -> None:
    inside, gate = threading.Event(), threading.Event()

    def slow(*_: Any) -> None:
        inside.set()
        assert gate.wait(10)

    def batches(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        slow()

    writer.register("batches", batches)
    writer.register("apart", lambda _, rows: rows, is_apart=True)
    future = writer.post(CALL, (slow, {})) if what == "a call" else writer.post("batches", None, rows=LARGE_ROWS + 1)
    assert inside.wait(5)
    assert writer.submit_and_wait(ROWS, row(1)) == "row 1"
    assert writer.submit_and_wait("apart", "a claim", rows=LARGE_ROWS + 1) == "a claim"
    assert not future.done()
    gate.set()
    assert future.result(5) is None


@pytest.mark.sqlite_only
def test_slow_calls_are_spread_over_transactions(writer: Writer, store: Store, busy: threading.Event) -> None:
    seen: list[list[int]] = []

    def slow() -> int:
        seen.append(elsewhere())
        time.sleep(CALL_SECONDS * 1.5)
        return len(seen)

    def elsewhere() -> list[int]:
        """What another connection sees: what has been committed."""
        found: list[int] = []

        def look() -> None:
            found.extend(stored())
            connection.close()

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return found

    calls = [writer.post(CALL, (slow, {})) for _ in range(4)]
    small = writer.post(ROWS, row(1))
    busy.set()
    assert small.result(10) == "row 1"
    assert [call.result(10) for call in calls] == [1, 2, 3, 4]  # in their order
    assert seen == [[0, 1]] * 4  # the reading waited for none of them


@pytest.mark.sqlite_only
@pytest.mark.sqlite_only
def test_what_is_small_does_not_overtake_for_ever(writer: Writer, store: Store) -> None:
    """Rows of which another one has come before the first is stored: the batch and the call have their turns."""
    order: list[str] = []
    others: list[Any] = []

    def again_and_again(connection: BaseDatabaseWrapper, rows: Any) -> None:
        if not order:
            others.append(writer.post(ROWS, row(1), rows=LARGE_TOGETHER))
            others.append(writer.post(CALL, (lambda: order.append("call"), {})))
            others[0].add_done_callback(lambda _: order.append("batch"))
        order.append("row")
        if len(order) < 30:
            others.append(writer.post("again", row(0)))

    writer.register("again", again_and_again)
    writer.post("again", row(0)).result(5)
    for other in others:
        other.result(5)
    assert max(order.index("call"), order.index("batch")) < 8


@pytest.mark.sqlite_only
def test_a_call_waits_for_one_batch(writer: Writer, store: Store, busy: threading.Event) -> None:
    """And a batch for the calls of one transaction, however many come."""

    def slow() -> list[int]:
        time.sleep(CALL_SECONDS * 1.5)
        return stored()

    large = [writer.post(ROWS, row(number), rows=LARGE_TOGETHER) for number in (1, 2, 3)]
    calls = [writer.post(CALL, (slow, {})) for _ in range(3)]
    busy.set()
    assert all(future.result(10) for future in large)
    assert [call.result(10) for call in calls] == [[0], [0, 1], [0, 1, 2]]


def test_a_call_is_not_overtaken_for_ever(writer: Writer) -> None:
    """Whoever calls again and again, over some connections, does so before the one that waits has had its turn."""
    ran: list[str] = []
    calls = []

    def again_and_again() -> None:
        time.sleep(CALL_SECONDS * 1.5)
        ran.append("again")
        if len(ran) < 20:
            calls.append(writer.post(CALL, (again_and_again, {})))

    def first() -> None:
        calls.extend(writer.post(CALL, (again_and_again, {})) for _ in range(2))
        calls.append(writer.post(CALL, (lambda: ran.append("once"), {})))

    writer.post(CALL, (first, {})).result(5)
    for call in calls:
        call.result(5)
    assert ran.index("once") == 2


def test_calls_that_are_quick_share_one(writer: Writer, store: Store, busy: threading.Event) -> None:
    calls = [writer.post(CALL, (lambda: 1, {})) for _ in range(50)]
    busy.set()
    assert [call.result(10) for call in calls] == [1] * 50
    assert writer.depth == 0


def test_the_end_waits_for_all(writer: Writer, store: Store, busy: threading.Event) -> None:
    futures = [writer.post(ROWS, row(number), rows=LARGE_TOGETHER) for number in range(1, 5)]
    futures += [writer.post(CALL, (lambda: time.sleep(CALL_SECONDS * 1.5), {})) for _ in range(3)]
    threading.Timer(0.2, busy.set).start()
    writer.stop()
    assert all(future.done() for future in futures)
    assert stored() == [0, 1, 2, 3, 4]
