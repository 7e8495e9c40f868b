"""Two small tables of the tests' own, a writer for them, and a way to make it wait."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, connections, models
from django.db.backends.base.base import BaseDatabaseWrapper

from ozone.intake import Writer

ROWS = "rows"


class Item(models.Model):
    """A row of the table `intake_test`."""

    id = models.IntegerField(primary_key=True)
    text = models.CharField(max_length=100, unique=True)
    parent = models.IntegerField(null=True)
    facts = models.JSONField(default=dict)
    number = models.IntegerField(null=True)

    class Meta:
        app_label = "intake_tests"
        db_table = "intake_test"
        managed = False

    def __str__(self) -> str:
        return self.text


class Store:
    """Inserts `(id, text, parent)`; holds still inside its transaction while `gate` is closed."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.inside = threading.Event()
        self.batches: list[list[int]] = []
        self.errors: dict[int, BaseException] = {}
        """Raised when the row of that id is there."""

    def __call__(self, connection: BaseDatabaseWrapper, rows: list[Any]) -> list[str]:
        self.batches.append([row[0] for row in rows])
        with connection.cursor() as cursor:
            for row in rows:
                cursor.execute("INSERT INTO intake_test (id, text, parent, number) VALUES (%s, %s, %s, %s)", row)
        self.inside.set()
        assert self.gate.wait(10)
        for row in rows:
            if row[0] in self.errors:
                raise self.errors[row[0]]
        return [f"row {row[0]}" for row in rows]


@pytest.fixture
def tables(transactional_db: Any) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE intake_parent (id integer PRIMARY KEY)")
        cursor.execute(
            "CREATE TABLE intake_test (id integer PRIMARY KEY, text varchar(100) NOT NULL UNIQUE,"
            " parent integer REFERENCES intake_parent (id) DEFERRABLE INITIALLY DEFERRED,"
            " facts jsonb, number integer CHECK (number >= 0))"
        )
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE intake_test")
        cursor.execute("DROP TABLE intake_parent")


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def writer(tables: None, store: Store) -> Iterator[Writer]:
    writer = Writer()
    writer.register(ROWS, store, is_piped=True)
    yield writer
    store.gate.set()
    writer.stop()


@pytest.fixture
def busy(writer: Writer, store: Store) -> Iterator[threading.Event]:
    """The writer is inside the transaction of a row with id 0 until the event is set: what comes waits together."""
    store.gate.clear()
    first = writer.post(ROWS, row(0))
    assert store.inside.wait(5)
    yield store.gate
    store.gate.set()
    assert first.result(5) == "row 0"


def row(
    key: int, text: str | None = "", parent: int | None = None, number: int | None = None
) -> tuple[int, str | None, int | None, int | None]:
    return key, f"text {key}" if text == "" else text, parent, number


def stored() -> list[int]:
    """Ids in the table, as a connection of its own sees them."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT id FROM intake_test ORDER BY id")
        return [number for (number,) in cursor.fetchall()]
