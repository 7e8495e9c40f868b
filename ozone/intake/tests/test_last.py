"""What is written last: once, in one order, and nothing of what failed."""

from typing import Any

import pytest
from django.db import connection

from ozone.intake.last import LastWrites

Written = list[tuple[str, list[Any]]]


@pytest.fixture
def written() -> Written:
    return []


@pytest.fixture
def stores(written: Written) -> dict[str, Any]:
    return {name: lambda _, rows, name=name: written.append((name, rows)) for name in ("states", "versions")}


@pytest.fixture
def last(stores: dict[str, Any]) -> LastWrites:
    last = LastWrites()
    for store in stores.values():
        last.register(store)
    return last


def test_outside_a_transaction_of_the_writer_at_once(
    last: LastWrites, stores: dict[str, Any], written: Written
) -> None:
    last.add(connection, stores["states"], [1])
    last.add(connection, stores["states"], [])
    assert written == [("states", [1])]


def test_in_one_by_one_statement_a_table_in_one_order(
    last: LastWrites, stores: dict[str, Any], written: Written
) -> None:
    with last.gather(connection):
        last.add(connection, stores["versions"], [1])
        last.add(connection, stores["states"], [2])
        with last.gather(connection):
            last.add(connection, stores["states"], [3])
        assert written == []
    assert written == [("states", [2, 3]), ("versions", [1])]


def test_nothing_of_what_failed(last: LastWrites, stores: dict[str, Any], written: Written) -> None:
    def fails(number: int) -> None:
        with last.gather(connection):
            last.add(connection, stores["states"], [number])
            raise LookupError

    with last.gather(connection):
        last.add(connection, stores["states"], [1])
        with pytest.raises(LookupError):
            fails(2)
    assert written == [("states", [1])]
    with pytest.raises(LookupError):
        fails(3)
    last.add(connection, stores["states"], [4])
    assert written == [("states", [1]), ("states", [4])]
