"""What is large, or cold and slow, lets what is small go first, and is done in bounded pieces."""

import threading
import time

from django.db import connection

from ozone.intake import CALL, Writer
from ozone.intake.tests.conftest import ROWS, Store, row, stored
from ozone.intake.writer import CALL_SECONDS, LARGE_BYTES, LARGE_ROWS, LARGE_TOGETHER


def test_one_reading_waits_for_one_batch(writer: Writer, store: Store, busy: threading.Event) -> None:
    large = [writer.post(ROWS, row(number), rows=LARGE_TOGETHER) for number in range(1, 9)]
    heavy = writer.post(ROWS, row(9), size=LARGE_BYTES + 1)
    small = [writer.post(ROWS, row(number)) for number in (10, 11)]
    busy.set()
    assert [future.result(10) for future in (*large, heavy, *small)]
    assert store.batches == [[0], [10, 11], [1], [2], [3], [4], [5], [6], [7], [8], [9]]


def test_what_is_not_very_large_shares_a_transaction(writer: Writer, store: Store, busy: threading.Event) -> None:
    futures = [writer.post(ROWS, row(number), rows=LARGE_TOGETHER // 2) for number in range(1, 4)]
    futures.append(writer.post(ROWS, row(4), rows=LARGE_ROWS + 1))
    busy.set()
    assert [future.result(10) for future in futures]
    assert store.batches == [[0], [1, 2], [3, 4]]


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
    assert seen == [[0], [0, 1], [0, 1], [0, 1]]  # the reading was committed after the first of them


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
