"""The writer with real transactions: what is answered is committed, and what fails fails alone."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorDebugWrapper
from pytest_django import Settings

from ozone.intake import CALL, Writer
from ozone.intake.sql import BulkInsert
from ozone.intake.tests.conftest import ROWS, Item, Store, row, stored
from ozone.wire.errors import ApiError, Conflict, Unavailable


def outcome(future: "Future[Any]") -> Any:
    """The result, or status and code of the error."""
    error = future.exception(10)
    if error is None:
        return future.result()
    assert isinstance(error, ApiError), error
    return error.status, error.code


def test_it_works(writer: Writer) -> None:
    assert writer.submit_and_wait(ROWS, row(1)) == "row 1"
    assert stored() == [1]


def test_nobody_hears_before_the_commit(writer: Writer, store: Store) -> None:
    store.gate.clear()
    future = writer.post(ROWS, row(1))
    assert store.inside.wait(5)  # the row is inserted, and not committed
    assert not future.done()
    assert stored() == []
    store.gate.set()
    assert future.result(5) == "row 1"
    assert stored() == [1]


def test_a_row_is_there_when_its_callback_runs(writer: Writer) -> None:
    seen: list[list[int]] = []
    done = threading.Event()

    def from_elsewhere() -> None:
        seen.append(stored())
        connection.close()

    def look(_: Any) -> None:
        thread = threading.Thread(target=from_elsewhere)
        thread.start()
        thread.join()
        done.set()

    writer.post(ROWS, row(1)).add_done_callback(look)
    assert done.wait(5)
    assert seen == [[1]]


def test_what_waits_together_is_stored_together(writer: Writer, store: Store, busy: threading.Event) -> None:
    futures = [writer.post(ROWS, row(number)) for number in range(1, 101)]
    assert writer.depth == 100
    busy.set()
    assert [future.result(5) for future in futures] == [f"row {number}" for number in range(1, 101)]
    assert store.batches == [[0], list(range(1, 101))]
    assert writer.depth == 0


class TestPoison:
    """A row that the database refuses, among many: an error for it, and the others are stored."""

    @pytest.mark.each_case
    @pytest.mark.parametrize("at", [1, 37, 100])
    @pytest.mark.parametrize(
        ("bad", "expected"),
        [
            ({"text": "text 0"}, (400, "unstorable")),  # taken
            ({"number": -1}, (400, "unstorable")),  # a CHECK
            # Of our schema, and not of what was sent: a 4xx would make the sender throw it away.
            ({"text": None}, (503, "unavailable")),  # NOT NULL, at once
            ({"parent": 4711}, (503, "unavailable")),  # a foreign key, refused at COMMIT only
        ],
    )
    def test_one_among_a_hundred(
        self, writer: Writer, busy: threading.Event, at: int, bad: dict[str, Any], expected: tuple[int, str]
    ) -> None:
        futures = {n: writer.post(ROWS, row(n, **(bad if n == at else {}))) for n in range(1, 101)}
        busy.set()
        assert outcome(futures.pop(at)) == expected
        assert {number: outcome(future) for number, future in futures.items()} == {n: f"row {n}" for n in futures}
        assert stored() == [0, *futures]

    def test_several(self, writer: Writer, busy: threading.Event) -> None:
        futures = {n: writer.post(ROWS, row(n, number=-1 if n % 7 == 0 else 1)) for n in range(1, 50)}
        busy.set()
        for number, future in futures.items():
            assert outcome(future) == ((400, "unstorable") if number % 7 == 0 else f"row {number}")
        assert stored() == [0] + [n for n in futures if n % 7]

    def test_all_alone(self, writer: Writer) -> None:
        assert outcome(writer.post(ROWS, row(1, number=-1))) == (400, "unstorable")
        assert outcome(writer.post(ROWS, row(1))) == "row 1"

    @pytest.mark.parametrize("value", [(2**80, "a"), (1, "\ud800")])
    def test_what_the_database_cannot_hold(self, writer: Writer, value: tuple[int, str]) -> None:
        statement = BulkInsert(Item, ("id", "text"))
        writer.register("items", lambda connection, rows: statement.run(connection, rows) and None)
        assert outcome(writer.post("items", value)) == (400, "unstorable")
        assert outcome(writer.post("items", (2, "b"))) is None
        assert stored() == [2]

    def test_what_is_too_long(self, writer: Writer) -> None:
        """Only PostgreSQL minds the length."""
        expected = (400, "unstorable") if connection.vendor == "postgresql" else "row 1"
        assert outcome(writer.post(ROWS, row(1, text="x" * 101))) == expected

    def test_a_fault_of_ours_is_500_and_fails_alone(self, writer: Writer, store: Store, busy: threading.Event) -> None:
        store.errors = {2: ValueError("a bug")}
        futures = [writer.post(ROWS, row(number)) for number in (1, 2, 3)]
        busy.set()
        assert [outcome(future) for future in futures] == ["row 1", (500, "internal_error"), "row 3"]
        assert stored() == [0, 1, 3]

    def test_a_table_that_is_not_there_is_not_the_devices_fault(self, writer: Writer) -> None:
        """A 4xx would make it throw its readings away."""

        def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO intake_no_such_table VALUES (1)")

        writer.register("lost", store)
        assert outcome(writer.post("lost", None)) == (503, "unavailable")


class TestTrouble:
    def test_a_database_that_fails_is_503_for_all(self, writer: Writer, store: Store, busy: threading.Event) -> None:
        store.errors = {2: OperationalError("disk full")}
        futures = [writer.post(ROWS, row(number)) for number in (1, 2, 3)]
        busy.set()
        assert [outcome(future) for future in futures] == [(503, "unavailable")] * 3
        assert store.batches[1:] == [[1, 2, 3]]  # tried once, and not row by row
        for future in futures:
            error = future.exception()
            assert isinstance(error, Unavailable)
            assert 1 <= int(error.headers["Retry-After"]) <= 5
        assert stored() == [0]
        store.errors = {}
        assert outcome(writer.post(ROWS, row(1))) == "row 1"

    def test_every_waiter_has_an_exception_of_its_own(
        self, writer: Writer, store: Store, busy: threading.Event
    ) -> None:
        store.errors = {1: OperationalError("gone")}
        futures = [writer.post(ROWS, row(number)) for number in (1, 2)]
        busy.set()
        assert futures[0].exception(5) is not futures[1].exception(5)

    @pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), MemoryError(), RecursionError()])
    def test_nothing_ends_the_thread(self, writer: Writer, store: Store, error: BaseException) -> None:
        store.errors = {1: error}
        assert outcome(writer.post(ROWS, row(1))) == (500, "internal_error")
        assert writer.is_healthy
        store.errors = {}
        assert outcome(writer.post(ROWS, row(2))) == "row 2"
        assert stored() == [2]

    def test_a_kind_that_nobody_stores_is_never_called_stored(self, writer: Writer) -> None:
        with pytest.raises(LookupError):
            writer.post("no such kind", row(1))

    def test_a_waiter_that_left(self, writer: Writer, busy: threading.Event) -> None:
        left, stays = writer.post(ROWS, row(1)), writer.post(ROWS, row(2))
        assert left.cancel()
        busy.set()
        assert outcome(stays) == "row 2"
        assert writer.is_healthy
        assert outcome(writer.post(ROWS, row(3))) == "row 3"


class TestQueue:
    def test_full(self, writer: Writer, busy: threading.Event, settings: Settings) -> None:
        settings.WRITE_QUEUE_BYTES = 10_000
        big = writer.post(ROWS, row(1), size=8_000)
        with pytest.raises(Unavailable) as caught:
            writer.post(ROWS, row(2))  # the smallest counts a kilobyte, and one more is in the transaction
        assert caught.value.code == "queue_full"
        assert 1 <= int(caught.value.headers["Retry-After"]) <= 5
        busy.set()
        assert outcome(big) == "row 1"
        writer.stop()
        assert outcome(writer.post(ROWS, row(2), size=9_000)) == "row 2"  # all of it was given back
        assert stored() == [0, 1, 2]

    def test_a_fleet_does_not_come_back_as_one(self) -> None:
        assert len({Unavailable().headers["Retry-After"] for _ in range(100)}) > 1

    def test_queued_too_long(self, writer: Writer, busy: threading.Event, settings: Settings) -> None:
        settings.WRITE_QUEUE_SECONDS = 1.5  # what comes last must not become late on a busy machine
        late = [writer.post(ROWS, row(number)) for number in (1, 2)]
        assert not threading.Event().wait(1.6)
        fresh = writer.post(ROWS, row(3))
        busy.set()
        assert [outcome(future) for future in late] == [(503, "queued_too_long")] * 2
        assert outcome(fresh) == "row 3"
        assert stored() == [0, 3]

    def test_no_answer_in_time(self, writer: Writer, busy: threading.Event, settings: Settings) -> None:
        settings.WRITE_REPLY_SECONDS = 0.2
        with pytest.raises(Unavailable) as caught:
            writer.submit_and_wait(ROWS, row(1))
        assert caught.value.code == "commit_timeout"

    def test_two_threads(self, writer: Writer) -> None:
        outcomes: list[Any] = []

        def send(numbers: range) -> None:
            outcomes.extend([writer.submit_and_wait(ROWS, row(number)) for number in numbers])

        threads = [threading.Thread(target=send, args=[range(start, 400, 2)]) for start in (0, 1)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sorted(outcomes) == sorted(f"row {number}" for number in range(400))
        assert stored() == list(range(400))


class TestStop:
    def test_it_commits_what_waits(self, writer: Writer, store: Store, busy: threading.Event) -> None:
        futures = [writer.post(ROWS, row(number)) for number in (1, 2, 3)]
        busy.set()
        writer.stop()
        assert all(future.done() for future in futures)
        assert stored() == [0, 1, 2, 3]
        assert writer.is_healthy

    def test_the_next_submission_starts_another(self, writer: Writer) -> None:
        for number in (1, 2, 3):
            assert writer.submit_and_wait(ROWS, row(number)) == f"row {number}"
            writer.stop()
        writer.stop()
        assert stored() == [1, 2, 3]

    def test_its_connection_is_closed(self, writer: Writer) -> None:
        held: list[BaseDatabaseWrapper] = []

        def store(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
            held.append(connection)

        writer.register("look", store)
        writer.submit_and_wait("look", None)
        assert held[0].connection is not None
        writer.stop()
        assert held[0].connection is None


def test_development_logs_none_of_its_queries(writer: Writer, settings: Settings) -> None:
    settings.DEBUG = True
    found: list[tuple[bool, int]] = []

    def look(connection: BaseDatabaseWrapper, rows: list[Any]) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            found.append((isinstance(cursor, CursorDebugWrapper), len(connection.queries_log)))

    writer.register("look", look)
    for _ in range(3):
        writer.submit_and_wait("look", None)
    assert found == [(False, 0)] * 3


def test_kinds_are_stored_in_the_order_of_their_registration(writer: Writer, store: Store) -> None:
    order: list[str] = []

    def storing(kind: str) -> Callable[[BaseDatabaseWrapper, list[Any]], None]:
        return lambda connection, rows: order.append(kind)

    for kind in ("second", "third"):
        writer.register(kind, storing(kind))
    store.gate.clear()
    writer.post(ROWS, row(0))
    assert store.inside.wait(5)
    futures = [writer.post(kind, None) for kind in ("third", "second", "third")]
    store.gate.set()
    assert [future.result(5) for future in futures] == [None] * 3
    assert order == ["second", "third"]


class TestCall:
    """Cold writes in the writer's transaction, each under a savepoint."""

    @staticmethod
    def service(*, number: int, error: Exception | None = None) -> str:
        with connection.cursor() as cursor:
            cursor.execute("INSERT INTO intake_test (id, text) VALUES (%s, %s)", [number, f"call {number}"])
        if error is not None:
            raise error
        return f"called {number}"

    def call(self, writer: Writer, **arguments: Any) -> "Future[Any]":
        return writer.post(CALL, (self.service, arguments))

    def test_it_works(self, writer: Writer) -> None:
        assert outcome(self.call(writer, number=1)) == "called 1"
        assert stored() == [1]

    @pytest.mark.parametrize(
        ("error", "expected"),
        [
            (Conflict("Taken.", code="taken"), (409, "taken")),
            (ValueError("a bug"), (500, "internal_error")),
        ],
    )
    def test_an_error_of_one_leaves_the_others(
        self, writer: Writer, busy: threading.Event, error: Exception, expected: tuple[int, str]
    ) -> None:
        futures = [
            self.call(writer, number=1),
            self.call(writer, number=2, error=error),
            self.call(writer, number=3),
            writer.post(ROWS, row(4)),
        ]
        busy.set()
        assert [outcome(future) for future in futures] == ["called 1", expected, "called 3", "row 4"]
        assert stored() == [0, 1, 3, 4]

    def test_what_the_database_refuses(self, writer: Writer, busy: threading.Event) -> None:
        futures = [self.call(writer, number=1), self.call(writer, number=1), self.call(writer, number=2)]
        busy.set()
        assert [outcome(future) for future in futures] == ["called 1", (400, "unstorable"), "called 2"]

    def test_a_poison_row_beside_it_lets_it_run_once(self, writer: Writer, busy: threading.Event) -> None:
        futures = [writer.post(ROWS, row(1, parent=4711)), self.call(writer, number=2), writer.post(ROWS, row(3))]
        busy.set()
        assert [outcome(future) for future in futures] == [(503, "unavailable"), "called 2", "row 3"]
        assert stored() == [0, 2, 3]

    @pytest.mark.sqlite_only
    def test_a_failing_database_is_503_for_all(self, writer: Writer, busy: threading.Event) -> None:
        """Of one transaction; on PostgreSQL calls have one of their own."""
        row_of_another = writer.post(ROWS, row(2))
        futures = [self.call(writer, number=1, error=OperationalError("locked")), self.call(writer, number=3)]
        busy.set()
        assert [outcome(future) for future in futures] == [(503, "unavailable")] * 2
        assert row_of_another.result(5) == "row 2"
        assert stored() == [0, 2]
